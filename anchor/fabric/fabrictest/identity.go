package fabrictest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// Org is one organisation: its authority, one peer and one client.
type Org struct {
	MSP    string
	CA     *Member
	Peer   *Member
	Client *Member
}

// Member is a certificate with its key.
type Member struct {
	MSP     string
	Cert    *x509.Certificate
	CertPEM []byte
	KeyPEM  []byte

	key *ecdsa.PrivateKey
}

// NewOrg makes an organisation with certificates that are valid for a day.
func NewOrg(tb testing.TB, mspID string) *Org {
	tb.Helper()
	ca := NewMember(tb, mspID, "ca", nil, time.Now().Add(24*time.Hour))
	return &Org{
		MSP: mspID, CA: ca,
		Peer:   NewMember(tb, mspID, "peer", ca, time.Now().Add(24*time.Hour)),
		Client: NewMember(tb, mspID, "client", ca, time.Now().Add(24*time.Hour)),
	}
}

// NewMember makes a member of the organisational unit ou, or an authority if ca is nil.
func NewMember(tb testing.TB, mspID, ou string, ca *Member, notAfter time.Time) *Member {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	notBefore := time.Now().Add(-time.Minute) // no earlier than that of an authority that was made just before
	if notAfter.Before(time.Now()) {
		notBefore = notAfter.Add(-48 * time.Hour)
		if ca != nil && ca.Cert.NotBefore.Before(notAfter) { // peers believe no certificate that is older than its authority
			notBefore = ca.Cert.NotBefore
		}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: ou + "." + mspID, OrganizationalUnit: []string{ou}},
		NotBefore:    notBefore, NotAfter: notAfter,
		IsCA: ca == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.Cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return &Member{
		MSP: mspID, Cert: cert, key: key,
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// Serialized is the member as it stands in transactions.
func (m *Member) Serialized() []byte {
	return marshal(&msp.SerializedIdentity{Mspid: m.MSP, IdBytes: m.CertPEM})
}

// Sign signs a message as Fabric does: ECDSA over SHA-256, with a low s.
func (m *Member) Sign(message []byte) []byte {
	sign, err := identity.NewPrivateKeySign(m.key)
	if err != nil {
		panic(err) // cannot happen: the key is ours
	}
	digest := sha256.Sum256(message)
	signature, err := sign(digest[:])
	if err != nil {
		panic(err) // cannot happen: the key is ours
	}
	return signature
}

// marshal encodes what was made here, which cannot fail.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}
