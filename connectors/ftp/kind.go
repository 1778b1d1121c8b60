package ftp

import (
	"context"
	"net"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "ftp",
		Summary: "files dropped into folders of an FTP or FTPS server",
		Example: example,
		Options: func() any {
			return &Options{
				TLS:     TLS{Mode: "explicit"},
				Order:   "name",
				Ready:   drop.Ready{MinAge: 10 * time.Second, StablePolls: 2},
				After:   drop.After{Success: "keep", Failure: "keep"},
				Spool:   drop.Spool{Max: drop.DefaultMax},
				Timeout: 30 * time.Second,
			}
		},
	}
}

const example = `id: customs-receipts
provider: customs-broker
source:
  ftp:
    address: ftp.example.test:21
    tls: { mode: explicit, ca: ./broker-ca.pem }   # or implicit, or none
    auth: { user: hub, password: "${file:/run/secrets/broker_password}" }
    paths: [/out/*.xml]
    ready: { minAge: 1m, stablePolls: 2 }          # or marker: "{name}.done"
    after: { success: move:/archive/, failure: move:/error/ }
decode: { xml: { repeat: [/Receipts/Receipt] } }
map: ./mapping.yaml
interval: 1m
`

// Options are the settings of an FTP instance.
type Options struct {
	// Address is host or host:port, port 21 by default, 990 where TLS is implicit.
	Address string `yaml:"address,required"`
	TLS     TLS    `yaml:"tls"`
	Auth    Auth   `yaml:"auth,required"`
	// Paths are patterns; relative ones are relative to the folder that the login leads to.
	Paths []string   `yaml:"paths,required"`
	Order string     `yaml:"order" enum:"name,mtime"`
	Ready drop.Ready `yaml:"ready"`
	After drop.After `yaml:"after"`
	Spool drop.Spool `yaml:"spool"`
	// Timeout is for connecting and for every answer, 30s by default.
	Timeout time.Duration `yaml:"timeout"`
}

// TLS says how the connection is protected.
type TLS struct {
	// Mode is "explicit" (AUTH TLS, the default), "implicit" (TLS from the first byte) or "none": password and files are
	// then readable for everyone on the way.
	Mode string `yaml:"mode" enum:"explicit,implicit,none"`
	// CA is a PEM file with the authorities, or the server's own certificate, relative to the instance file; by default
	// those of the system.
	CA string `yaml:"ca"`
	// ServerName is the name in the certificate where it is not the address's.
	ServerName string `yaml:"serverName"`
}

// Auth is the login.
type Auth struct {
	User     string            `yaml:"user,required"`
	Password strictyaml.Secret `yaml:"password,required"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	faults := o.drops().Check(at)
	if o.Timeout <= 0 {
		faults = append(faults, (&hub.Fault{
			Kind: hub.Invalid, Code: "ftp.timeout", Message: "the timeout must be more than 0", MessageZh: "timeout 必须大于 0",
		}).At(at("timeout")))
	}
	return faults
}

func (o *Options) drops() drop.Files {
	return drop.Files{Paths: o.Paths, Order: o.Order, Ready: o.Ready, After: o.After, Spool: o.Spool}
}

// address is Address with its port.
func (o *Options) address() string {
	if _, _, err := net.SplitHostPort(o.Address); err == nil {
		return o.Address
	}
	if o.TLS.Mode == "implicit" {
		return net.JoinHostPort(o.Address, "990")
	}
	return net.JoinHostPort(o.Address, "21")
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error { return drop.CheckPosition(p) }

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	security, err := o.security(env.Dir)
	if err != nil {
		return nil, err
	}
	p := &place{options: o, security: security, now: env.Now}
	files := o.drops()
	if err := p.do(ctx, "ask for the login's folder", func(l *line) (err error) {
		files.Base, err = l.ftp.CurrentDir()
		return err
	}); err != nil {
		return nil, lose(p, whole(err))
	}
	return drop.Open(ctx, p, files, env)
}
