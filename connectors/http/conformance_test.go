package http_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connhttp "github.com/suyuan-io/suyuan/connectors/http"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const (
	token = "tok-5d41402abc"
	size  = 3
)

// shop is an API over a file, so that the processes of the crash check see the same records.
type shop struct {
	path  string
	style string
	url   string
}

type order struct {
	ID        string `json:"id"`
	UpdatedAt string `json:"updatedAt"`
	Text      string `json:"text"`
}

func openShop(style string) func(testing.TB, string) connectortest.Upstream {
	return func(tb testing.TB, dir string) connectortest.Upstream {
		tb.Helper()
		s := &shop{path: filepath.Join(dir, "orders.ndjson"), style: style}
		server := httptest.NewServer(http.HandlerFunc(s.serve))
		tb.Cleanup(server.Close)
		s.url = server.URL
		return s
	}
}

func (s *shop) orders() ([]order, error) {
	data, err := os.ReadFile(s.path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var out []order
	for line := range strings.Lines(string(data)) {
		var o order
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, err
}

func (s *shop) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	have, err := s.orders()
	if err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	for i, text := range texts {
		n := len(have) + i
		at := time.Date(2026, 1, 1, 0, 0, n/2, 0, time.UTC) // two records share each second
		if err := json.NewEncoder(f).Encode(order{fmt.Sprintf("o%d", n), at.Format(time.RFC3339), text}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// serve lists the orders since a time, three a page, in the style of paging that is asked for.
func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "who are you, "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		return
	}
	all, err := s.orders()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	q := r.URL.Query()
	since, matching := q.Get("since"), []order{}
	for _, o := range all {
		if o.UpdatedAt >= since {
			matching = append(matching, o)
		}
	}
	from, _ := strconv.Atoi(q.Get("from"))
	if page, _ := strconv.Atoi(q.Get("page")); page > 0 {
		from = (page - 1) * size
	}
	from = min(from, len(matching))
	to := min(from+size, len(matching))
	answer := map[string]any{"data": map[string]any{"orders": matching[from:to]}}
	if to < len(matching) {
		next := url.Values{"since": {since}, "from": {strconv.Itoa(to)}}
		w.Header().Set("Link", `</first>; rel="first", </v1/orders?`+next.Encode()+`>; title="a, b"; rel="next last"`)
		answer["next"] = "?" + next.Encode()
		answer["token"] = to
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

func (s *shop) options() *connhttp.Options {
	o := connhttp.Defaults()
	o.URL = s.url + "/v1/orders"
	o.Query = map[string]string{"since": "{since}"}
	o.Auth.Bearer = strictyaml.NewSecret("${env:TOKEN}", token)
	o.Items, o.ID, o.Version = "/data/orders", []string{"/id"}, "/updatedAt"
	o.Since = connhttp.Since{From: "record:/updatedAt"}
	switch s.style {
	case "link":
		o.Paging.Next = "link:next"
	case "next":
		o.Paging.Next = "json:/next"
	case "token":
		o.Paging.Token = "json:/token"
		o.Query["from"] = "{token}"
	case "page":
		o.Paging.Page = &connhttp.Count{N: 1}
		o.Query["page"] = "{page}"
	case "offset":
		o.Paging.Offset, o.Paging.Size = &connhttp.Count{}, size
		o.Query["from"] = "{offset}"
	}
	return o
}

func (s *shop) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "orders", Provider: "tester", Kind: "http", Options: s.options(), Splitter: connectortest.Whole{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 10 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	for _, style := range []string{"link", "next", "token", "page", "offset"} {
		t.Run(style, func(t *testing.T) {
			connectortest.Source(t, openShop(style), connectortest.Traits{Remembers: true, Secrets: []string{token}})
		})
	}
}
