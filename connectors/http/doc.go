// Package http polls a web API: page by page in a round, and round after round from where the last one ended. It knows
// the ways in which APIs page (a link, a token, a number, an offset), how they tell what is new (a value of the records,
// of a header, validators of the answer), how they authorise, and how they ask for patience.
//
// A position is stored with every page; the point that the next round begins from moves only when a round is complete, so
// that the order in which an API lists is of no matter. It leaves intervals and retries to the host, and formats to its
// decoders.
package http
