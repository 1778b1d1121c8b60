// Package amqp reads a queue of an AMQP 0-9-1 broker such as RabbitMQ, classic or quorum. The position is the queue's: a
// message is acknowledged when its records are durable, and comes again until then.
//
// It declares nothing. It leaves reconnecting to the host, which opens the source anew, and telling repetitions apart to
// the ids.
package amqp
