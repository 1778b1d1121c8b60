// Package connectors takes supply-chain records from where they are to the raw stream. It holds the contracts that a
// kind of source fulfils ([Source] for a place with a position, [Receiver] for what is pushed over HTTP), the instance
// files, and the host above the seam: schedule, retry with back-off, splitting, positions, limits, metrics and status.
//
// It leaves dialects to its sub-packages (one folder per kind), formats to connectors/decode, meaning to
// connectors/mapping, and durability to the [Publisher] that it is given. A driver only authenticates, reads and
// settles; it never retries, schedules, logs or meters.
package connectors
