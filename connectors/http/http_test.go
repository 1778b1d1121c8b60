package http_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	connhttp "github.com/suyuan-io/suyuan/connectors/http"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// api is a server that a test says the answers of; it keeps what was asked.
type api struct {
	*httptest.Server

	asked []string
}

func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		answer(w, r, len(a.asked))
	}))
	t.Cleanup(a.Close)
	return a
}

func open(t *testing.T, o *connhttp.Options, p hub.Position) connectors.Source {
	t.Helper()
	if faults := o.Check(func(string) hub.Where { return hub.Where{} }); len(faults) > 0 {
		t.Fatal(faults)
	}
	src, err := o.Open(t.Context(), connectors.Env{Position: p, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// round takes everything up to io.EOF.
func round(t *testing.T, src connectors.Source) []connectors.Item {
	t.Helper()
	var items []connectors.Item
	for {
		item, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
}

func bodies(items []connectors.Item) string {
	out := []string{}
	for _, i := range items {
		out = append(out, string(i.Body))
	}
	return strings.Join(out, " ")
}

func listing(a *api) *connhttp.Options {
	o := connhttp.Defaults()
	o.URL, o.Items, o.ID = a.URL+"/list", "/", []string{"/id"}
	return o
}

func TestPositionThatIsNoneIsRefused(t *testing.T) {
	o := connhttp.Defaults()
	o.Since.LookBack = time.Hour
	for p, ok := range map[hub.Position]bool{
		"": true, `{}`: true, `{"since":"2026-01-01T00:00:00Z"}`: true,
		`2026-01-01T00:00:00Z`: false, `{"sincee":"2026-01-01T00:00:00Z"}`: false, `{"since":"yesterday"}`: false, `{"since":"2026-01-01T00:00:00Z"} x`: false,
	} {
		err := o.CheckPosition(p)
		if ok && err != nil || !ok && (hub.AsFault(err).Code != "http.position" || !strings.Contains(hub.AsFault(err).Hint, `{"since":"`)) {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func FuzzCheckedPositionOpens(f *testing.F) {
	f.Add(`{"since":"2026-01-01T00:00:00Z","high":"x","page":{"url":"/a?b","pages":1},"known":["a"]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		o := connhttp.Defaults()
		o.URL, o.Items, o.ID = "http://127.0.0.1:1/", "/", []string{"/id"}
		if o.CheckPosition(hub.Position(text)) == nil {
			open(t, o, hub.Position(text))
		}
	})
}

func TestUnchangedAnswerIsNotReadAgain(t *testing.T) {
	for header, conditional := range map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"} {
		t.Run(header, func(t *testing.T) {
			const validator = "Sat, 01 Aug 2026 00:00:00 GMT"
			a := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				if r.Header.Get(conditional) == validator {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				w.Header().Set(header, validator)
				_, _ = io.WriteString(w, `[{"id":1}]`)
			})
			src := open(t, listing(a), "")
			first := round(t, src)
			if len(first) != 1 || len(round(t, src)) != 0 {
				t.Fatalf("%v", first)
			}
			if again := round(t, open(t, listing(a), first[0].Position)); len(again) != 0 {
				t.Errorf("read again after a restart: %v", again)
			}
		})
	}
}

func TestChangedRecordIsANewOne(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		_, _ = fmt.Fprintf(w, `[{"id":1,"state":"a"},{"id":2,"state":"%d"}]`, n)
	})
	src := open(t, listing(a), "")
	first, second := round(t, src), round(t, src)
	if bodies(first) != `{"id":1,"state":"a"} {"id":2,"state":"1"}` || bodies(second) != `{"id":2,"state":"2"}` {
		t.Errorf("%s then %s", bodies(first), bodies(second))
	}
	if first[1].ID == second[0].ID || !strings.HasPrefix(second[0].ID, "2@") {
		t.Errorf("ids %s and %s", first[1].ID, second[0].ID)
	}
}

// TestNextRoundBeginsAtTheFurthest: whatever the order of the list, and only when the round is complete.
func TestNextRoundBeginsAtTheFurthest(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch {
		case n == 1:
			_, _ = io.WriteString(w, `{"token":"p2","list":[{"id":1,"n":9},{"id":2,"n":10}]}`)
		case r.URL.Query().Get("t") == "p2":
			_, _ = io.WriteString(w, `{"token":null,"list":[{"id":3,"n":8}]}`)
		default:
			_, _ = io.WriteString(w, `{"list":[]}`)
		}
	})
	o := listing(a)
	o.Items = "/list"
	o.Query = map[string]string{"after": "{since}", "t": "{token}"}
	o.Since, o.Paging.Token = connhttp.Since{From: "record:/n", Start: "5"}, "json:/token"
	src := open(t, o, "")
	items := round(t, src)
	round(t, src)
	want := []string{"GET /list?after=5", "GET /list?after=5&t=p2", "GET /list?after=10"}
	if diff := cmp.Diff(want, a.asked); diff != "" {
		t.Error(diff)
	}
	a.asked = a.asked[:1] // after a crash behind the first page the round goes on at the second
	if rest := round(t, open(t, o, items[1].Position)); bodies(rest) != `{"id":3,"n":8}` {
		t.Errorf("resumed with %s", bodies(rest))
	}
}

func TestSinceFromAHeaderAndLookBack(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("X-Until", "2026-03-01T10:00:00Z")
		_, _ = io.WriteString(w, `a,b`)
	})
	o := connhttp.Defaults()
	o.URL, o.Since = a.URL+"/export?since={since}", connhttp.Since{From: "header:X-Until", LookBack: time.Hour}
	src := open(t, o, "")
	if first := round(t, src); len(first) != 1 || len(first[0].ID) != 64 {
		t.Errorf("%v", first)
	}
	if again := round(t, src); len(again) != 0 {
		t.Errorf("the same answer came again: %v", again)
	}
	if a.asked[1] != "GET /export?since=2026-03-01T09%3A00%3A00Z" {
		t.Errorf("asked %q", a.asked)
	}
}

func TestBodyIsATemplate(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			_, _ = io.WriteString(w, `{"list":[{"id":1}],"next":"say \"more\"\n"}`)
			return
		}
		_, _ = io.WriteString(w, `{"list":[]}`)
	})
	for media, want := range map[string]string{
		"":                                  `POST /list {"page":{"token":"say \"more\"\n"},"x":"{y}"}`,
		"text/xml":                          "POST /list <t>say &#34;more&#34;&#xA;</t>",
		"application/x-www-form-urlencoded": "POST /list t=say+%22more%22%0A",
	} {
		a.asked = nil
		o := listing(a)
		o.Method, o.Items, o.Paging.Token = "POST", "/list", "json:/next"
		o.Body = map[string]string{"": `{"page":{"token":"{token}"},"x":"{y}"}`, "text/xml": "<t>{token}</t>"}[media]
		if media != "" {
			o.Headers = map[string]string{"content-type": media}
		}
		if o.Body == "" {
			o.Body = "t={token}"
		}
		round(t, open(t, o, ""))
		if len(a.asked) != 2 || a.asked[1] != want {
			t.Errorf("%q: asked %q", media, a.asked)
		}
	}
}

func TestStaleTokenBeginsTheRoundAgain(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Query().Get("t") == "old" {
			http.Error(w, "expired", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"list":[{"id":1}]}`)
	})
	o := listing(a)
	o.Items, o.Paging.Token, o.Query = "/list", "json:/token", map[string]string{"t": "{token}"}
	if got := round(t, open(t, o, `{"page":{"token":"old","pages":4}}`)); bodies(got) != `{"id":1}` {
		t.Errorf("got %s", bodies(got))
	}
}

func TestFaultsOfServers(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		header string
		body   string
		kind   hub.Kind
		wait   time.Duration
	}{
		"rate limit":       {429, "7", "", hub.Unavailable, 7 * time.Second},
		"down":             {503, "", "", hub.Unavailable, 0},
		"limit as refusal": {403, "60", "", hub.Unavailable, time.Minute},
		"key":              {401, "", "no such key " + token, hub.Unauthorized, 0},
		"gone":             {404, "", "", hub.Invalid, 0},
		"no JSON":          {200, "", "<html>", hub.Invalid, 0},
		"no list":          {200, "", `{"a":1}`, hub.Invalid, 0},
		"large":            {200, "", strings.Repeat(" ", 2000) + "[]", hub.TooLarge, 0},
		"unchanged":        {304, "", "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			o := listing(a)
			o.MaxBody, o.Auth.Query = 1000, &connhttp.Key{Name: "key", Value: strictyaml.NewSecret("${env:TOKEN}", token)}
			_, err := open(t, o, "").Next(t.Context())
			if tc.status == http.StatusNotModified {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			if hub.KindOf(err) != tc.kind || strings.Contains(err.Error(), token) {
				t.Errorf("%s: %v", hub.KindOf(err), err)
			}
			var later *connectors.Later
			if got := errors.As(err, &later); got != (tc.wait > 0) || got && later.After != tc.wait {
				t.Errorf("wait %v", later)
			}
		})
	}
}

func TestUnreachableServerDoesNotShowTheKey(t *testing.T) {
	a := serve(t, func(http.ResponseWriter, *http.Request, int) {})
	o := listing(a)
	o.Auth.Query = &connhttp.Key{Name: "key", Value: strictyaml.NewSecret("${env:TOKEN}", token)}
	a.Close()
	_, err := open(t, o, "").Next(t.Context())
	if hub.KindOf(err) != hub.Unavailable || strings.Contains(err.Error(), token) {
		t.Error(err)
	}
}

// TestKeyStaysWithItsServer: neither a redirect nor a link to the next page takes credentials elsewhere.
func TestKeyStaysWithItsServer(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, `[]`) })
	a := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, other.URL, http.StatusFound)
			return
		}
		w.Header().Set("Link", `<`+other.URL+`/p2>; rel=next`)
		_, _ = io.WriteString(w, `[{"id":1}]`)
	})
	for _, path := range []string{"/moved", "/list"} {
		o := listing(a)
		o.URL, o.Paging.Next = a.URL+path, "link:next"
		o.Auth.Header = &connhttp.Key{Name: "X-Key", Value: strictyaml.NewSecret("${env:TOKEN}", token)}
		if _, err := open(t, o, "").Next(t.Context()); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(other.asked) > 0 {
		t.Errorf("the other server was asked %q", other.asked)
	}
}

