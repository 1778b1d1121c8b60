package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one opening of an instance.
type source struct {
	o      *Options
	client *Client
	now    func() time.Time
	// since, next and token are the parsed places.
	since, next, token place

	// at is how far the source has read, start where the round began.
	at, start position
	seen      memory
	queue     []connectors.Item
	// held is the last new record of a counted page: only the next page tells whether it is the last of the round.
	held []connectors.Item
	// over is set when the round is complete: the next call says io.EOF and the one after begins a new round. Again is
	// set when a round was begun again because its next page was refused.
	over, again bool
}

func (o *Options) newSource(at position, now func() time.Time) (*source, error) {
	if o.counts() {
		at.Page = nil
	}
	s := &source{o: o, at: at, start: at, now: now, seen: newMemory(at), client: newClient(&o.Auth, o.Timeout, int64(o.MaxBody), now)}
	for text, into := range map[string]*place{o.Since.From: &s.since, o.Paging.Next: &s.next, o.Paging.Token: &s.token} {
		if text == "" {
			continue
		}
		p, err := parsePlace(text)
		if err != nil {
			return nil, hub.Faultf(hub.Invalid, "http.place", "a place is not valid").Because(err)
		}
		*into = p
	}
	return s, nil
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		if len(s.queue) > 0 {
			item := s.queue[0]
			s.queue = s.queue[1:]
			return item, nil
		}
		if s.over {
			s.over, s.again = false, false
			return connectors.Item{}, io.EOF
		}
		if err := s.fetch(ctx); err != nil {
			return connectors.Item{}, err
		}
	}
}

// fetch reads the page that the position names. Nothing changes where it fails.
func (s *source) fetch(ctx context.Context) error {
	a, err := s.client.Do(ctx, s.request)
	if s.at.Page != nil && !s.again && hub.KindOf(err) == hub.Invalid {
		s.at.Page, s.again = nil, true // tokens and links go stale: the round begins again, under the same ids
		return nil
	}
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotModified {
		s.over = true
		return nil
	}
	return s.take(a)
}

// take queues what is new in a page and moves the position behind it.
func (s *source) take(a *Answer) error {
	elements, err := s.elements(a)
	if err != nil {
		return err
	}
	before, err := s.resumption().encode()
	if err != nil {
		return err
	}
	high := s.at.High
	if high == "" {
		high = s.at.Since
	}
	if s.since.in != inRecord && s.since.in != nowhere {
		high = further(high, s.since.find(a))
	}
	fresh := s.held
	for _, e := range elements {
		high = further(high, e.Since)
		if s.seen.see(e.ID, e.Since) {
			fresh = append(fresh, s.item(e, before))
		}
	}
	if err := s.advance(a, len(elements), high); err != nil {
		return err
	}
	s.queue, s.held = fresh, nil
	switch n := len(fresh); {
	case n == 0:
	case s.o.counts() && !s.over:
		s.queue, s.held = fresh[:n-1], fresh[n-1:]
	default:
		fresh[n-1].Position, err = s.at.encode()
	}
	return err
}

// counts reports whether pages are numbers. What stands on page 3 today may stand on page 2 after a restart, so such a
// round is resumed at its beginning.
func (o *Options) counts() bool { return o.Paging.Page != nil || o.Paging.Offset != nil }

// resumption is the position of what is not the last of its page.
func (s *source) resumption() position {
	if s.o.counts() {
		return s.start
	}
	return s.at
}

func (s *source) item(e Element, at hub.Position) connectors.Item {
	return connectors.Item{ID: e.ID, Origin: s.origin(), ContentType: e.ContentType, Body: e.Body, Position: at}
}

// origin is the address without its query, which may change from page to page.
func (s *source) origin() string {
	origin, _, _ := strings.Cut(s.o.URL, "?")
	return origin
}

// elements takes the answer apart and gives every record an id.
func (s *source) elements(a *Answer) ([]Element, error) {
	var elements []Element
	var err error
	media := a.Header.Get("Content-Type")
	switch {
	case len(a.Body) == 0:
	case s.o.Cut != nil:
		elements, err = s.o.Cut(a.Body)
	case s.o.Items != "":
		elements, err = s.o.cut(a.Body)
		media = "application/json"
	default:
		elements = []Element{{Body: a.Body}}
	}
	for i := range elements {
		if elements[i].ID == "" {
			elements[i].ID = digest(elements[i].Body)
		}
		if elements[i].ContentType == "" {
			elements[i].ContentType = media
		}
	}
	return elements, err
}

// advance moves the position behind a page of n records.
func (s *source) advance(a *Answer, n int, high string) error {
	at := page{}
	if s.at.Page != nil {
		at = *s.at.Page
	}
	next, more, err := s.following(a, at, n)
	if err != nil {
		return err
	}
	s.at.High = high
	if more {
		s.at.Page = &next
		s.at.Known = s.seen.known("", true)
		return nil
	}
	return s.complete(a, next.Pages == 1)
}

