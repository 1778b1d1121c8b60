package epcis

import "github.com/suyuan-io/suyuan/epcis/gs1"

// canonicalID returns the form of an identifier in which facets, statements and queries know it.
func canonicalID(uri string) string {
	id, _ := gs1.Canonical(uri)
	return id
}

// appendIdentifier appends the canonical form of a URI; one that is no GS1 identifier is appended as it is.
func appendIdentifier(b []byte, uri string) []byte {
	id, _ := gs1.Canonical(uri)
	return append(b, id...)
}
