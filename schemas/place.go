package schemas

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// lineColumn returns the line and column, from 1, of the byte at offset; columns count characters.
func lineColumn(data []byte, offset int) hub.Where {
	offset = min(offset, len(data))
	before := data[skipBOM(data):max(offset, skipBOM(data))]
	line := 1 + bytes.Count(before, []byte{'\n'})
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return hub.Where{Line: line, Column: 1 + utf8.RuneCount(before[lineStart:])}
}

// place is a spot in a document: the value at a path, or the name of the member there.
type place struct {
	offset  int
	pointer string
	node    *node
}

// find walks path (instance location tokens) down from n. Where it ends early the place is the last value reached.
func find(n *node, path []string) place {
	p := place{offset: n.start, node: n}
	var b strings.Builder
	for _, token := range path {
		next, at := child(p.node, token)
		if next == nil {
			break
		}
		b.WriteByte('/')
		b.WriteString(escapeToken(token))
		p.node, p.offset = next, at
	}
	p.pointer = b.String()
	return p
}

// child returns the member or element called token and the offset at which a reader looks for it: the value's.
func child(n *node, token string) (*node, int) {
	switch n.kind {
	case objectKind:
		if v := n.get(token); v != nil {
			return v, v.start
		}
	case arrayKind:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(n.items) {
			return n.items[i], n.items[i].start
		}
	case nullKind, falseKind, trueKind, numberKind, stringKind:
	}
	return nil, 0
}

// nameOffset returns where the name of n's member stands.
func nameOffset(n *node, name string) int {
	for _, m := range slices.Backward(n.members) {
		if m.name == name {
			return m.start
		}
	}
	return n.start
}

// escapeToken escapes one token of a JSON pointer (RFC 6901, section 3).
func escapeToken(token string) string {
	if !strings.ContainsAny(token, "~/") {
		return token
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

// splitPointer returns the unescaped tokens of a JSON pointer, which may be percent-encoded as in a URL fragment.
func splitPointer(pointer string) []string {
	if pointer == "" || pointer == "/" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, token := range tokens {
		if s, err := url.PathUnescape(token); err == nil {
			token = s
		}
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	return tokens
}

// element returns list[token], or nil.
func element(list []any, token string) any {
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}
