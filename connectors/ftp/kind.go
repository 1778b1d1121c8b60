package ftp

import (
	"context"
	"net"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "ftp",
		Summary: "files dropped into folders of an FTP or FTPS server",
		Example: example,
		Options: func() any {
			return &Options{TLS: TLS{Mode: "explicit"}, Files: drop.Defaults()}
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
	Address    string `yaml:"address,required"`
	TLS        TLS    `yaml:"tls"`
	Auth       Auth   `yaml:"auth,required"`
	drop.Files `yaml:",inline"`
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

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	security, err := o.security(env.Dir)
	if err != nil {
		return nil, err
	}
	p := &place{options: o, security: security, now: env.Now}
	var base string
	if err := p.do(ctx, "ask for the login's folder", func(l *line) (err error) {
		base, err = l.ftp.CurrentDir()
		return err
	}); err != nil {
		return nil, lose(p, whole(err))
	}
	return o.Source(ctx, p, base, env)
}
