package sftp

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "sftp",
		Summary: "files dropped into folders of an SFTP server",
		Example: example,
		Options: func() any {
			return &Options{Files: drop.Defaults(), KeepAlive: 30 * time.Second}
		},
	}
}

const example = `id: wms-shanghai-outbound
provider: shanghai-bonded-wms
source:
  sftp:
    address: sftp.example.test:22
    hostKey: [SHA256:uNiVztksCsDhcc0u9e8BrwQ9EvXlXOSRSLL/4SDM0tE]   # or knownHosts: ./known_hosts
    auth: { user: hub, privateKey: "${file:/run/secrets/wms_key}" }
    paths: [/out/*.csv]
    ready: { minAge: 30s, stablePolls: 2 }   # or marker: "{name}.done"
    after: { success: move:/archive/, failure: move:/error/ }
decode: { csv: { encoding: gb18030, header: true } }
map: ./mapping.yaml
interval: 30s
`

// Options are the settings of an SFTP instance.
type Options struct {
	// Address is host or host:port, port 22 by default.
	Address string `yaml:"address,required"`
	// HostKey are the keys that the server may have: a fingerprint as "ssh-keygen -l" prints it, or "ssh-ed25519 AAAA…".
	HostKey []string `yaml:"hostKey"`
	// KnownHosts is a file as of OpenSSH, relative to the instance file.
	KnownHosts string `yaml:"knownHosts"`
	Auth       Auth   `yaml:"auth,required"`
	drop.Files `yaml:",inline"`
	// KeepAlive is how often an idle connection is tried, 30s by default; 0 is never.
	KeepAlive time.Duration `yaml:"keepAlive"`
}

// Auth is how the login is proven: by a key, a password, or the one after the other where the server asks for both.
type Auth struct {
	User     string            `yaml:"user,required"`
	Password strictyaml.Secret `yaml:"password"`
	// PrivateKey is a key in a format of OpenSSH or PEM, Passphrase what it is encrypted with.
	PrivateKey strictyaml.Secret `yaml:"privateKey"`
	Passphrase strictyaml.Secret `yaml:"passphrase"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	faults := o.Files.Check(at)
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	if !o.Auth.Password.IsSet() && !o.Auth.PrivateKey.IsSet() {
		refuse("auth", "sftp.auth", "auth needs a password or a privateKey", "auth 需要 password 或 privateKey")
	}
	for _, text := range o.HostKey {
		if _, err := parsePin(text); err != nil {
			refuse("hostKey", "sftp.host-key-form", `"`+text+`" is neither a fingerprint such as "SHA256:…" nor a public key`,
				`“`+text+`” 既不是 “SHA256:…” 指纹也不是公钥`)
		}
	}
	if _, err := o.signer(); err != nil {
		refuse("auth.privateKey", "sftp.private-key", "the private key cannot be used: "+err.Error(), "无法使用该私钥："+err.Error())
	}
	return faults
}

// address is Address with its port.
func (o *Options) address() string {
	if _, _, err := net.SplitHostPort(o.Address); err == nil {
		return o.Address
	}
	return net.JoinHostPort(o.Address, "22")
}

// signer returns the private key, nil when there is none or when secrets are unresolved.
func (o *Options) signer() (ssh.Signer, error) {
	text := o.Auth.PrivateKey.Reveal()
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // no key is a choice
	case o.Auth.Passphrase.Reveal() != "":
		return ssh.ParsePrivateKeyWithPassphrase([]byte(text), []byte(o.Auth.Passphrase.Reveal()))
	}
	return ssh.ParsePrivateKey([]byte(text))
}

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	pins, err := o.pins(env.Dir)
	if err != nil {
		return nil, err
	}
	p := &place{options: o, pins: pins}
	line, err := p.live(ctx)
	if err != nil {
		return nil, err
	}
	base, err := line.files.Getwd()
	if err != nil {
		return nil, lose(p, drop.Lost("sftp", "ask for the login's folder", err))
	}
	return o.Source(ctx, p, base, env)
}
