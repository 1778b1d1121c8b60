package broker

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// TLS are the settings of an encrypted connection. The zero TLS trusts the system's authorities.
type TLS struct {
	// CA is a PEM file of the authorities to trust in place of the system's.
	CA string `yaml:"ca"`
	// Cert and Key authenticate this side: a PEM file and the PEM text of its key.
	Cert string            `yaml:"cert"`
	Key  strictyaml.Secret `yaml:"key"`
	// ServerName is the name that the broker's certificate must hold, the host by default.
	ServerName string `yaml:"serverName"`
}

// Check implements [strictyaml.Checker].
func (t *TLS) Check(at strictyaml.Locator) hub.Faults {
	if (t.Cert == "") == !t.Key.IsSet() {
		return nil
	}
	f := hub.Faultf(hub.Invalid, "broker.tls", "cert and key go together")
	f.MessageZh = "cert 与 key 须同时给出"
	return hub.Faults{f.At(at(""))}
}

// Config builds the configuration; relative paths are relative to dir. It accepts nil.
func (t *TLS) Config(dir string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return out, nil
	}
	out.ServerName = t.ServerName
	if t.CA != "" {
		text, err := readPEM(dir, t.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, unusable(t.CA, nil)
		}
	}
	if t.Cert != "" {
		text, err := readPEM(dir, t.Cert)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(text, []byte(t.Key.Reveal()))
		if err != nil {
			return nil, unusable(t.Cert, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

func readPEM(dir, name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, unusable(name, err)
	}
	return text, nil
}

func unusable(name string, err error) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "broker.tls", "%s holds no usable certificate", name).Because(err)
	f.MessageZh = name + " 中没有可用的证书"
	f.Hint, f.HintZh = "name PEM files that the hub's user can read, and the key of the certificate", "请指定平台用户可读的 PEM 文件，且私钥须与证书匹配"
	return f
}

// CheckURL returns a fault unless text is SCHEME://HOST with one of the schemes and without a password, which would
// show.
func CheckURL(text string, schemes ...string) *hub.Fault {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
		f := hub.Faultf(hub.Invalid, "broker.url", "the url must begin with %s:// and name a host", strings.Join(schemes, ":// or "))
		f.MessageZh = "url 须以 " + strings.Join(schemes, ":// 或 ") + ":// 开头并指明主机"
		return f
	case u.User != nil:
		f := hub.Faultf(hub.Invalid, "broker.url", "the url must not hold credentials")
		f.MessageZh = "url 中不得包含凭据"
		f.Hint, f.HintZh = "use user: and password: ${env:NAME}", "请用 user: 与 password: ${env:名称}"
		return f
	}
	return nil
}
