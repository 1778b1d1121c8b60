// Package fabrictest is a consortium in one process: the Gateway service of a Fabric peer over gRPC and TLS, with
// organisations whose keys and certificates are made anew, real endorsements, versions that are checked at commit, and
// one transaction a block. It has a switch for what goes wrong on real networks.
//
// It runs the contract's rules in Go of its own; testdata/calls.json of the contract holds both to the same answers. It
// has no orderers, no gossip and no policies beyond who endorses: test/fabricnet runs the same suites on a real network.
package fabrictest