// complete ends the round: the next one begins from what was furthest in this.
func (s *source) complete(a *Answer, onePage bool) error {
	since, err := back(s.at.High, s.o.Since.LookBack)
	if err != nil {
		return err
	}
	next := position{Since: since, Known: s.seen.known(since, since == "")}
	if s.at.High != since {
		next.High = s.at.High
	}
	if onePage && since == s.at.Since { // the same request again: the server can say that nothing has changed
		next.ETag, next.Modified = a.Header.Get("Etag"), a.Header.Get("Last-Modified")
	}
	s.at, s.start, s.over = next, next, true
	s.seen.turn()
	return nil
}

// following returns the page after the one at which a was read, and whether there is one.
func (s *source) following(a *Answer, at page, n int) (next page, more bool, err error) {
	next = page{Pages: at.Pages + 1, Records: at.Records + n}
	p := s.o.Paging
	switch {
	case s.next.in != nowhere:
		next.URL, err = s.resolve(s.next.find(a), at)
		more = next.URL != ""
	case s.token.in != nowhere:
		next.Token = s.token.find(a)
		more = next.Token != ""
	case s.o.counts():
		more = n > 0 && n >= p.Size
	}
	if err != nil || !more {
		return next, false, err
	}
	if same := next.URL == at.URL && next.Token == at.Token; same && !s.o.counts() || next.Pages >= p.Max {
		f := hub.Faultf(hub.Invalid, "http.endless", "page %d names itself as the next one, or the round has more than %d pages", next.Pages, p.Max)
		f.MessageZh = "分页没有尽头"
		return next, false, f.WithHint("check paging")
	}
	return next, true, nil
}

// resolve returns the path and query of a link. Another server's link would carry the credentials there.
func (s *source) resolve(target string, at page) (string, error) {
	if target == "" {
		return "", nil
	}
	base, err := s.address(at)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(target)
	if err != nil || !sameServer(u, base) {
		f := hub.Faultf(hub.Invalid, "http.next", "the next page is on another server, or its address is not valid")
		f.MessageZh = "下一页位于另一台服务器，或其地址无效"
		return "", f
	}
	if s.o.Auth.Query != nil { // it is added to each request and must not be stored
		q := u.Query()
		q.Del(s.o.Auth.Query.Name)
		u.RawQuery = q.Encode()
	}
	return u.RequestURI(), nil
}

// variables are those of the page to read.
func (s *source) variables(at page) variables {
	v := variables{since: s.at.Since, token: at.Token}
	if v.since == "" {
		v.since = s.o.Since.Start
	}
	if p := s.o.Paging.Page; p != nil {
		v.page = p.N + at.Pages
	}
	if p := s.o.Paging.Offset; p != nil {
		v.offset = p.N + at.Records
	}
	return v
}

// address is the URL of a page.
func (s *source) address(at page) (*url.URL, error) {
	v := s.variables(at)
	u, err := url.Parse(template(s.o.URL).fill(v, url.QueryEscape))
	if err != nil {
		return nil, errors.New("the url is not valid")
	}
	if at.URL != "" {
		return u.Parse(at.URL)
	}
	q := u.Query()
	for name, text := range s.o.Query {
		if value := template(text).fill(v, plain); value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u, nil
}

// request builds the request for the page to read.
func (s *source) request(ctx context.Context) (*http.Request, error) {
	at := page{}
	if s.at.Page != nil {
		at = *s.at.Page
	}
	u, err := s.address(at)
	if err != nil {
		return nil, err
	}
	v := s.variables(at)
	media := "application/json"
	for name, value := range s.o.Headers {
		if strings.EqualFold(name, "Content-Type") {
			media = value
		}
	}
	body := template(s.o.Body).fill(v, escaperOf(media))
	req, err := http.NewRequestWithContext(ctx, s.o.Method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if s.o.Body != "" {
		req.Header.Set("Content-Type", media)
	}
	for name, text := range s.o.Headers {
		if value := template(text).fill(v, plain); value != "" {
			req.Header.Set(name, value)
		}
	}
	if s.at.Page == nil && s.at.ETag != "" {
		req.Header.Set("If-None-Match", s.at.ETag)
	}
	if s.at.Page == nil && s.at.Modified != "" {
		req.Header.Set("If-Modified-Since", s.at.Modified)
	}
	return req, nil
}

// Settle implements [connectors.Source]: the API is not told anything.
func (s *source) Settle(context.Context, connectors.Item, error) error { return nil }

// Close implements [connectors.Source].
func (s *source) Close() error {
	s.client.Close()
	return nil
}
