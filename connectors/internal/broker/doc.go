// Package broker is what the kinds that read message brokers have in common: waiting for a message, the TLS settings, and
// where a message's identity is. It leaves each protocol to its kind.
package broker
