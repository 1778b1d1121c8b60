package http

import "net/http"

// Pointer and Link are what the fuzz tests reach for.
func Pointer(body []byte, path string) ([]byte, error) { return pointer(body, path) }

// Link returns the target of a Link header's value.
func Link(value, relation string) string { return link(http.Header{"Link": {value}}, relation) }
