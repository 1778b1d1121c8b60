// Command chaincode is the contract that a Hyperledger Fabric consortium runs to witness checkpoints of RFC 6962 logs.
// It keeps, for every origin, an append-only list of checkpoints: it checks the consistency proof from the last size
// itself, refuses a smaller size and a second root, answers a repeated commit with the first record, and lets only the
// organisation that owns an origin commit to it. The first organisation that commits to an origin owns it.
//
// It answers refusals as a normal payload with a stable code, because an error would reach the client with the same
// gRPC code as a fault of the infrastructure. It runs as an external service (chaincode as a service).
//
// It leaves the log's signature to those who verify receipts, and which organisation may own an origin beforehand to
// the consortium: a reader pins the owner in its trust file.
package main
