package epcisrest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// simpleEventQuery is the name of the query that is not named (EPCIS 2.0 section 8.2.7).
const simpleEventQuery = "SimpleEventQuery"

const (
	// pageBudget is how long one page may go through events that do not match. A page that ran out of it is short and has
	// a next one.
	pageBudget = 4 * time.Second
	// maxSorted is how many events an order that no index has may sort, and maxSortedBytes how large they may be together.
	maxSorted      = 20_000
	maxSortedBytes = 64 << 20
	// pageBytes is how much a page takes of events. One that is full is short and has a next one: a thousand events may be a gigabyte.
	pageBytes = 8 << 20
	// readAtOnce is how many events are read before it is looked how large they are.
	readAtOnce = 50
)

// events answers GET /events.
func (s *Server) events(w http.ResponseWriter, r *request) error {
	return s.search(w, r, nil)
}

// search answers with the events that match the parameters of the URL and the fixed ones of the path.
func (s *Server) search(w http.ResponseWriter, r *request, fixed url.Values) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	v, err := viewOf(r.Request)
	if err != nil {
		return err
	}
	values, err := parametersOf(r)
	if err != nil {
		return err
	}
	for name, list := range fixed {
		if values.Has(name) {
			return refuse(queryParameter, http.StatusBadRequest, "epcis.query.fixed", name+" is given by the path",
				name+" 已由路径给定").at(name).hint("leave the parameter out", "请去掉该参数")
		}
		values[name] = list
	}
	q, err := epcis.ParseQuery(values, extensions(r.Request))
	if err != nil {
		return err
	}
	return s.answerPage(w, r, &q, answer{name: simpleEventQuery, view: v, id: listID(r.URL.EscapedPath(), values, r.sees())})
}

// answer says how the events of a query are answered.
type answer struct {
	name string
	view view
	// id is what page tokens are bound to.
	id string
}

// answerPage answers with one page of a query.
func (s *Server) answerPage(w http.ResponseWriter, r *request, q *epcis.Query, a answer) error {
	size := perPage(q.PerPage)
	p := pager{s: s, q: q, provider: r.sees(), size: size}
	var err error
	if q.NextPageToken != "" {
		p.at, err = s.tokens.open(q.NextPageToken, a.id)
	} else {
		p.at, err = s.firstToken(r.Context(), a.id)
		p.first = true
	}
	if err != nil {
		return err
	}
	found, more, err := p.page(r.Context())
	if err != nil {
		return err
	}
	body, err := s.document(found, a.view, &epcis.Header{QueryName: a.name})
	if err != nil {
		return err
	}
	if more {
		if err := s.stateNext(w.Header(), r, size, p.at); err != nil {
			return err
		}
	}
	writeDocument(w, a.view.media, body)
	return nil
}

func (s *Server) firstToken(ctx context.Context, id string) (token, error) {
	size, err := s.Size.LogSize(ctx)
	return token{Of: id, Until: hub.Seq(size)}, err
}

// pager takes one page out of the result of a query. at is where it begins, and afterwards where the next one does.
type pager struct {
	s        *Server
	q        *epcis.Query
	provider hub.ProviderID
	size     int
	first    bool
	at       token
}

// page returns the events of one page and whether there is a next one.
func (p *pager) page(ctx context.Context) (found []hub.Event, more bool, err error) {
	if p.first && p.q.MaxEventCount > 0 {
		if err := p.countUpTo(ctx, p.q.MaxEventCount); err != nil {
			return nil, false, err
		}
	}
	size := p.size
	if limit := p.q.EventCountLimit; limit > 0 {
		size = min(size, limit-p.at.Count)
	}
	if size <= 0 {
		return nil, false, nil
	}
	if p.q.OrderBy != "" && p.q.OrderBy != "eventTime" && p.q.OrderBy != "recordTime" {
		found, more, err = p.sorted(ctx, size)
	} else {
		found, more, err = p.walked(ctx, size)
	}
	p.at.Count += len(found)
	if limit := p.q.EventCountLimit; limit > 0 && p.at.Count >= limit {
		more = false
	}
	return found, more, err
}

func (p *pager) window(limit int) hub.Window {
	w := hub.Window{Provider: p.provider, Until: p.at.Until, Limit: limit, Budget: pageBudget, Order: hub.NewestFirst}
	switch {
	case p.q.OrderBy == "recordTime" && p.q.Ascending:
		w.Order = hub.LogOrder
	case p.q.OrderBy == "recordTime":
		w.Order = hub.LogReversed
	case p.q.Ascending:
		w.Order = hub.OldestFirst
	}
	return w
}

