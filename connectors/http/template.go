package http

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// template is a text with variables in braces. Anything else in braces, such as JSON, is text.
type template string

// variables are where reading has come to.
type variables struct {
	since, token string
	page, offset int
}

// fill puts the variables in, each through escape.
func (t template) fill(v variables, escape func(string) string) string {
	return strings.NewReplacer(
		"{since}", escape(v.since), "{token}", escape(v.token),
		"{page}", strconv.Itoa(v.page), "{offset}", strconv.Itoa(v.offset),
	).Replace(string(t))
}

func plain(s string) string { return s }

// escaperOf returns how a value is written within a body of a media type.
func escaperOf(media string) func(string) string {
	switch {
	case strings.Contains(media, "json"):
		return func(s string) string {
			b, err := json.Marshal(s)
			if err != nil { // cannot happen: a string
				return ""
			}
			return string(b[1 : len(b)-1])
		}
	case strings.Contains(media, "form-urlencoded"):
		return url.QueryEscape
	case strings.Contains(media, "xml"):
		return func(s string) string {
			var b bytes.Buffer
			if err := xml.EscapeText(&b, []byte(s)); err != nil { // cannot happen: a buffer takes it
				return ""
			}
			return b.String()
		}
	}
	return plain
}

// Count is a number that may be left out.
type Count struct{ N int }

// UnmarshalText parses a number of 0 or more.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		f := hub.Faultf(hub.Invalid, "http.count", "%q is no number of 0 or more", text)
		f.MessageZh = "须为不小于 0 的整数"
		return f
	}
	c.N = n
	return nil
}