func TestPagingInCirclesEnds(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		_, _ = io.WriteString(w, `{"t":"x","list":[{"id":1}]}`)
	})
	o := listing(a)
	o.Items, o.Paging.Token, o.Query = "/list", "json:/t", map[string]string{"t": "{token}"}
	src := open(t, o, "")
	var err error
	for range 5 {
		if _, err = src.Next(t.Context()); err != nil {
			break
		}
	}
	if hub.AsFault(err).Code != "http.endless" {
		t.Error(err)
	}
}

func TestClientCredentials(t *testing.T) {
	for _, style := range []string{"header", "body"} {
		t.Run(style, func(t *testing.T) {
			issued := 0
			a := serve(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				if r.URL.Path == "/token" {
					user, secret, inHeader := r.BasicAuth()
					if inHeader != (style == "header") || inHeader && (user != "me" || secret != "s%26cret") {
						t.Errorf("credentials %q %q", user, secret)
					}
					issued++
					_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, issued)
					return
				}
				if r.Header.Get("Authorization") != "Bearer t2" { // the first was revoked
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = io.WriteString(w, `[{"id":1}]`)
			})
			o := listing(a)
			o.Auth.OAuth2 = &connhttp.OAuth2{
				TokenURL: a.URL + "/token", ClientID: "me", ClientSecret: strictyaml.NewSecret("${env:S}", "s&cret"),
				Scope: "read", Parameters: map[string]string{"audience": "x"}, Style: style,
			}
			src := open(t, o, "")
			if got := round(t, src); len(got) != 1 {
				t.Fatalf("%v", got)
			}
			round(t, src)
			want := "POST /token audience=x&grant_type=client_credentials&scope=read"
			if style == "body" {
				want = "POST /token audience=x&client_id=me&client_secret=s%26cret&grant_type=client_credentials&scope=read"
			}
			if diff := cmp.Diff([]string{want, "GET /list", want, "GET /list", "GET /list"}, a.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesInTheFile(t *testing.T) {
	for yaml, code := range map[string]string{
		"url: example.test":                                                        "http.url",
		"url: https://u:p@example.test":                                            "http.url",
		"url: https://x.test\nbody: x":                                             "http.body",
		"url: https://x.test\nid: [/a]":                                            "http.id-without-items",
		"url: https://x.test\nitems: data":                                         "http.pointer",
		"url: https://x.test\npaging: { page: 1 }\nitems: /a":                      "http.unused",
		"url: https://x.test?p={page}\npaging: { page: 1 }":                        "http.paging",
		"url: https://x.test?p={page}\npaging: { page: 1, offset: 0 }\nitems: /a":  "http.paging",
		"url: https://x.test\npaging: { next: record:/a }":                         "http.place",
		"url: https://x.test\nsince: { start: x }":                                 "http.since",
		"url: https://x.test\nsince: { from: json:/a }":                            "http.unused",
		"url: https://x.test\nauth: { bearer: \"${env:A}\", basic: \"${env:B}\" }": "http.auth",
	} {
		faults := strictyaml.Decode("x.yaml", []byte(yaml), connhttp.Kind().Options(), strictyaml.Options{})
		found := false
		for _, f := range faults {
			found = found || f.Code == code
		}
		if !found {
			t.Errorf("%q: %v, want %s", yaml, faults, code)
		}
	}
}
