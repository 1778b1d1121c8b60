package gs1

import "strings"

// canonicalStem is the domain of canonical Digital Links.
const canonicalStem = "https://id.gs1.org"

// link is a Digital Link URI taken apart at its slashes: what precedes the key, the key, its qualifiers in the order of
// the path. Its strings are pieces of the input, escapes included.
type link struct {
	stem       string
	key, value string
	quals      [maxQualifiers]qualifier
	n          int
	query      string
	hasQuery   bool
}

// qualifier is one AI and its value in a path.
type qualifier struct{ ai, value string }

const maxQualifiers = 4

// qualifiers returns the qualifiers of l.
func (l *link) qualifiers() []qualifier { return l.quals[:l.n] }

// linkRole says what a path segment that stands before a value is.
type linkRole uint8

const (
	noRole linkRole = iota
	keyRole
	qualifierRole
)

// linkAI resolves a path segment, an AI or its short name, to the AI.
func linkAI(seg string) (ai string, role linkRole) {
	switch seg {
	case "00", "01", "253", "255", "401", "402", "414", "415", "417", "8003", "8004", "8006", "8010", "8013", "8017",
		"8018":
		return seg, keyRole
	case "10", "21", "22", "235", "254", "7040", "8011", "8019", "8020":
		return seg, qualifierRole
	}
	ai = shortName(seg)
	switch ai {
	case "":
		return "", noRole
	case "10", "21", "22", "235", "254", "8011", "8019", "8020":
		return ai, qualifierRole
	case "17", "7003":
		return "", noRole // names of attributes have no place in the path
	}
	return ai, keyRole
}

// shortNames are the AIs that short names stand for (Digital Link 1.1, since deprecated).
//
//nolint:gochecknoglobals // read-only table
var shortNames = map[string]string{
	"sscc":     "00",
	"gtin":     "01",
	"lot":      "10",
	"exp":      "17",
	"ser":      "21",
	"cpv":      "22",
	"tpx":      "235",
	"gdti":     "253",
	"glnx":     "254",
	"gcn":      "255",
	"ginc":     "401",
	"gsin":     "402",
	"gln":      "414",
	"payto":    "415",
	"party":    "417",
	"partygln": "417",
	"expdt":    "7003",
	"grai":     "8003",
	"giai":     "8004",
	"itip":     "8006",
	"cpid":     "8010",
	"cpsn":     "8011",
	"gmn":      "8013",
	"gsrnp":    "8017",
	"gsrn":     "8018",
	"srin":     "8019",
	"refno":    "8020",
}

// shortName returns the AI that a short name stands for, or "".
func shortName(name string) string {
	if len(name) < len("lot") || len(name) > len("partygln") || in(name[0], digit) {
		return ""
	}
	return shortNames[name]
}

// afterScheme returns what follows http:// or https://, in lower or upper case.
func afterScheme(uri string) (rest string, ok bool) {
	for _, scheme := range [...]string{"https://", "http://", "HTTPS://", "HTTP://"} {
		if strings.HasPrefix(uri, scheme) {
			return uri[len(scheme):], true
		}
	}
	return "", false
}

// parseLink takes a Digital Link apart. It searches the path from its end for pairs of AI and value until it meets a
// primary key, so that whatever stands before the key belongs to the stem.
func parseLink(uri string) (l link, ok bool) {
	rest, ok := afterScheme(uri)
	if !ok {
		return l, false
	}
	path := uri
	if i := strings.IndexByte(path, '#'); i >= 0 {
		path = path[:i]
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, l.query, l.hasQuery = path[:i], path[i+1:], true
	}
	start := strings.IndexByte(rest, '/')
	if start <= 0 || len(uri)-len(rest)+start >= len(path) {
		return l, false
	}
	start += len(uri) - len(rest)
	for end := len(path); ; {
		v := strings.LastIndexByte(path[start:end], '/')
		if v <= 0 {
			return l, false
		}
		v += start
		k := strings.LastIndexByte(path[start:v], '/') + start
		ai, role := linkAI(path[k+1 : v])
		value := path[v+1 : end]
		switch {
		case role == keyRole:
			l.stem, l.key, l.value = path[:k], ai, value
			reverse(l.quals[:l.n])
			return l, true
		case role == noRole || l.n == maxQualifiers || k == start:
			return l, false
		}
		l.quals[l.n] = qualifier{ai, value}
		l.n++
		end = k
	}
}

// reverse puts qualifiers, found from the end, into the order of the path.
func reverse(q []qualifier) {
	for i, j := 0, len(q)-1; i < j; i, j = i+1, j-1 {
		q[i], q[j] = q[j], q[i]
	}
}
