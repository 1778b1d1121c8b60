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
	w := xmlWalk{steps: steps}
	for at := 0; at < len(b) && w.matched < len(steps) && !w.left; {
		tok, err := nextXML(b, at)
		if err != nil {
			break
		}
		at = tok.end
		switch tok.kind {
		case xmlStart:
			w.start(tok)
		case xmlEnd:
			w.depth--
			w.left = w.depth < w.matched
		case xmlText, xmlCDATA, xmlSkip:
		}
	}
	return w.best
}

// xmlWalk follows steps through a document.
type xmlWalk struct {
	steps []xmlStep
	// depth counts the open elements, matched those that are on the way, seen those passed that are named like the next.
	depth, matched, seen int
	// best is the offset of the innermost element on the way; left is true once that has ended.
	best int
	left bool
}

func (w *xmlWalk) start(tok xmlToken) {
	next := w.steps[w.matched]
	if w.depth == w.matched && localName(next.name) == localName(string(tok.name)) {
		if w.seen == next.index {
			w.best, w.matched, w.seen = tok.at, w.matched+1, 0
		} else {
			w.seen++
		}
	}
	if !tok.closed {
		w.depth++
	}
}
