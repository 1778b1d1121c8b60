package http

import (
	"net/http"

	"github.com/suyuan-io/suyuan/hub"
)

// Pointer and Link are what the fuzz tests reach for.
func Pointer(body []byte, path string) ([]byte, error) { return pointer(body, path) }

// Link returns the target of a Link header's value.
func Link(value, relation string) string { return link(http.Header{"Link": {value}}, relation) }

// Again reads a position and writes it.
func Again(p hub.Position) (hub.Position, error) {
	at, err := decodePosition(p)
	if err != nil {
		return "", err
	}
	m := newMemory(at)
	m.known(at.High, at.Page != nil)
	return at.encode()
}
