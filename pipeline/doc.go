// Package pipeline carries raw records from acceptance to the store. Publish makes envelopes durable in the raw stream
// (NATS JetStream, embedded in process or an external cluster); Run consumes it through Watermill's router, normalises
// each record, and appends the outcomes in groups.
//
// One stream message holds the envelopes of many concurrent publishers and is synced once: that is what makes "202 means
// on disk" cheap. Mapping, validation and deduplication are calls inside one handler, never a hop through the broker
// each (reference: docs/architecture.md). A message is acknowledged after the transaction that records its outcomes.
//
// It leaves sources to connectors, meaning to the [Normaliser] that it is given, and records to the [Appender]. No type
// of the broker appears in its API.
package pipeline
