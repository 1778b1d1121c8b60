// Package nats reads a stream of a foreign NATS JetStream through a durable pull consumer. The position is the
// consumer's: a message is acknowledged when its records are durable, and comes again until then.
//
// It creates the consumer, never a stream. It leaves reconnecting to the host, which opens the source anew, and telling
// repetitions apart to the ids.
package nats
