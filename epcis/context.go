package epcis

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// ContextURL is the standard's own JSON-LD context. Every event is in it; other spellings of its address mean the same.
const ContextURL = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

// Context is the JSON-LD context in force for an event: the standard one, which every event is in, and what a document
// or an event adds to it. A Context is immutable and safe for concurrent use; nil is the standard context alone.
type Context struct {
	// remote are the addresses of further contexts, in the order in which they were stated. They are never fetched.
	remote []string
	// terms are the definitions that were stated inline, ordered by name: most are prefixes, whose definition is a string.
	terms []node
}

// term returns the inline definition of a name, or nil.
func (c *Context) term(name string) *node {
	if c == nil {
		return nil
	}
	if i := c.indexOf(name); i >= 0 {
		return &c.terms[i]
	}
	return nil
}

// indexOf returns the place of a name among the terms, or -1. Most contexts have so few that comparing them all is faster
// than a search.
func (c *Context) indexOf(name string) int {
	if len(c.terms) <= few {
		for i := range c.terms {
			if c.terms[i].name == name {
				return i
			}
		}
		return -1
	}
	i, ok := slices.BinarySearchFunc(c.terms, name, func(t node, name string) int { return compareNames(t.name, name) })
	if !ok {
		return -1
	}
	return i
}

// maxTerms bounds what a context may hold, because every event of a document takes account of all of it.
const maxTerms = 4096

// ParseContext reads the value of an @context member: an address, an object, or an array of both.
func ParseContext(data []byte) (*Context, error) {
	n, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	return (*Context)(nil).extend(&n)
}

// NewContext returns the standard context with further prefixes, each with the namespace that it stands for.
func NewContext(prefixes map[string]string) *Context {
	c := &Context{terms: make([]node, 0, len(prefixes))}
	for prefix, ns := range prefixes {
		c.terms = append(c.terms, stringNode(prefix, ns))
	}
	c.terms = sortMembers(c.terms)
	return c
}

// standardContext reports whether url is one of the addresses under which the standard's context is found.
func standardContext(url string) bool {
	for _, base := range []string{"https://ref.gs1.org/standards/epcis/", "https://gs1.github.io/EPCIS/"} {
		if rest, ok := strings.CutPrefix(url, base); ok {
			return strings.HasSuffix(rest, "epcis-context.jsonld")
		}
	}
	return false
}

// extend returns c with the value of an @context member added to it; c stays as it is.
func (c *Context) extend(own *node) (*Context, error) {
	if own == nil || own.kind == kindNull || own.kind == kindString && standardContext(own.text) {
		return c, nil
	}
	next := &Context{}
	if c != nil {
		next.remote, next.terms = slices.Clip(c.remote), slices.Clip(c.terms)
	}
	parts := 0
	for i, part := range own.items() {
		switch {
		case part.kind == kindString && standardContext(part.text):
		case part.kind == kindString:
			if !slices.Contains(next.remote, part.text) {
				next.remote = append(next.remote, part.text)
			}
		case part.kind == kindObject && len(next.terms) == 0:
			next.terms, parts = slices.Clip(part.kids), 1
		case part.kind == kindObject:
			next.terms, parts = append(next.terms, part.kids...), 2
		default:
			return nil, faultf(hub.Invalid, "epcis.context", "@context[%d] is neither an address nor an object",
				"@context[%d] 既不是地址也不是对象", i).At(hub.Where{Pointer: "/@context"})
		}
		if len(next.remote) > maxTerms {
			return nil, tooManyTerms()
		}
	}
	if parts > 1 { // once, for all; of two definitions the later one counts, which sorting keeps
		next.terms = sortMembers(next.terms)
	}
	if len(next.remote)+len(next.terms) > maxTerms {
		return nil, tooManyTerms()
	}
	if len(next.remote) == 0 && len(next.terms) == 0 {
		return nil, nil //nolint:nilnil // nil is the standard context
	}
	return next, nil
}

func tooManyTerms() error {
	return faultf(hub.TooLarge, "epcis.context", "@context has more than %d terms", "@context 的条目超过 %d 个", maxTerms).
		At(hub.Where{Pointer: "/@context"})
}

