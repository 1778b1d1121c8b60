package mapping

import (
	"strings"
	"unicode"

	"github.com/suyuan-io/suyuan/hub"
)

// cutExpression returns what follows "=" in a scalar; optional is true for "=?", whose missing values drop the field.
func cutExpression(n *node) (text string, optional, ok bool) {
	if n.shape != textShape {
		return "", false, false
	}
	text, ok = strings.CutPrefix(n.text, "=")
	if rest, is := strings.CutPrefix(text, "?"); ok && is {
		return rest, true, true
	}
	return text, false, ok
}

// identifier reports whether s is a name as expressions write it.
func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// exprText finds the places of an expression's characters in the file, through quotes and block scalars.
func (l *loader) exprText(n *node, text string) exprText {
	prefix := len([]rune(n.text)) - len([]rune(text))
	return exprText{text: text, place: func(offset int) hub.Where {
		if n.block {
			return l.blockPlace(n, prefix+offset)
		}
		return l.inlinePlace(n, prefix+offset)
	}}
}

// inlinePlace walks the scalar as written: escapes count as one character of the text.
func (l *loader) inlinePlace(n *node, offset int) hub.Where {
	if n.line < 1 || n.line > len(l.lines) {
		return l.at(n.line, n.column)
	}
	raw := []rune(l.lines[n.line-1])
	i := n.column - 1
	if i < 0 || i >= len(raw) {
		return l.at(n.line, n.column)
	}
	quote := rune(0)
	if n.quoted {
		quote = raw[i]
		i++
	}
	for k := 0; k < offset && i < len(raw); k++ {
		if quote == '"' && raw[i] == '\\' || quote == '\'' && raw[i] == '\'' {
			i++
		}
		i++
	}
	return l.at(n.line, min(i, len(raw))+1)
}

// blockPlace walks the lines of a block scalar, each of whose line ends is one character of the text.
func (l *loader) blockPlace(n *node, offset int) hub.Where {
	indent := -1
	for line := n.line + 1; line <= len(l.lines); line++ {
		raw := l.lines[line-1]
		if indent < 0 && strings.TrimSpace(raw) != "" {
			indent = len(raw) - len(strings.TrimLeft(raw, " "))
		}
		length := max(0, len([]rune(raw))-max(0, indent))
		if offset <= length {
			return l.at(line, max(0, indent)+offset+1)
		}
		offset -= length + 1
	}
	return l.at(n.line, n.column)
}
