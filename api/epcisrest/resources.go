package epcisrest

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// resource is one of the top-level resources that list values which events have.
type resource struct {
	name string
	// parameters are those of the query for the events that have the value; one of them is enough.
	parameters []string
	term       hub.Term
	// standard are values that are known though no event has them.
	standard []string
	// identifier is true where values are identifiers, which come in several forms.
	identifier bool
}

func topLevel() []resource {
	return []resource{
		{"eventTypes", []string{"eventType"}, hub.TermType, epcis.EventTypes(), false},
		{"epcs", []string{"MATCH_anyEPC", "MATCH_anyEPCClass"}, 0, nil, true},
		{"bizSteps", []string{"EQ_bizStep"}, hub.TermBizStep, nil, false},
		{"bizLocations", []string{"EQ_bizLocation"}, hub.TermBizLocation, nil, true},
		{"readPoints", []string{"EQ_readPoint"}, hub.TermReadPoint, nil, true},
		{"dispositions", []string{"EQ_disposition"}, hub.TermDisposition, nil, false},
	}
}

// list answers with the values that the events seen by the key have.
func (s *Server) list(t resource) handler {
	find := s.values
	if t.term == 0 {
		find = s.epcs
	}
	return func(w http.ResponseWriter, r *request) error {
		v, size, from, err := s.asked(r)
		if err != nil {
			return err
		}
		members, more, err := find(r, t, &from, size)
		if err != nil {
			return err
		}
		if t.identifier && v.epcs == alwaysURN {
			for i := range members {
				members[i] = s.asURN(members[i])
			}
		}
		if more {
			if err := s.stateNext(w.Header(), r, size, from); err != nil {
				return err
			}
		}
		return answerJSON(w, http.StatusOK, collection(members))
	}
}

// asked checks a request for a list and reads which part of it is wanted, and how.
func (s *Server) asked(r *request) (v view, size int, from token, err error) {
	if err = s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return v, 0, from, err
	}
	if err = onlyJSON(r.Request); err != nil {
		return v, 0, from, err
	}
	if v, err = viewOf(r.Request); err != nil {
		return v, 0, from, err
	}
	size, from, err = s.paging(r)
	return v, size, from, err
}

// values lists the values of a term in the order of their bytes.
func (s *Server) values(r *request, t resource, from *token, size int) (members []string, more bool, err error) {
	members, err = s.Events.Values(r.Context(), t.term, r.sees(), from.Key, size+1)
	if err != nil {
		return nil, false, err
	}
	for _, std := range t.standard {
		if std > from.Key {
			members = append(members, std)
		}
	}
	slices.Sort(members)
	members = slices.Compact(members)
	if more = len(members) > size; more {
		members = members[:size]
		from.Key = members[size-1]
	}
	return members, more, nil
}

// maxLooked is how many events one page of items may look at; a page that found few items in them is short.
const maxLooked = 5000

// epcs lists the items that events speak of, each where the log first speaks of it: the store keeps no list of them.
func (s *Server) epcs(r *request, _ resource, from *token, size int) (members []string, more bool, err error) {
	if !from.Marked {
		if *from, err = s.firstToken(r.Context(), from.Of); err != nil {
			return nil, false, err
		}
	}
	l := itemList{s: s, r: r, size: size, skipSeq: from.Seq, skip: from.Count}
	w := hub.Window{Provider: r.sees(), From: from.Seq, Until: from.Until, Order: hub.LogOrder, Limit: 100, Budget: pageBudget}
	for looked := 0; ; {
		page, err := s.Events.Find(r.Context(), &epcis.Query{}, w)
		if err != nil {
			return nil, false, err
		}
		for i := range page.Events {
			e := &page.Events[i]
			if next, err := l.take(e); err != nil || next >= 0 {
				from.setMark(&hub.Mark{Seq: e.Seq})
				from.Count = next
				return l.members, true, err
			}
		}
		if page.Next == nil {
			return l.members, false, nil
		}
		if looked += len(page.Events); looked >= maxLooked {
			from.setMark(&hub.Mark{Seq: page.Next.Seq + 1})
			from.Count = 0
			return l.members, true, nil
		}
		w.After = page.Next
	}
}

// itemList collects one page of items.
type itemList struct {
	s       *Server
	r       *request
	size    int
	members []string
	// skip is how many things of the event at skipSeq stand on pages before.
	skipSeq hub.Seq
	skip    int
}

// take adds the items of which an event is the first to speak. It returns the index of the thing that the page has no room
// for, or -1.
func (l *itemList) take(e *hub.Event) (int, error) {
	for i, t := range e.Facets.Things {
		if t.Class || e.Seq == l.skipSeq && i < l.skip {
			continue
		}
		first, err := l.s.firstItem(l.r, e, i)
		switch {
		case err != nil:
			return -1, err
		case !first:
		case len(l.members) == l.size:
			return i, nil
		default:
			l.members = append(l.members, t.ID)
		}
	}
	return -1, nil
}

// firstItem reports whether the index-th thing of an event is spoken of for the first time.
func (s *Server) firstItem(r *request, e *hub.Event, index int) (bool, error) {
	id := e.Facets.Things[index].ID
	for _, t := range e.Facets.Things[:index] {
		if t.ID == id && !t.Class {
			return false, nil
		}
	}
	return s.Events.First(r.Context(), id, r.sees(), e.Seq)
}

// member answers with what there is of one value: its events.
func (s *Server) member(t resource) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
			return err
		}
		if err := onlyJSON(r.Request); err != nil {
			return err
		}
		if !slices.Contains(t.standard, r.params[0]) {
			if _, err := s.parameterFor(r, t); err != nil {
				return err
			}
		}
		return answerJSON(w, http.StatusOK, collection([]string{"events"}))
	}
}

// parameterFor returns the parameter by which events with the value of the path are found, or a fault of kind NotFound
// when there is none.
func (s *Server) parameterFor(r *request, t resource) (string, error) {
	size, err := s.Size.LogSize(r.Context())
	if err != nil {
		return "", err
	}
	for _, name := range t.parameters {
		q, err := epcis.ParseQuery(url.Values{name: {r.params[0]}}, nil)
		if err != nil {
			return "", err
		}
		page, err := s.Events.Find(r.Context(), &q, hub.Window{Provider: r.sees(), Until: hub.Seq(size), Limit: 1})
		if err != nil {
			return "", err
		}
		if len(page.Events) > 0 {
			return name, nil
		}
	}
	f := hub.Faultf(hub.NotFound, "epcis.value.unknown", "no event has %q among its %s", r.params[0], t.name)
	f.MessageZh = "没有事件包含该值"
	return "", f
}

// memberEvents answers with the events that have the value of the path.
func (s *Server) memberEvents(t resource) handler {
	return func(w http.ResponseWriter, r *request) error {
		name := t.parameters[0]
		if len(t.parameters) > 1 || !slices.Contains(t.standard, r.params[0]) {
			if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
				return err
			}
			var err error
			if name, err = s.parameterFor(r, t); err != nil {
				return err
			}
		}
		return s.search(w, r, url.Values{name: {r.params[0]}})
	}
}
