package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// CloudEvent is one event of the CloudEvents specification 1.0.
type CloudEvent struct {
	// Attributes are the context attributes as text, extensions included; "datacontenttype" among them.
	Attributes map[string]string
	// Data is the payload, nil when there is none.
	Data []byte
	// Event is the event in structured mode: as it was received, or, for one received in binary mode, made from its
	// headers around its data.
	Event []byte
}

// ID identifies the event: source and id together, as section 3.1 of the specification requires.
func (e CloudEvent) ID() string { return e.Attributes["source"] + "|" + e.Attributes["id"] }

// The media types of the HTTP protocol binding, section 3.
const (
	mediaEvent = "application/cloudevents+json"
	mediaBatch = "application/cloudevents-batch+json"
)

// ParseCloudEvents reads the events of a request in structured, batched or binary mode. It returns no events and no
// error for a request that is in none of them, and a fault of kind Invalid for a malformed event.
func ParseCloudEvents(h http.Header, body []byte) ([]CloudEvent, error) {
	stated := h.Get("Content-Type")
	if h.Get("Ce-Specversion") == "" && !strings.Contains(strings.ToLower(stated), "cloudevents") {
		return nil, nil // nearly every request
	}
	media, _, err := mime.ParseMediaType(stated)
	if err != nil {
		media = ""
	}
	switch {
	case media == mediaEvent:
		e, err := structured(body)
		if err != nil {
			return nil, err
		}
		return []CloudEvent{e}, nil
	case media == mediaBatch:
		return batch(body)
	case strings.HasPrefix(media, "application/cloudevents"):
		return nil, hub.Faultf(hub.Unsupported, "cloudevents.format", "the event format %s is not supported", media).
			WithHint("send " + mediaEvent + " or " + mediaBatch)
	case h.Get("Ce-Specversion") != "":
		e, err := binary(h, body)
		if err != nil {
			return nil, err
		}
		return []CloudEvent{e}, nil
	}
	return nil, nil
}

func malformed(format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "cloudevents.malformed", format, args...)
	f.MessageZh = "CloudEvents 事件格式有误"
	return f
}

func batch(body []byte) ([]CloudEvent, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return nil, malformed("a batch is a JSON array of events").Because(err)
	}
	events := make([]CloudEvent, 0, len(elements))
	for _, element := range elements {
		e, err := structured(element)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

func structured(body []byte) (CloudEvent, error) {
	e := CloudEvent{Attributes: map[string]string{}, Event: body}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return e, malformed("an event is a JSON object").Because(err)
	}
	for name, raw := range members {
		switch name {
		case "data":
			if !bytes.Equal(raw, []byte("null")) {
				e.Data = raw
			}
		case "data_base64":
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return e, malformed("data_base64 is a text").Because(err)
			}
			data, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return e, malformed("data_base64 is not base64").Because(err)
			}
			e.Data = data
		default:
			if text, ok := attributeText(raw); ok {
				e.Attributes[name] = text
			}
		}
	}
	if _, both := members["data_base64"]; both && members["data"] != nil {
		return e, malformed("an event has data or data_base64, not both")
	}
	return e, e.check()
}

// attributeText returns the text of a context attribute: a string, a number or a boolean; null is an absent one.
func attributeText(raw json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil && !bytes.Equal(raw, []byte("null")) {
		return text, true
	}
	plain := string(bytes.TrimSpace(raw))
	return plain, plain != "null" && !strings.ContainsAny(plain, "{[")
}

// check refuses an event without the required attributes (CloudEvents 1.0, section 3.1).
func (e CloudEvent) check() error {
	if v := e.Attributes["specversion"]; v != "1.0" {
		return malformed("specversion is %q, only 1.0 is supported", v)
	}
	for _, name := range []string{"id", "source", "type"} {
		if e.Attributes[name] == "" {
			return malformed("the attribute %s is missing", name)
		}
	}
	return nil
}

// binary reads the attributes from the ce- headers and makes the event that says the same in structured mode, so that a
// mapping sees one shape. JSON data stands in it byte for byte.
func binary(h http.Header, body []byte) (CloudEvent, error) {
	e := CloudEvent{Attributes: map[string]string{}, Data: body}
	for name, values := range h {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok || len(values) == 0 {
			continue
		}
		if len(values) > 1 {
			return e, malformed("the header %s stands twice", name)
		}
		text, err := url.PathUnescape(unquoted(values[0])) // section 3.1.3.2: quoted, and below that percent-encoded UTF-8
		if err != nil || !utf8.ValidString(text) {
			return e, malformed("the header %s is not percent-encoded UTF-8", name)
		}
		e.Attributes[attribute] = text
	}
	if ct := h.Get("Content-Type"); ct != "" {
		e.Attributes["datacontenttype"] = ct
	}
	if err := e.check(); err != nil {
		return e, err
	}
	if len(body) == 0 {
		e.Data = nil
	}
	var err error
	e.Event, err = e.assemble()
	return e, err
}

// unquoted undoes the quoted strings of a header's value (RFC 9110, section 5.6.4).
func unquoted(value string) string {
	if !strings.Contains(value, `"`) {
		return value
	}
	var b strings.Builder
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			quoted = !quoted
			continue
		case c == '\\' && quoted && i+1 < len(value):
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// assemble writes the event in structured mode, its attributes in the order of their names.
func (e CloudEvent) assemble() ([]byte, error) {
	names := make([]string, 0, len(e.Attributes))
	for name := range e.Attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	write := func(name string, value any) error {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return malformed("attribute %s", name).Because(err)
		}
		text, isRaw := value.(json.RawMessage)
		if !isRaw {
			if text, err = json.Marshal(value); err != nil {
				return malformed("attribute %s", name).Because(err)
			}
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(text)
		return nil
	}
	for _, name := range names {
		if err := write(name, e.Attributes[name]); err != nil {
			return nil, err
		}
	}
	if err := e.writeData(write); err != nil {
		return nil, err
	}
	return slices.Concat([]byte("{"), b.Bytes(), []byte("}")), nil
}

func (e CloudEvent) writeData(write func(string, any) error) error {
	switch {
	case e.Data == nil:
		return nil
	case isJSON(e.Attributes["datacontenttype"]) && json.Valid(e.Data):
		return write("data", json.RawMessage(e.Data))
	case utf8.Valid(e.Data):
		return write("data", string(e.Data))
	default:
		return write("data_base64", e.Data)
	}
}

// isJSON reports whether a media type's data is JSON; no type means JSON (CloudEvents 1.0, section 3.1.1 of the JSON
// format).
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"))
}
