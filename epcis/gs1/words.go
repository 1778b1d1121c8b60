package gs1

import "strings"

// The vocabularies of the CBV whose words occur in events, as their URIs abbreviate them (CBV 2.0, section 7).
type vocabulary struct {
	// web and urn are the prefixes of the two kinds of URI; web as it follows the namespace or "cbv:".
	web, urn string
}

const (
	wordWeb   = "https://ref.gs1.org/cbv/"
	wordURN   = "urn:epcglobal:cbv:"
	wordCURIE = "cbv:"
)

// vocabularyOf returns the vocabulary of an event field, named as in EPCIS in any case.
func vocabularyOf(field string) (v vocabulary, ok bool) {
	switch strings.TrimSuffix(strings.ToLower(field), "list") {
	case "bizstep":
		return vocabulary{"BizStep-", "bizstep:"}, true
	case "disposition", "persistentdisposition":
		return vocabulary{"Disp-", "disp:"}, true
	case "biztransaction":
		return vocabulary{"BTT-", "btt:"}, true
	case "source", "destination":
		return vocabulary{"SDT-", "sdt:"}, true
	case "errordeclaration", "reason":
		return vocabulary{"ER-", "er:"}, true
	}
	return v, false
}

// parseWord parts a CBV word, written as URN, Web URI, or CURIE, into vocabulary and bare word.
func parseWord(value string) (v vocabulary, word string, ok bool) {
	for _, field := range [...]string{"bizStep", "disposition", "bizTransaction", "source", "reason"} {
		v, _ = vocabularyOf(field)
		for _, prefix := range [...]string{wordURN + v.urn, wordWeb + v.web, wordCURIE + v.web} {
			if len(value) > len(prefix) && strings.EqualFold(value[:len(prefix)], prefix) {
				return v, value[len(prefix):], true
			}
		}
	}
	return vocabulary{}, "", false
}

// BareWord returns the bare word of a CBV vocabulary value: "shipping" for urn:epcglobal:cbv:bizstep:shipping,
// https://ref.gs1.org/cbv/BizStep-shipping, and cbv:BizStep-shipping. Everything else stays as it is.
func BareWord(value string) string {
	if _, word, ok := parseWord(value); ok {
		return word
	}
	return value
}

// WordURI returns the URI of a CBV vocabulary value: its URN where form is URN, its Web URI otherwise. A bare word belongs
// to the vocabulary of field, an EPCIS field such as "bizStep" or "sourceList". URIs that are not of the CBV, blank
// values, and words of other fields stay as they are.
func WordURI(value, field string, form Form) string {
	v, word, ok := parseWord(value)
	if !ok {
		if strings.TrimSpace(value) == "" || strings.ContainsAny(value, ":/") {
			return value
		}
		if v, ok = vocabularyOf(field); !ok {
			return value
		}
		word = value
	}
	if form == URN {
		return wordURN + v.urn + word
	}
	return wordWeb + v.web + word
}
