package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// place is where a value stands.
type place struct {
	in   where
	name string // a header's name, a link's relation, or a JSON pointer
}

type where uint8

const (
	nowhere where = iota
	inJSON
	inHeader
	inLink
	inRecord
)

// parsePlace parses "json:/POINTER", "record:/POINTER", "header:NAME" and "link:RELATION".
func parsePlace(text string) (place, error) {
	kind, name, _ := strings.Cut(text, ":")
	in := map[string]where{"json": inJSON, "record": inRecord, "header": inHeader, "link": inLink}[kind]
	pointer := in == inJSON || in == inRecord
	if in == nowhere || name == "" || pointer && !strings.HasPrefix(name, "/") {
		return place{}, fmt.Errorf("%q is no place", text)
	}
	return place{in, name}, nil
}

// find returns the value in an answer, "" when there is none.
func (p place) find(a *Answer) string {
	switch p.in {
	case inHeader:
		return a.Header.Get(p.name)
	case inLink:
		return link(a.Header, p.name)
	case inJSON:
		raw, err := pointer(a.Body, p.name)
		if err != nil {
			return ""
		}
		return text(raw)
	case nowhere, inRecord:
	}
	return ""
}

// errAbsent says that a pointer leads nowhere.
var errAbsent = errors.New("there is nothing at the pointer")

// pointer returns the value at a JSON pointer (RFC 6901), byte for byte; "/" alone is the whole value.
func pointer(body []byte, path string) (json.RawMessage, error) {
	value := json.RawMessage(body)
	if path == "/" || path == "" {
		return bytes.TrimSpace(value), nil
	}
	for token := range strings.SplitSeq(path[1:], "/") {
		next, err := step(value, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
		if err != nil {
			return nil, err
		}
		value = next
	}
	return bytes.TrimSpace(value), nil
}

func step(value json.RawMessage, token string) (json.RawMessage, error) {
	value = bytes.TrimSpace(value)
	if len(value) > 0 && value[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, err
		}
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(list) {
			return nil, errAbsent
		}
		return list[i], nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		if _, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, err
		}
		return nil, errAbsent
	}
	next, ok := members[token]
	if !ok {
		return nil, errAbsent
	}
	return next, nil
}

// text is a scalar as text: a string's content, a number as written, "" for null, anything else as JSON.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// link returns the target of a Link header (RFC 8288) with a relation.
func link(h http.Header, relation string) string {
	for _, line := range h.Values("Link") {
		for line != "" {
			_, rest, ok := strings.Cut(line, "<")
			if !ok {
				break
			}
			target, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			var parameters string
			parameters, line = cutLink(rest)
			if related(parameters, relation) {
				return target
			}
		}
	}
	return ""
}

// related reports whether a link's parameters name the relation.
func related(parameters, relation string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for rel := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(rel, relation) {
				return true
			}
		}
	}
	return false
}

// cutLink cuts one link's parameters from the next link, at the first comma outside quotes.
func cutLink(s string) (parameters, rest string) {
	quoted := false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// Element is one record of an answer.
type Element struct {
	// ID names the record and its version; "" is the digest of Body.
	ID string
	// Since is the record's value of Options.Since, or "".
	Since string
	Body  []byte
	// ContentType is that of Body, by default that of the answer.
	ContentType string
}

// cut takes an answer apart.
func (o *Options) cut(body []byte) ([]Element, error) {
	raw, err := pointer(body, o.Items)
	var list []json.RawMessage
	switch {
	case errors.Is(err, errAbsent), err == nil && string(raw) == "null":
		return nil, nil // APIs leave out what is empty
	case err == nil:
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		f := hub.Faultf(hub.Invalid, "http.items", "the answer has no list at %s", o.Items).At(hub.Where{Pointer: o.Items}).Because(err)
		f.MessageZh = "应答中 " + o.Items + " 处不是列表"
		return nil, f.WithHint("point items to the list of records")
	}
	since, _ := parsePlace(o.Since.From)
	out := make([]Element, len(list))
	for i, record := range list {
		out[i] = Element{ID: o.identity(record), Body: record}
		if since.in == inRecord {
			out[i].Since = o.member(record, since.name)
		}
	}
	return out, nil
}

// member returns the text at a pointer in a record, "" when there is none.
func (o *Options) member(record json.RawMessage, path string) string {
	raw, err := pointer(record, path)
	if err != nil {
		return ""
	}
	return text(raw)
}

// identity is the record's own id and its version; "" when it has none.
func (o *Options) identity(record json.RawMessage) string {
	var parts []string
	for _, path := range o.ID {
		part := o.member(record, path)
		if part == "" {
			return ""
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	version := ""
	if o.Version != "" {
		version = o.member(record, o.Version)
	}
	if version == "" {
		version = digest(record)[:digestDigits]
	}
	return strings.Join(parts, ",") + "@" + version
}
