package decode

import (
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// xmlStep is one element on the way of a pointer: the index-th of its name.
type xmlStep struct {
	name  string
	index int
}

// locate turns a JSON pointer into the tree into an XPath and the place of the element or attribute that it names, or
// of the innermost element on the way that there is.
func (d *xmlDecoder) locate(ancestors []string, text, pointer string) hub.Where {
	var steps []xmlStep
	leaf := ""
	for _, t := range pointerTokens(pointer) {
		switch n := index(t); {
		case n >= 0 && len(steps) > 0:
			steps[len(steps)-1].index = n
		case strings.HasPrefix(t, "@"):
			leaf = "/" + t
		case t == "#text":
			leaf = "/text()"
		default:
			steps = append(steps, xmlStep{name: t})
		}
	}
	var xpath strings.Builder
	for _, a := range ancestors {
		xpath.WriteString("/" + a)
	}
	for _, s := range steps {
		xpath.WriteString("/" + s.name)
		if s.index > 0 {
			fmt.Fprintf(&xpath, "[%d]", s.index+1)
		}
	}
	at := d.find([]byte(text), steps)
	return placeIn([]byte(text), at, countRunes).where(xpath.String() + leaf)
}

// find returns the offset of the element that the steps lead to.
func (d *xmlDecoder) find(b []byte, steps []xmlStep) int {
	best, depth, matched, seen := 0, 0, 0, 0
	for at := 0; at < len(b) && matched < len(steps); {
		tok, err := nextXML(b, at)
		if err != nil {
			return best
		}
		at = tok.end
		switch tok.kind {
		case xmlStart:
			name := string(tok.name)
			if depth == matched && (steps[matched].name == name || localName(steps[matched].name) == localName(name)) {
				if seen == steps[matched].index {
					best, matched, seen = tok.at, matched+1, 0
				} else {
					seen++
				}
			}
			if !tok.closed {
				depth++
			}
		case xmlEnd:
			if depth--; depth < matched {
				return best
			}
		case xmlText, xmlCDATA, xmlSkip:
		}
	}
	return best
}