// walked is a page in an order that the store walks in.
func (p *pager) walked(ctx context.Context, size int) (found []hub.Event, more bool, err error) {
	for taken, ends := 0, p.s.Now().Add(pageBudget); ; {
		w := p.window(min(size-len(found), readAtOnce))
		w.After, w.Budget = p.at.mark(), ends.Sub(p.s.Now())
		page, err := p.s.Events.Find(ctx, p.q, w)
		if err != nil {
			return nil, false, err
		}
		found = append(found, page.Events...)
		if page.Next == nil {
			return found, false, nil
		}
		p.at.setMark(page.Next)
		taken += bytesOf(page.Events)
		if !p.s.Now().Before(ends) || len(found) == size || taken >= pageBytes {
			return found, true, nil
		}
	}
}

func bytesOf(events []hub.Event) int {
	n := 0
	for i := range events {
		n += len(events[i].Body)
	}
	return n
}

// all returns every event of the result in the order of the log, or a fault where they are too many to be sorted.
func (p *pager) all(ctx context.Context) (found []hub.Event, err error) {
	w := p.window(readAtOnce)
	w.Order = hub.LogOrder
	for taken, ends := 0, p.s.Now().Add(pageBudget); ; {
		page, err := p.s.Events.Find(ctx, p.q, w)
		if err != nil {
			return nil, err
		}
		found = append(found, page.Events...)
		if page.Next == nil {
			return found, nil
		}
		taken += bytesOf(page.Events)
		if w.Budget = ends.Sub(p.s.Now()); len(found) >= maxSorted || taken >= maxSortedBytes || w.Budget <= 0 {
			return nil, tooComplex()
		}
		w.After = page.Next
	}
}

// sorted is a page in the order of an extension field. The whole result is sorted for each page; since the log below Until
// never changes, every page sorts the same.
func (p *pager) sorted(ctx context.Context, size int) (found []hub.Event, more bool, err error) {
	all, err := p.all(ctx)
	if err != nil {
		return nil, false, err
	}
	type item struct {
		parsed *epcis.Event
		event  hub.Event
	}
	items := make([]item, len(all))
	for i, e := range all {
		items[i].event = e
		if items[i].parsed, err = epcis.ParseEvent(e.Body, nil); err != nil {
			return nil, false, err
		}
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return p.q.Compare(a.parsed, b.parsed, epcis.Setting{RecordedAt: a.event.RecordedAt}, epcis.Setting{RecordedAt: b.event.RecordedAt})
	})
	from := min(p.at.Count, len(items))
	to := min(from+size, len(items))
	for _, it := range items[from:to] {
		found = append(found, it.event)
	}
	return found, to < len(items), nil
}

func tooComplex() error {
	return refuse(queryTooComplex, http.StatusRequestEntityTooLarge, "epcis.query.complex",
		"the query has too many events to go through at once", "该查询需要处理的事件过多").
		hint("narrow it by time, business step or identifiers", "请用时间、业务步骤或标识缩小范围")
}

// countUpTo refuses a query that has more events than its maxEventCount.
func (p *pager) countUpTo(ctx context.Context, limit int) error {
	w := p.window(min(limit+1, readAtOnce))
	for count, ends := 0, p.s.Now().Add(3*pageBudget); ; {
		w.Budget = ends.Sub(p.s.Now())
		page, err := p.s.Events.Find(ctx, p.q, w)
		if err != nil {
			return err
		}
		if count += len(page.Events); count > limit {
			return refuse(queryTooLarge, http.StatusRequestEntityTooLarge, "epcis.query.large",
				"the query has more events than maxEventCount", "查询结果超过 maxEventCount").at("maxEventCount").
				hint("narrow the query, or use eventCountLimit with orderBy", "请缩小查询范围，或使用 eventCountLimit 与 orderBy")
		}
		if page.Next == nil {
			return nil
		}
		if !p.s.Now().Before(ends) {
			return tooComplex()
		}
		w.After = page.Next
	}
}

// event answers GET /events/{id}: the event and its error declarations.
func (s *Server) event(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	v, err := viewOf(r.Request)
	if err != nil {
		return err
	}
	found, err := s.Events.Event(r.Context(), r.params[0])
	if err != nil {
		return err
	}
	if own := r.sees(); own != "" {
		found = slices.DeleteFunc(found, func(e hub.Event) bool { return e.Leaf.Provider != own })
	}
	if len(found) == 0 { // another party's event is not even known to exist
		return hub.Faultf(hub.NotFound, "event.unknown", "there is no event %q", r.params[0])
	}
	body, err := s.document(found, v, &epcis.Header{QueryName: simpleEventQuery})
	if err != nil {
		return err
	}
	writeDocument(w, v.media, body)
	return nil
}