// Namespace returns what a prefix stands for.
func (c *Context) Namespace(prefix string) (string, bool) {
	if t := c.term(prefix); t != nil {
		if t.kind == kindObject {
			return t.str("@id"), true
		}
		return t.text, t.kind == kindString
	}
	ns := standardPrefix(prefix)
	return ns, ns != ""
}

// Prefixes returns the prefixes that were stated inline, with their namespaces.
func (c *Context) Prefixes() map[string]string {
	m := map[string]string{}
	if c == nil {
		return m
	}
	for i := range c.terms {
		name := c.terms[i].name
		if ns, ok := c.Namespace(name); ok && !strings.HasPrefix(name, "@") {
			m[name] = ns
		}
	}
	return m
}

// standardPrefix returns the namespace of a prefix that the standard's context declares. That of cbvmda ends in a colon
// there, to make URIs, and in none in XML, where it is a namespace: the hash of an event that does not declare it is that
// of its XML form.
func standardPrefix(prefix string) string {
	switch prefix {
	case "epcis":
		return "https://ref.gs1.org/epcis/"
	case "cbv":
		return "https://ref.gs1.org/cbv/"
	case "cbvmda":
		return "urn:epcglobal:cbv:mda"
	case "gs1":
		return gs1Vocabulary
	case "rdfs":
		return "http://www.w3.org/2000/01/rdf-schema#"
	case "owl":
		return "http://www.w3.org/2002/07/owl#"
	case "xsd":
		return "http://www.w3.org/2001/XMLSchema#"
	case "dcterms":
		return "http://purl.org/dc/terms/"
	}
	return ""
}

// gs1Vocabulary is the namespace of the GS1 Web Vocabulary.
const gs1Vocabulary = "https://ref.gs1.org/voc/"

// Expand splits a member's name into namespace and local name: of a compact name by its prefix, of a whole URI behind
// its last '/', '#' or, in a URN, ':'. A name without either has no namespace.
func (c *Context) Expand(name string) (namespace, local string) {
	prefix, rest, ok := strings.Cut(name, ":")
	if !ok {
		if t := c.term(name); t != nil {
			iri := t.text
			if t.kind == kindObject {
				iri = t.str("@id")
			}
			if _, _, compact := strings.Cut(iri, ":"); compact {
				return c.Expand(iri)
			}
		}
		return "", name
	}
	if strings.HasPrefix(rest, "//") {
		if i := strings.LastIndexAny(name, "/#"); i < len(name)-1 {
			return name[:i+1], name[i+1:]
		}
		return "", name
	}
	if ns, ok := c.Namespace(prefix); ok {
		return ns, rest
	}
	if prefix == "urn" {
		if i := strings.LastIndexAny(name, ":/#"); i < len(name)-1 {
			return name[:i+1], name[i+1:]
		}
	}
	return "", name
}

// declared returns c with the namespaces that members named "@xmlns:prefix" within n declare, the way of the drafts of
// EPCIS 2.0. They are in force in the whole event.
func (c *Context) declared(n *node) *Context {
	next, room := &Context{}, maxTerms
	if c != nil {
		*next = *c
		room -= len(c.terms)
	}
	var stated []node
	collectDeclared(n, room, &stated)
	if len(stated) == 0 {
		return c
	}
	next.terms = sortMembers(append(slices.Clip(next.terms), stated...))
	return next
}

// collectDeclared appends what is declared within n, as far as there is room.
func collectDeclared(n *node, room int, stated *[]node) {
	for i := range n.kids {
		kid := &n.kids[i]
		if prefix, ok := strings.CutPrefix(kid.name, xmlnsMember); ok && kid.kind == kindString && len(*stated) < room {
			*stated = append(*stated, stringNode(prefix, kid.text))
		}
		if !kid.scalar() {
			collectDeclared(kid, room, stated)
		}
	}
}

const xmlnsMember = "@xmlns:"

