// Package epcispull takes the events of another EPCIS 2.0 repository over its query interface, GET /events (EPCIS 2.0
// section 12): everything recorded since the last time, page by page. Every event is one record with the context of the
// document that it came in, known by its eventID and the time that the repository recorded it.
//
// It leaves requests, paging and positions to connectors/http, and reading documents to package epcis.
package epcispull

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/http"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name: "epcis-pull", Summary: "the events of another EPCIS 2.0 repository", Example: example, Decode: connectors.FormatEPCIS,
		Options: func() any {
			return &Options{PerPage: 100, LookBack: 10 * time.Second, MaxBody: 64 << 20, Timeout: time.Minute}
		},
	}
}

const example = `id: partner-events
provider: partner
source:
  epcis-pull:
    url: https://partner.example/epcis          # /events is added
    auth: { bearer: "${env:PARTNER_KEY}" }      # or basic, header, query, oauth2, as of kind http
    query: { EQ_bizStep: shipping }             # parameters of the EPCIS query language
    since: 2026-01-01T00:00:00Z                 # recorded at or after; everything by default
interval: 1m
`

// Options are the settings of an epcis-pull instance.
type Options struct {
	// URL is the repository's address, without /events.
	URL  string      `yaml:"url,required"`
	Auth http.Access `yaml:"auth"`
	// Query are parameters of the query language (EPCIS 2.0 section 8.2.7.1) that narrow what is taken.
	Query   map[string]string `yaml:"query"`
	Headers map[string]string `yaml:"headers"`
	// Since is the recordTime to begin from, RFC 3339.
	Since string `yaml:"since"`
	// LookBack begins each round that much before the newest recordTime, 10s by default, for events that a repository
	// shows later than it dates them.
	LookBack time.Duration `yaml:"lookBack"`
	// PerPage is how many events a page is asked to have, 100 by default.
	PerPage int `yaml:"perPage" min:"1" max:"10000"`
	// MaxBody is the largest page, 64MiB by default; Timeout is for one request, 1m by default.
	MaxBody strictyaml.Size `yaml:"maxBody"`
	Timeout time.Duration   `yaml:"timeout"`
}

// reserved are the parameters that the kind sets itself.
func reserved(name string) bool {
	switch name {
	case "GE_recordTime", "LT_recordTime", "nextPageToken", "perPage", "eventCountLimit", "maxEventCount":
		return true
	}
	return false
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	if _, err := time.Parse(time.RFC3339Nano, o.Since); o.Since != "" && err != nil {
		refuse("since", "epcis-pull.since", "since is a time such as 2026-01-01T00:00:00Z", "since 须为 2026-01-01T00:00:00Z 这样的时间")
	}
	for name := range o.Query {
		if reserved(name) {
			refuse("query", "epcis-pull.query", "query cannot hold "+name+": since and perPage say it", "query 不能包含 "+name)
		}
	}
	for _, f := range o.poll().Check(at) {
		f.Where = at("")
		if strings.Contains(f.Code, "url") {
			f.Where = at("url")
		}
		faults = append(faults, f)
	}
	return faults
}

// poll is the API as kind http polls it.
func (o *Options) poll() *http.Options {
	p := http.Defaults()
	p.URL = strings.TrimRight(o.URL, "/") + "/events"
	p.Auth, p.MaxBody, p.Timeout = o.Auth, o.MaxBody, o.Timeout
	p.Headers = map[string]string{"Accept": "application/json"}
	maps.Copy(p.Headers, o.Headers)
	// In the order of recording, what is recorded while a round runs comes at its end.
	p.Query = map[string]string{"orderBy": "recordTime", "orderDirection": "ASC", "perPage": strconv.Itoa(o.PerPage)}
	maps.Copy(p.Query, o.Query)
	p.Query["GE_recordTime"] = "{since}"
	p.Since = http.Since{From: "record:/recordTime", Start: o.Since, LookBack: o.LookBack}
	p.Paging.Next = "link:next"
	p.Cut = cut
	return p
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error { return o.poll().CheckPosition(p) }

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	return o.poll().Open(ctx, env)
}

// stated is what identifies an event.
type stated struct {
	EventID    string `json:"eventID"`
	RecordTime string `json:"recordTime"`
}

// cut takes a page apart: each event becomes a document of its own with the page's context.
func cut(body []byte) ([]http.Element, error) {
	var out []http.Element
	limits := epcis.Limits{Event: len(body) + 1, Header: len(body) + 1} // the page is in memory already
	_, err := epcis.ReadDocument(bytes.NewReader(body), limits, func(it epcis.Item) error {
		if it.Header.Format != string(epcis.JSON) {
			f := hub.Faultf(hub.Unsupported, "epcis-pull.format", "the repository answers in XML, JSON was asked for")
			f.MessageZh = "对方仓库返回 XML，但请求的是 JSON"
			return f
		}
		var s stated
		_ = json.Unmarshal(it.Raw, &s) // an event that states them in another way is known by its bytes
		e := http.Element{Since: s.RecordTime, Body: document(it), ContentType: "application/json"}
		if s.EventID != "" && s.RecordTime != "" {
			e.ID = s.EventID + "@" + s.RecordTime
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// document is the event alone in a document with the context of its page.
func document(it epcis.Item) []byte {
	var b bytes.Buffer
	b.Grow(len(it.Raw) + len(it.Header.Preamble) + 80)
	b.WriteByte('{')
	if inner := bytes.TrimSpace(it.Header.Preamble); len(inner) > 2 { // {"@context":…}
		b.Write(inner[1 : len(inner)-1])
		b.WriteByte(',')
	}
	b.WriteString(`"type":"EPCISDocument","schemaVersion":"2.0","epcisBody":{"eventList":[`)
	b.Write(it.Raw)
	b.WriteString(`]}}`)
	return b.Bytes()
}
