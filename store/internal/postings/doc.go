// Package postings finds events by 64-bit keys. The newest events are in memory, in a [Recent]. When one is full, [Recent.Seal]
// makes it a segment of the log that does not change any more: immutable bytes in parts of about a page.
//
// A key that many events of a segment have is a set of its own there. All others are entries of (key, place) in a [Run]: which part
// of it holds a key follows from the key, so that a look-up reads one. A segment begins with a run of its own, whose filters in
// memory say of most keys that no part needs to be read. [Merge] makes one run out of those of sixteen neighbours, and later one
// out of sixteen such, so that there are few to ask. Its only filter is that of names, the keys that every appended event asks
// for; it is in slices, and the run is made by them, so that no step takes long.
//
// A place is an event's distance from the first one of its segment or run. A key is a hash of what it stands for, and a run keeps
// 40 bits of it: what is found are candidates. The package leaves to its caller where parts are kept, what keys mean, and
// comparing the events.
package postings
