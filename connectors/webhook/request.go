package webhook

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Request is a captured request: everything that a signature can cover, with the body's bytes as they were sent.
type Request struct {
	Method string
	Query  url.Values
	Header http.Header
	Body   []byte

	form     url.Values
	formRead bool
}

// Capture returns r as a Request with its body, which was read already.
func Capture(r *http.Request, body []byte) *Request {
	c := &Request{Method: r.Method, Header: r.Header, Body: body}
	if r.URL.RawQuery != "" {
		c.Query = r.URL.Query()
	}
	return c
}

// all returns every value at a place.
func (r *Request) all(p place) []string {
	switch p.in {
	case "header":
		values := r.Header.Values(p.name)
		if p.key == "" {
			return values
		}
		var out []string
		for _, v := range values {
			for pair := range strings.SplitSeq(v, ",") {
				if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == p.key {
					out = append(out, value)
				}
			}
		}
		return out
	case "query":
		return r.Query[p.name]
	case "form":
		return r.formValues()[p.name]
	case "json":
		return r.pointer(p.name)
	case "bearer", "basic":
		return r.authorization(p.in)
	}
	return nil
}

// one returns the value at a place; several are as good as none, because nobody can say which one was meant.
func (r *Request) one(p place) (string, bool) {
	values := r.all(p)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

func (r *Request) authorization(scheme string) []string {
	var out []string
	for _, v := range r.Header.Values("Authorization") {
		name, credential, ok := strings.Cut(v, " ")
		if !ok || !strings.EqualFold(name, scheme) {
			continue
		}
		credential = strings.TrimSpace(credential)
		if scheme == "basic" {
			plain, err := base64.StdEncoding.DecodeString(credential)
			if err != nil {
				continue
			}
			credential = string(plain)
		}
		out = append(out, credential)
	}
	return out
}

// formValues parses the body as application/x-www-form-urlencoded, the only form that the recipes meet.
func (r *Request) formValues() url.Values {
	if r.formRead {
		return r.form
	}
	r.formRead = true
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil
	}
	if values, err := url.ParseQuery(string(r.Body)); err == nil {
		r.form = values
	}
	return r.form
}

// pointer returns the string or number at a JSON pointer (RFC 6901) into the body.
func (r *Request) pointer(pointer string) []string {
	var node any
	d := json.NewDecoder(strings.NewReader(string(r.Body)))
	d.UseNumber()
	if err := d.Decode(&node); err != nil {
		return nil
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for step := range strings.SplitSeq(pointer[1:], "/") {
		switch n := node.(type) {
		case map[string]any:
			node = n[unescape.Replace(step)]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n) {
				return nil
			}
			node = n[i]
		default:
			return nil
		}
	}
	switch v := node.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	}
	return nil
}

func denied(code, en, zh string) *hub.Fault {
	return &hub.Fault{Kind: hub.Unauthorized, Code: code, Message: en, MessageZh: zh}
}
