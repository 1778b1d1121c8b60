package epcis

import "github.com/suyuan-io/suyuan/epcis/gs1"

// canonicalID returns the form of an identifier in which facets, statements and queries know it.
func canonicalID(uri string) string {
	id, _ := gs1.Canonical(uri)
	return id
}
