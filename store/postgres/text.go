package postgres

import (
	"strings"
	"unicode/utf8"
)

// PostgreSQL takes neither a zero byte nor what is not UTF-8 as text; senders' ids and file names may hold both. So that one
// such record does not stop the others, every such byte of a text is stored as two characters: mark and the one whose number
// is the byte's and 256. A mark itself is stored as two marks. Every other text is stored as it is.
const mark = '\U0010FFFF'

// escaped makes the texts among values ones that can be stored.
func escaped(values []any) []any {
	for i, v := range values {
		if text, ok := v.(string); ok && !storable(text) {
			values[i] = string(escape(text))
		}
	}
	return values
}

func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 && !strings.ContainsRune(text, mark)
}

func escape(text string) []byte {
	var b []byte
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == 0 || r == utf8.RuneError && n == 1:
			b = utf8.AppendRune(b, mark)
			b = utf8.AppendRune(b, rune(text[0])+256)
		case r == mark:
			b = utf8.AppendRune(utf8.AppendRune(b, mark), mark)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b
}

// unescaped is a text as it was before escaped.
func unescaped(text string) string {
	if !strings.ContainsRune(text, mark) {
		return text
	}
	b := make([]byte, 0, len(text))
	for {
		before, after, found := strings.Cut(text, string(mark))
		b = append(b, before...)
		if !found {
			return string(b)
		}
		r, n := utf8.DecodeRuneInString(after)
		if r == mark {
			b = utf8.AppendRune(b, mark)
		} else {
			b = append(b, byte(r))
		}
		text = after[n:]
	}
}
