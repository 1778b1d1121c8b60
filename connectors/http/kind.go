package http

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name: "http", Summary: "a web API, polled page by page", Example: example,
		Options: func() any { return Defaults() },
	}
}

const example = `id: brand-shipments
provider: brand
source:
  http:
    url: https://api.brand.example/v1/shipments
    query: { changedSince: "{since}", page: "{page}" }   # a parameter whose value is empty is left out
    auth: { bearer: "${env:BRAND_TOKEN}" }               # or basic, header, query, oauth2
    items: /data/shipments        # each element of this list is a record
    id: [/shipmentNo]
    version: /updatedAt
    since: { from: record:/updatedAt, start: "2026-01-01T00:00:00Z" }
    paging: { page: 1 }           # or next: link:next, or token: json:/nextToken with {token}, or offset: 0
decode: json
map: ./mapping.yaml
interval: 1m
`

// Options are the settings of an http instance. The url's query, the headers and the body are templates: {since},
// {token}, {page} and {offset} stand for where reading has come to.
type Options struct {
	URL    string `yaml:"url,required"`
	Method string `yaml:"method" enum:"GET,POST"`
	// Query and Headers are added to the request; one whose value comes out empty is left out.
	Query   map[string]string `yaml:"query"`
	Headers map[string]string `yaml:"headers"`
	// Body goes with POST. Values are escaped for its Content-Type: application/json unless Headers says otherwise.
	Body string `yaml:"body"`
	Auth Access `yaml:"auth"`
	// Items points to the list of records in a JSON answer (RFC 6901), "/" where the answer itself is the list. Without
	// it an answer is one item, which the decoder splits, known by the digest of its bytes.
	Items string `yaml:"items"`
	// ID points to the members that name a record, Version to the one that changes with it, the digest of the record by
	// default.
	ID      []string `yaml:"id"`
	Version string   `yaml:"version"`
	Since   Since    `yaml:"since"`
	Paging  Paging   `yaml:"paging"`
	// MaxBody is the largest answer after decompression, 16MiB by default; Timeout is for one request, 1m by default.
	MaxBody strictyaml.Size `yaml:"maxBody"`
	Timeout time.Duration   `yaml:"timeout"`

	// Cut takes an answer apart in place of Items, for kinds that are built on this one.
	Cut func(body []byte) ([]Element, error) `json:"-"`
}

// Since says from where a round begins.
type Since struct {
	// From is the place of the value that {since} will have: record:/POINTER in each record, json:/POINTER in the
	// answer, or header:NAME. Of times and numbers the largest counts, of anything else the last.
	From string `yaml:"from"`
	// Start is {since} in the very first round; the parameter is left out without it.
	Start string `yaml:"start"`
	// LookBack begins each round that much earlier, for records that appear later than they are dated. The values must
	// then be RFC 3339 times.
	LookBack time.Duration `yaml:"lookBack"`
}

// Paging says how a round goes on after a page. At most one of Next, Token, Page and Offset is set; with none, a round is
// one page.
type Paging struct {
	// Next is the place of the next page's URL: link:next (the Link header, RFC 8288), json:/POINTER, or header:NAME. It
	// must be on the same server.
	Next string `yaml:"next"`
	// Token is the place of what {token} will be.
	Token string `yaml:"token"`
	// Page is the number of the first page, Offset the first offset; {page} and {offset} count on from there until a page
	// has no records, or fewer than Size where that is given.
	Page   *Count `yaml:"page"`
	Offset *Count `yaml:"offset"`
	Size   int    `yaml:"size" min:"0" max:"100000"`
	// Max is the most pages of one round, 10,000 by default.
	Max int `yaml:"max" min:"1" max:"1000000"`
}

// Defaults returns the options of an instance that states none.
func Defaults() *Options {
	return &Options{Method: http.MethodGet, MaxBody: 16 << 20, Timeout: time.Minute, Paging: Paging{Max: 10_000}}
}

// largestBody bounds what MaxBody may ask for.
const largestBody = 256 << 20

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	c := checker{at: at}
	if o.URL != "" {
		c.address("url", o.URL)
	}
	switch {
	case o.Body != "" && o.Method != http.MethodPost:
		c.refuse("body", "http.body", "body goes with method: POST", "body 须与 method: POST 一起使用")
	case o.MaxBody < 1 || o.MaxBody > largestBody:
		c.refuse("maxBody", "http.max-body", "maxBody must be from 1B to 256MiB", "maxBody 必须在 1B 到 256MiB 之间")
	case o.Timeout <= 0:
		c.refuse("timeout", "http.timeout", "timeout must be longer than 0s", "timeout 必须大于 0s")
	}
	if o.Items == "" && o.Cut == nil {
		if len(o.ID) > 0 || o.Version != "" {
			c.refuse("id", "http.id-without-items", "id and version need items", "id 与 version 需要 items")
		}
	}
	for _, p := range append([]string{o.Items, o.Version}, o.ID...) {
		c.pointer(p)
	}
	o.checkSince(&c)
	o.checkPaging(&c)
	return c.faults
}

