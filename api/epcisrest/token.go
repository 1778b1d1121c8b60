package epcisrest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// token is where the next page of a list begins. It holds all state of the walk, so that nothing is kept for it here.
type token struct {
	// Of binds the token to the list: a hash of the path, the parameters and whose events are seen.
	Of string `json:"of"`
	// Until is the size of the log when the walk began: later events are not in its result.
	Until hub.Seq `json:"u,omitempty"`
	// Time and Seq are the mark of the last event if Marked, Count how many events were given before.
	Marked bool    `json:"m,omitempty"`
	Time   int64   `json:"t,omitempty"`
	Seq    hub.Seq `json:"s,omitempty"`
	Count  int     `json:"c,omitempty"`
	// Key is the last name of a list of names.
	Key     string `json:"k,omitempty"`
	Expires int64  `json:"e"`
}

func (t *token) mark() *hub.Mark {
	if !t.Marked {
		return nil
	}
	return &hub.Mark{EventTime: time.UnixMicro(t.Time).UTC(), Seq: t.Seq}
}

func (t *token) setMark(m *hub.Mark) {
	t.Marked, t.Time, t.Seq = true, m.EventTime.UnixMicro(), m.Seq
}

// tokenTTL is how long a token is good.
const tokenTTL = time.Hour

// tokens signs and checks tokens.
type tokens struct {
	key []byte
	now func() time.Time

	mu      sync.Mutex
	dropped map[string]time.Time // until when it need be remembered
}

// loadTokenKey reads the key, or makes one, so that tokens outlive a restart.
func loadTokenKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) >= sha256.Size {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, hub.Faultf(hub.Unavailable, "epcis.token-key", "cannot read the key of page tokens").Because(err)
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, hub.Faultf(hub.Unavailable, "epcis.token-key", "cannot write the key of page tokens").Because(err)
	}
	return key, nil
}

const macSize = 16

func (ts *tokens) mac(body []byte) []byte {
	m := hmac.New(sha256.New, ts.key)
	_, _ = m.Write(body) // never fails
	return m.Sum(nil)[:macSize]
}

// seal returns the text of a token and when it expires.
func (ts *tokens) seal(t token) (string, time.Time, error) {
	expires := ts.now().Add(tokenTTL).UTC().Truncate(time.Second)
	t.Expires = expires.Unix()
	body, err := json.Marshal(t)
	if err != nil {
		return "", expires, fmt.Errorf("encode page token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(ts.mac(body), body...)), expires, nil
}

// open checks the text of a token and returns it.
func (ts *tokens) open(text, of string) (token, error) {
	bad := func(code, en, zh string) error {
		return refuse(queryParameter, http.StatusBadRequest, code, en, zh).at("nextPageToken").
			hint("begin again with the first page", "请从第一页重新开始")
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) <= macSize || !hmac.Equal(raw[:macSize], ts.mac(raw[macSize:])) {
		return token{}, bad("epcis.token.unknown", "nextPageToken is none that this server gave", "nextPageToken 无效")
	}
	var t token
	if err := json.Unmarshal(raw[macSize:], &t); err != nil {
		return token{}, bad("epcis.token.unknown", "nextPageToken is none that this server gave", "nextPageToken 无效")
	}
	if of != "" && t.Of != of {
		return token{}, bad("epcis.token.other", "nextPageToken belongs to another query", "nextPageToken 属于另一个查询")
	}
	if ts.now().Unix() > t.Expires || ts.isDropped(text) {
		return token{}, bad("epcis.token.expired", "nextPageToken has expired", "nextPageToken 已过期")
	}
	return t, nil
}

// maxDropped bounds the memory of dropped tokens.
const maxDropped = 10_000

// drop makes a token useless. Tokens hold no resources, so forgetting one after a restart frees nothing less.
func (ts *tokens) drop(text string, t token) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.dropped == nil || len(ts.dropped) >= maxDropped {
		ts.dropped = map[string]time.Time{}
	}
	ts.dropped[text] = time.Unix(t.Expires, 0)
}

func (ts *tokens) isDropped(text string) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	_, dropped := ts.dropped[text]
	return dropped
}

func (s *Server) dropToken(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit, hub.ScopeCapture); err != nil {
		return err
	}
	t, err := s.tokens.open(r.params[0], "")
	if err != nil {
		return as(noSuchName, http.StatusNotFound, err)
	}
	s.tokens.drop(r.params[0], t)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// listID is what a token is bound to.
func listID(path string, values url.Values, provider hub.ProviderID) string {
	names := make([]string, 0, len(values))
	for name := range values {
		if name != "perPage" && name != "nextPageToken" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	h := sha256.New()
	put := func(text string) { _, _ = fmt.Fprintf(h, "%d:%s", len(text), text) } // a hash never fails
	put(path)
	put(string(provider))
	for _, name := range names {
		put(name)
		for _, v := range values[name] {
			put(v)
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// The size of a page.
const (
	defaultPerPage = 30
	maxPerPage     = 1000
)

func perPage(asked int) int {
	if asked <= 0 {
		return defaultPerPage
	}
	return min(asked, maxPerPage)
}

// stateNext puts the link to the next page into h.
func (s *Server) stateNext(h http.Header, r *request, size int, next token) error {
	text, expires, err := s.tokens.seal(next)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	values.Set("perPage", strconv.Itoa(size))
	values.Set("nextPageToken", text)
	h.Set("Link", "<"+s.base(r.Request)+trimBase(r.URL.EscapedPath())+"?"+values.Encode()+`>; rel="next"`)
	h.Set("GS1-Next-Page-Token-Expires", expires.Format(time.RFC3339))
	return nil
}

func trimBase(path string) string { return path[len("/epcis"):] }

// paging reads perPage and nextPageToken of a list that takes no other parameters.
func (s *Server) paging(r *request) (size int, from token, err error) {
	values, err := parametersOf(r)
	if err != nil {
		return 0, token{}, err
	}
	for name := range values {
		if name != "perPage" && name != "nextPageToken" {
			return 0, token{}, refuse(queryParameter, http.StatusBadRequest, "epcis.query.unknown", name+" is no parameter of this list",
				"该列表没有参数 "+name).at(name)
		}
	}
	asked := 0
	if text := values.Get("perPage"); text != "" {
		if asked, err = strconv.Atoi(text); err != nil || asked < 1 {
			return 0, token{}, refuse(queryParameter, http.StatusBadRequest, "epcis.query.value", "perPage is no positive number",
				"perPage 不是正整数").at("perPage")
		}
	}
	from.Of = listID(r.URL.EscapedPath(), values, r.sees())
	if text := values.Get("nextPageToken"); text != "" {
		from, err = s.tokens.open(text, from.Of)
	}
	return perPage(asked), from, err
}

// parametersOf parses the query of a URL strictly.
func parametersOf(r *request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(queryParameter, http.StatusBadRequest, "epcis.query.encoding", "the query of the URL is not well encoded",
			"URL 查询部分编码有误").hint("percent-encode parameters", "请对参数进行百分号编码")
	}
	return values, nil
}
