// Package connectortest is the conformance kit for kinds of sources. A kind's test says how to put records into its
// upstream, and [Source] or [Receiver] checks what the hub promises of every kind: stable ids, resuming, nothing lost
// whatever fails or crashes where, no bad record in the way of others, no leak.
//
// [Stream] and [Shelf] are real stores of envelopes and positions with a fault switch, in memory or on disk. The kit
// leaves what a kind says of its own protocol to the kind's tests.
package connectortest