func (o *Options) checkSince(c *checker) {
	from, err := parsePlace(o.Since.From)
	switch {
	case o.Since.From == "" && (o.Since.Start != "" || o.Since.LookBack != 0):
		c.refuse("since", "http.since", "since needs from", "since 需要 from")
	case o.Since.From == "":
	case err != nil || from.in == inLink:
		c.refuse("since.from", "http.place", "write record:/POINTER, json:/POINTER or header:NAME", "请写 record:/指针、json:/指针 或 header:名称")
	case from.in == inRecord && o.Items == "" && o.Cut == nil:
		c.refuse("since.from", "http.since", "record: needs items", "record: 需要 items")
	case !o.uses("{since}"):
		c.refuse("since", "http.unused", "nothing in url, query, headers or body holds {since}", "url、query、headers、body 中都没有 {since}")
	case o.Since.LookBack < 0:
		c.refuse("since.lookBack", "http.since", "lookBack cannot be negative", "lookBack 不能为负")
	}
}

func (o *Options) checkPaging(c *checker) {
	p, ways := o.Paging, 0
	for _, way := range []struct {
		path, variable string
		set            bool
	}{
		{"paging.next", "", p.Next != ""}, {"paging.token", "{token}", p.Token != ""},
		{"paging.page", "{page}", p.Page != nil}, {"paging.offset", "{offset}", p.Offset != nil},
	} {
		if !way.set {
			continue
		}
		ways++
		if way.variable != "" && !o.uses(way.variable) {
			c.refuse(way.path, "http.unused", "nothing in url, query, headers or body holds "+way.variable,
				"url、query、headers、body 中都没有 "+way.variable)
		}
	}
	if ways > 1 {
		c.refuse("paging", "http.paging", "give one of next, token, page and offset", "next、token、page、offset 只能给出一个")
	}
	if (p.Page != nil || p.Offset != nil) && o.Items == "" && o.Cut == nil {
		c.refuse("paging", "http.paging", "page and offset need items: an empty list ends the round", "page 与 offset 需要 items：空列表表示本轮结束")
	}
	for path, text := range map[string]string{"paging.next": p.Next, "paging.token": p.Token} {
		from, err := parsePlace(text)
		if text != "" && (err != nil || from.in == inRecord || path == "paging.token" && from.in == inLink) {
			c.refuse(path, "http.place", "write link:next (for next only), json:/POINTER or header:NAME",
				"请写 link:next（仅用于 next）、json:/指针 或 header:名称")
		}
	}
}

// uses reports whether a template holds a variable.
func (o *Options) uses(variable string) bool {
	if strings.Contains(o.URL, variable) || strings.Contains(o.Body, variable) {
		return true
	}
	for _, texts := range []map[string]string{o.Query, o.Headers} {
		for _, text := range texts {
			if strings.Contains(text, variable) {
				return true
			}
		}
	}
	return false
}

// checker gathers faults.
type checker struct {
	at     strictyaml.Locator
	faults hub.Faults
}

func (c *checker) refuse(path, code, en, zh string) {
	c.faults = append(c.faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(c.at(path)))
}

func (c *checker) address(path, text string) {
	if u, err := url.Parse(template(text).fill(variables{}, url.QueryEscape)); err != nil || u.Host == "" || u.User != nil ||
		u.Scheme != "https" && u.Scheme != "http" {
		c.refuse(path, "http.url", "write an absolute http or https URL without a user", "请写不含用户名的 http 或 https 完整网址")
	}
}

func (c *checker) pointer(text string) {
	if text != "" && !strings.HasPrefix(text, "/") {
		c.refuse("items", "http.pointer", fmt.Sprintf("%q is no JSON pointer: begin with /", text),
			fmt.Sprintf("%q 不是 JSON 指针：应以 / 开头", text))
	}
}

// Open implements [connectors.Opener]. It sends no request: the first Next does.
func (o *Options) Open(_ context.Context, env connectors.Env) (connectors.Source, error) {
	at, err := decodePosition(env.Position)
	if err != nil {
		return nil, err
	}
	return o.newSource(at, env.Now)
}
