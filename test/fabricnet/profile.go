package fabricnet

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Profile returns a connection profile of the network for a client of organisation i, as the SDKs before the Gateway service
// read it; dir is a folder for what they store. The organisation's own peer stands first.
func (n *Network) Profile(i int, dir string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1.0.0
client:
  organization: %s
  cryptoconfig: { path: %q }
  credentialStore: { path: %q, cryptoStore: { path: %q } }
  BCCSP: { security: { enabled: true, default: { provider: SW }, hashAlgorithm: SHA2, softVerify: true, level: 256 } }
channels:
  %s:
    orderers: [orderer]
    peers:
`, n.Orgs[i].Name, filepath.Join(n.opts.Dir, "crypto"), dir, dir, channel)
	var orgs, peers strings.Builder
	for k := range n.Orgs {
		o := n.Orgs[(i+k)%len(n.Orgs)]
		name := "peer." + o.Domain
		fmt.Fprintf(&b, "      %s: { endorsingPeer: true, chaincodeQuery: true, ledgerQuery: true, eventSource: true }\n", name)
		fmt.Fprintf(&orgs, "  %s: { mspid: %s, cryptoPath: %q, peers: [%s] }\n", o.Name, o.MSP,
			filepath.Join("peerOrganizations", o.Domain, "users", "{username}@"+o.Domain, "msp"), name)
		fmt.Fprintf(&peers, "  %s: { url: %q, tlsCACerts: { path: %q } }\n", name, "grpcs://"+o.Peer.Address, o.tlsCA())
	}
	fmt.Fprintf(&b, "organizations:\n%sorderers:\n  orderer: { url: %q, tlsCACerts: { path: %q } }\npeers:\n%s",
		&orgs, "grpcs://"+n.Orderer.Address,
		n.ordererCA(), &peers)
	return []byte(b.String())
}
