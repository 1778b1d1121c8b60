// Package schemas says whether JSON is what it claims to be, and if not, what to change.
//
// It holds the JSON Schemas of EPCIS 2.0 events and documents, written from the standard (epcis/2.0, draft 2020-12), and
// the schemas that brands register for their own raw rows. A [Registry] validates bytes against them and explains every
// refusal to the one who sent the bytes: a stable code, line and column, JSON pointer, what was found, what is allowed
// and what to write instead, in English and Chinese.
//
// A verdict is reached in one of two ways. The fast path reads the bytes once and only ever says "valid" or "ask the
// schema"; whatever it does not recognise at once is decided, and explained, by the schema itself. Tests hold the two
// equal. What the standard states and no schema can, is in [Rules], apart, so that a verdict can be of the schema alone.
//
// The package leaves XML, GS1 keys and their check digits, canonical forms and hashes to package epcis, and what to do
// with a refusal to its callers.
package schemas
