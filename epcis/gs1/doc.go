// Package gs1 knows the identifiers of GS1: it parses, checks, and converts EPC URNs (EPC Tag Data Standard 2.x, section
// 6), GS1 Digital Link URIs (Digital Link Standard: URI Syntax 1.4) and element strings of application identifiers (GS1
// General Specifications, sections 3 and 7), and it gives each identity one canonical form, so that two systems that
// name one thing in two ways are known to speak of the same thing.
//
// Two strictnesses exist. Lenient, the default, takes what field systems write: raw reserved characters in serials, check
// digits that nobody computed. Strict applies the GS1 Barcode Syntax Dictionary in full. The canonical form itself is
// exact: what it does not recognise stays as it is.
//
// It leaves the lookup of company prefixes to a table that its caller loads, the meaning of events to epcis, and
// resolving links over the network to nobody.
package gs1