// unresolved returns the address of the remote context that may explain a prefix which nothing inline explains. In XML
// it stands for the namespace, so that the way back finds the same name.
func (c *Context) unresolved() string {
	if c == nil || len(c.remote) == 0 || !remoteContext(c.remote[len(c.remote)-1]) { // read back, it would be a namespace
		return ""
	}
	return c.remote[len(c.remote)-1]
}

// remoteContext reports whether an XML namespace is the address of a JSON-LD context.
func remoteContext(ns string) bool { return strings.HasSuffix(ns, ".jsonld") }

// appendMinimal appends the @context that n needs as canonical JSON: the standard one, the remote ones, and of the inline
// terms those that a name or a compact value in n makes use of, in an order that depends on nothing else.
func (c *Context) appendMinimal(b []byte, n *node) ([]byte, error) {
	if c == nil {
		return appendText(b, ContextURL, true), nil
	}
	var room [32]bool
	return c.appendStating(b, c.usedBy(n, room[:0]))
}

// appendStating appends an @context with the inline terms for which used is true.
func (c *Context) appendStating(b []byte, used []bool) ([]byte, error) {
	terms := slices.Contains(used, true)
	if !terms && len(c.remote) == 0 {
		return appendText(b, ContextURL, true), nil
	}
	b = appendText(append(b, '['), ContextURL, true)
	for _, url := range c.remote {
		b = appendString(append(b, ','), url)
	}
	if !terms {
		return append(b, ']'), nil
	}
	b = append(b, ",{"...)
	var err error
	first := true
	for i, is := range used {
		if !is {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		t := &c.terms[i]
		b = append(appendText(b, t.name, t.plainName), ':')
		if b, err = appendCanonical(b, t); err != nil {
			return nil, err
		}
	}
	return append(b, "}]"...), nil
}

// usedBy says of each inline term whether n makes use of it, in room where that is large enough.
func (c *Context) usedBy(n *node, room []bool) []bool {
	if c == nil || len(c.terms) == 0 {
		return nil
	}
	used := slices.Grow(room, len(c.terms))[:len(c.terms)]
	c.collect(n, used)
	// A used term may itself be written with a prefix. Each is looked at once, or a chain of terms would be again for each of its links.
	var seen [few]bool
	looked := seen[:]
	if len(c.terms) > few {
		looked = make([]bool, len(c.terms))
	}
	for grown := true; grown; {
		grown = false
		for i := range c.terms {
			if used[i] && !looked[i] {
				looked[i] = true
				grown = c.collect(&c.terms[i], used) || grown
			}
		}
	}
	return used
}

// collect notes the inline terms that n makes use of, and reports whether there was a new one.
func (c *Context) collect(n *node, used []bool) (grown bool) {
	if n.kind == kindString {
		return c.note(n.text, false, used)
	}
	for i := range n.kids {
		if n.kind == kindObject {
			grown = c.note(n.kids[i].name, true, used) || grown
		}
		grown = c.collect(&n.kids[i], used) || grown
	}
	return grown
}

// note notes the prefix of a compact name or value, or a name that is a term itself.
func (c *Context) note(s string, isName bool, used []bool) bool {
	if len(c.terms) <= few {
		for i := range c.terms {
			// Few texts are as long as a term and go on as one that uses it does.
			if n := len(c.terms[i].name); used[i] || len(s) < n || len(s) == n && !isName || len(s) > n && s[n] != ':' {
				continue
			}
			if usesTerm(s, c.terms[i].name) {
				used[i] = true
				return true
			}
		}
		return false
	}
	name, rest, compact := strings.Cut(s, ":")
	if !compact && !isName || strings.HasPrefix(rest, "//") {
		return false
	}
	i := c.indexOf(name)
	if i < 0 || used[i] {
		return false
	}
	used[i] = true
	return true
}

// usesTerm reports whether s, which is a term's length or goes on with ':' there, is compact with it as its prefix or the term itself.
func usesTerm(s, term string) bool {
	n := len(term)
	return s[:n] == term && !strings.Contains(term, ":") && (len(s) == n || !strings.HasPrefix(s[n+1:], "//"))
}
