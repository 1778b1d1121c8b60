package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/internal/spelling"
)

// advise notes names with a prefix that no @context around them explains. JSON-LD reads such a name as a URI with a scheme
// of that name, so that nothing is invalid; but two parties may mean different things by it, XML cannot hold it, and the
// event hash has nothing but the prefix to tell it from another.
func advise(x *explainer, root *node) {
	x.root, x.base = root, ""
	a := adviser{x: x, told: map[string]bool{}}
	declared := prefixScope{known: map[string]bool{}}
	for _, prefix := range standardPrefixes() {
		declared.known[prefix] = true
	}
	declared.drafts(root)
	a.walk(root, declared, "")
}

// standardPrefixes are those that the standard's own context declares.
func standardPrefixes() []string {
	return []string{"epcis", "cbv", "cbvmda", "gs1", "rdfs", "owl", "xsd", "dcterms"}
}

// prefixScope is what is known of prefixes at one place.
type prefixScope struct {
	known map[string]bool
	// remote is true where a context stands that only its address is known of: it may explain any prefix.
	remote bool
}

// extend returns s with what an @context states.
func (s prefixScope) extend(context *node) prefixScope {
	if context == nil {
		return s
	}
	parts := []*node{context}
	if context.kind == arrayKind {
		parts = context.items
	}
	s.known = maps.Clone(s.known)
	for _, part := range parts {
		if part.kind == stringKind && !strings.HasSuffix(part.text, "epcis-context.jsonld") {
			s.remote = true
		}
		for _, m := range part.members {
			s.known[m.name] = true
		}
	}
	return s
}

// drafts adds what members named "@xmlns:prefix" declare, as drafts of EPCIS 2.0 had it, wherever they stand below n.
func (s prefixScope) drafts(n *node) {
	for _, item := range n.items {
		s.drafts(item)
	}
	for _, m := range n.members {
		if prefix, ok := strings.CutPrefix(m.name, "@xmlns:"); ok {
			s.known[prefix] = true
		}
		s.drafts(m.value)
	}
}

type adviser struct {
	x *explainer
	// told are the prefixes that were noted: once each is enough.
	told map[string]bool
}

func (a adviser) walk(n *node, s prefixScope, pointer string) {
	for i, item := range n.items {
		a.walk(item, s, pointer+"/"+strconv.Itoa(i))
	}
	if n.kind == objectKind {
		s = s.extend(n.get("@context"))
	}
	if s.remote {
		return
	}
	for _, m := range n.members {
		if m.name == "@context" {
			continue
		}
		at := pointer + "/" + escapeToken(m.name)
		if prefix, rest, ok := strings.Cut(m.name, ":"); ok && prefix != "urn" && !strings.HasPrefix(rest, "//") && prefix != "" &&
			prefix[0] != '@' && !s.known[prefix] && !a.told[prefix] {
			a.told[prefix] = true
			a.note(m, prefix, s, at)
		}
		a.walk(m.value, s, at)
	}
}

func (a adviser) note(m member, prefix string, s prefixScope, pointer string) {
	f := newFault("advice.prefix-undeclared", "no @context declares the prefix of %q", "没有 @context 声明 %q 的前缀", m.name)
	f.Hint = fmt.Sprintf("add {%q: \"https://…/\"} to \"@context\", with the namespace that the field belongs to", prefix)
	f.HintZh = fmt.Sprintf("请在 \"@context\" 中加上 {%q: \"https://…/\"}，即该字段所属的命名空间", prefix)
	if near := spelling.Nearest(prefix, slices.Sorted(maps.Keys(s.known)), spelling.Coded); near != "" {
		f.Hint = fmt.Sprintf("did you mean \"%s:…\"? Otherwise %s", near, f.Hint)
		f.HintZh = fmt.Sprintf("是否指 \"%s:…\"？否则%s", near, f.HintZh)
	}
	a.x.add(finding{offset: m.start, fault: f}, place{pointer: pointer})
}
