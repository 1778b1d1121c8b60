package epcis

import "strings"

// escapeXML returns text as XML writes it in content, or between double quotes in an attribute.
func escapeXML(s string, attribute bool) string {
	if !strings.ContainsAny(s, "&<>\"\r\n\t") {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '\r':
			b.WriteString("&#13;")
		case r == '"' && attribute:
			b.WriteString("&quot;")
		case r == '\n' && attribute:
			b.WriteString("&#10;")
		case r == '\t' && attribute:
			b.WriteString("&#9;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
