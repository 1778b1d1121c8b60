// Package fabricnet starts a real Hyperledger Fabric network as plain processes on this machine: three organisations of
// one peer each, one raft orderer, TLS everywhere, one channel, and the checkpoint contract as an external service, one
// process an organisation. From nothing to a contract that answers takes seconds, so that a test can have a network of
// its own, and kill, freeze and restart its parts.
//
// It does what an administrator does with the peer command (join, install, approve, commit) over the peers' own
// protocol. It needs the programs peer, orderer, configtxgen and cryptogen of Fabric 2.5 or 3.1, or of 2.3 for what works
// with peers before the Gateway service; see [Find]. Gossip and raft run on short intervals, which is for tests, not for a
// consortium.
//
// It leaves what is tested to test/fabric, and building Fabric to whoever wants these tests.
package fabricnet
