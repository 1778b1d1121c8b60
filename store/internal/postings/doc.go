// Package postings finds events by 64-bit keys, a segment of the log at a time. The newest events are in memory, in a [Recent].
// When one is full, [Recent.Seal] makes it a [Sealed]: immutable bytes in parts of about a page, of which a look-up reads one, and
// a filter that stays in memory and says of most keys that no part needs to be read.
//
// Where a key's events are many, they are a set of their own; all other keys lie in buckets of (key, place). A place is an
// event's distance from the segment's first, so that it takes 16 bits.
//
// A key is a hash of what it stands for, and a bucket keeps only some of its bits: what is found are candidates. The package
// leaves to its caller where parts are kept, what keys mean, and comparing the events.
package postings
