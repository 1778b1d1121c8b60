// Package webhook receives what partners push over HTTP. One declarative [Recipe] says where a signature stands and how it
// is made; presets are recipes for the senders that most people meet. A [Verifier] checks captured requests and signs
// test ones, and is pure: the CLI uses it without a hub. The kind also speaks CloudEvents in its structured, binary and
// batch modes, answers their handshake, and gives senders the acknowledgement that their protocol asks for.
//
// It fails closed: no secret, no signature, an unknown scheme or an ambiguous header is a refusal. It leaves limits,
// splitting, durability and answers of its own to the host.
package webhook
