// Package kafka reads topics of a Kafka cluster. As a member of a consumer group it leaves the offsets to the cluster and
// commits them when the records are durable; with fixed partitions the hub keeps them as its position. A record's identity
// is its topic, partition and offset.
//
// It leaves reconnecting to the client and, where that does not help, to the host, which opens the source anew.
package kafka
