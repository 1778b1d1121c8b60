package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Sign makes a request as the scheme's sender would: payload, signed with the first usable secret at the time now. It
// is for tests and for `suyuan webhook send`.
func (v *Verifier) Sign(payload []byte, contentType, id string, now time.Time) (*Request, error) {
	for i := range v.recipes {
		c := &v.recipes[i]
		if len(c.keys) == 0 || c.Algorithm == "ed25519" && c.keys[0].private == nil {
			continue
		}
		return v.signWith(c, payload, contentType, id, now)
	}
	return nil, hub.Faultf(hub.Invalid, "webhook.cannot-sign", "none of the secrets can sign").
		WithHint("a public key only verifies: give the private key, whsk_…")
}

func (v *Verifier) signWith(c *compiled, payload []byte, contentType, id string, now time.Time) (*Request, error) {
	r := &Request{Method: http.MethodPost, Header: http.Header{}, Query: url.Values{}, Body: payload}
	r.Header.Set("Content-Type", contentType)
	form := url.Values{}
	if v.payload != nil && v.payload.in == "form" {
		form.Set(v.payload.name, string(payload))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.form, r.formRead = form, true
	vars := variables{id: id, timestamp: formatTimestamp(c.TimestampFormat, now)}
	if c.timestamp != nil {
		r.put(*c.timestamp, vars.timestamp)
	}
	if c.id != nil {
		r.put(*c.id, id)
	} else if v.id != nil {
		r.put(*v.id, id)
	}
	signature, err := c.signature(r, vars)
	if err != nil {
		return nil, err
	}
	r.put(c.location, c.Prefix+c.encode(signature))
	if len(form) > 0 {
		r.Body = []byte(form.Encode())
	}
	return &Request{Method: r.Method, Header: maps.Clone(r.Header), Query: r.Query, Body: r.Body}, nil
}

func (c *compiled) signature(r *Request, vars variables) ([]byte, error) {
	k := c.keys[0]
	signed, err := c.measure(r, vars, k)
	if err == nil && c.Algorithm == "ed25519" {
		return ed25519.Sign(k.private, signed), nil
	}
	return signed, err
}

// put sets the value at a place. A place within the payload is left alone: the payload is the sender's.
func (r *Request) put(p place, value string) {
	switch p.in {
	case "header":
		if p.key == "" {
			r.Header.Set(p.name, value)
			return
		}
		pairs := append(r.Header.Values(p.name), p.key+"="+value)
		r.Header.Set(p.name, strings.Join(pairs, ","))
	case "query":
		r.Query.Set(p.name, value)
	case "form":
		r.form.Set(p.name, value)
	case "bearer":
		r.Header.Set("Authorization", "Bearer "+value)
	case "basic":
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(value)))
	}
}

func formatTimestamp(format string, t time.Time) string {
	switch format {
	case "rfc3339":
		return t.UTC().Format(time.RFC3339)
	case "unix-millis":
		return strconv.FormatInt(t.UnixMilli(), 10)
	default:
		return strconv.FormatInt(t.Unix(), 10)
	}
}
