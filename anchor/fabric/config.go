package fabric

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"github.com/suyuan-io/suyuan/hub"
)

// Config is how a hub reaches its consortium. Files are PEM.
type Config struct {
	// Peers are the Gateway endpoints, in order of preference: the first that can be reached is used.
	Peers []Peer `yaml:"peers,required"`
	// Channel is the channel on which the contract runs, Chaincode the contract's name there; the default is "suyuan".
	Channel   string `yaml:"channel,required"`
	Chaincode string `yaml:"chaincode"`
	// MSP is the id of the hub's organisation, Certificate and Key are the hub's identity in it.
	MSP         string `yaml:"msp,required"`
	Certificate string `yaml:"certificate,required"`
	Key         string `yaml:"key,required"`
	// Metadata is stored with every checkpoint, uninterpreted, at most 1 KiB; the default is none.
	Metadata string `yaml:"metadata"`
	// CatchUp bounds the wait for the other organisations' peers to have the block before they attest it; the default
	// is 10s.
	CatchUp time.Duration `yaml:"catchUp"`
	// Now is the clock by which the certificate is judged; the default is time.Now.
	Now func() time.Time `yaml:"-" json:"-"`
}

// Peer is one endpoint.
type Peer struct {
	// Address is host:port.
	Address string `yaml:"address,required"`
	// CA is the file of the authority that signed the peer's TLS certificate.
	CA string `yaml:"ca,required"`
	// ServerName is the name in that certificate, if it is not the host of Address.
	ServerName string `yaml:"serverName"`
}

// Paths returns c with its file names passed through resolve, which makes them relative to a configuration file.
func (c Config) Paths(resolve func(string) string) Config {
	c.Certificate, c.Key = resolve(c.Certificate), resolve(c.Key)
	peers := make([]Peer, len(c.Peers))
	for i, p := range c.Peers {
		p.CA = resolve(p.CA)
		peers[i] = p
	}
	c.Peers = peers
	return c
}

// member is the identity with which a driver signs.
type member struct {
	id        *identity.X509Identity
	sign      identity.Sign
	expiresAt time.Time
}

// load reads and checks all files and returns every fault at once.
func (c *Config) load(options []grpc.DialOption) (member, *grpc.ClientConn, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Chaincode == "" {
		c.Chaincode = "suyuan"
	}
	if c.CatchUp <= 0 {
		c.CatchUp = 10 * time.Second
	}
	var faults hub.Faults
	m, err := c.member(c.Now())
	if err != nil {
		faults = append(faults, hub.AsFault(err))
	}
	addresses, roots, more := c.endpoints()
	faults = append(faults, more...)
	for name, value := range map[string]string{"channel": c.Channel, "msp": c.MSP} {
		if value == "" {
			faults = append(faults, configFault(name, "is missing", "缺失"))
		}
	}
	if len(faults) > 0 {
		return member{}, nil, faults
	}
	conn, err := dial(addresses, roots, options)
	return m, conn, err
}

// member reads the certificate and its key.
func (c *Config) member(now time.Time) (member, error) {
	certPEM, err := os.ReadFile(c.Certificate)
	if err != nil {
		return member{}, configFault("certificate", "cannot be read", "无法读取").Because(err)
	}
	cert, err := identity.CertificateFromPEM(certPEM)
	if err != nil {
		return member{}, configFault("certificate", "is no PEM certificate", "不是 PEM 证书").Because(err)
	}
	if now.After(cert.NotAfter) {
		return member{}, configFault("certificate", fmt.Sprintf("expired at %v", cert.NotAfter.UTC()), "已过期").
			WithHint("enrol again with the organisation's certificate authority")
	}
	if now.Before(cert.NotBefore) {
		return member{}, configFault("certificate", fmt.Sprintf("is not valid before %v", cert.NotBefore.UTC()), "尚未生效").
			WithHint("check the clock of this machine")
	}
	keyPEM, err := os.ReadFile(c.Key)
	if err != nil {
		return member{}, configFault("key", "cannot be read", "无法读取").Because(err)
	}
	key, err := identity.PrivateKeyFromPEM(keyPEM)
	if err != nil { // the cause could quote the key
		return member{}, configFault("key", "is no PEM private key", "不是 PEM 私钥")
	}
	if !fits(key, cert) {
		return member{}, configFault("key", "is not that of the certificate", "与证书不匹配")
	}
	sign, err := identity.NewPrivateKeySign(key)
	if err != nil {
		return member{}, configFault("key", "is of an unsupported type", "类型不受支持").Because(err)
	}
	id, err := identity.NewX509Identity(c.MSP, cert)
	if err != nil {
		return member{}, configFault("certificate", "is no identity", "不能作为身份").Because(err)
	}
	return member{id: id, sign: sign, expiresAt: cert.NotAfter}, nil
}

// fits reports whether key is the private key of cert.
func fits(key crypto.PrivateKey, cert *x509.Certificate) bool {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key.PublicKey.Equal(cert.PublicKey)
	case ed25519.PrivateKey:
		public, ok := key.Public().(ed25519.PublicKey)
		return ok && public.Equal(cert.PublicKey)
	}
	return false
}

// endpoints returns the peers' addresses and the authorities that vouch for them.
func (c *Config) endpoints() ([]resolver.Address, *x509.CertPool, hub.Faults) {
	var faults hub.Faults
	var addresses []resolver.Address
	roots := x509.NewCertPool()
	for i, p := range c.Peers {
		where := fmt.Sprintf("peers[%d]", i)
		host, _, err := net.SplitHostPort(p.Address)
		if err != nil {
			faults = append(faults, configFault(where+".address", "is not host:port", "不是 主机:端口").Because(err))
		}
		ca, err := os.ReadFile(p.CA)
		if err != nil {
			faults = append(faults, configFault(where+".ca", "cannot be read", "无法读取").Because(err))
		} else if !roots.AppendCertsFromPEM(ca) {
			faults = append(faults, configFault(where+".ca", "holds no PEM certificate", "不含 PEM 证书"))
		}
		if p.ServerName != "" {
			host = p.ServerName
		}
		addresses = append(addresses, resolver.Address{Addr: p.Address, ServerName: host})
	}
	if len(addresses) == 0 {
		faults = append(faults, configFault("peers", "names no peer", "未列出节点"))
	}
	return addresses, roots, faults
}

func configFault(field, en, zh string) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "fabric.config", "%s %s", field, en).At(hub.Where{Pointer: field})
	f.MessageZh = field + zh
	return f
}
