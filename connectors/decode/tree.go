package decode

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// pointerTokens splits a JSON pointer (RFC 6901) into its unescaped tokens; the root pointer has none.
func pointerTokens(pointer string) []string {
	pointer = strings.TrimPrefix(pointer, "/")
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(pointer, "/")
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens
}

// pointerTo appends a token to a JSON pointer.
func pointerTo(pointer, token string) string {
	return pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}

// index reads an array index of a pointer; anything else is -1.
func index(token string) int {
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }

// unquoteJSON returns the text of a JSON string, or its bytes as they stand where they are none.
func unquoteJSON(raw []byte) string {
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return string(raw)
	}
	return string(s)
}
