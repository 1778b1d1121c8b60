// Package fabric is the ledger of a Hyperledger Fabric consortium, through the Gateway service of its peers (Fabric 2.4
// and later). The contract that runs there, in the folder chaincode and with a module of its own, checks the growth of
// the log for every organisation anew.
//
// Its evidence holds two transactions as the consortium's peers signed them: the one that wrote the checkpoint, and one
// that read it afterwards. The first shows that the organisations agreed to write it; but whether an agreed transaction
// was committed stands nowhere under a signature. So the second lets the same organisations sign that the checkpoint is
// in their state, and in which block. [Verify] checks both offline, with nothing but the pinned root certificates.
//
// Committing is exactly once, whatever fails: the signed transaction is on disk before it is submitted, and after an
// unknown outcome the same bytes are submitted again, which the peers count once, by its id.
//
// It leaves retries, schedules and the log's signature to its callers, and running a network to the consortium.
package fabric
