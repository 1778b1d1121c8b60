package epcisrest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// queryJSON is a named query as the standard shows it.
type queryJSON struct {
	Name  string          `json:"name"`
	Query json.RawMessage `json:"query"`
}

// maxDefinition bounds the body of a query or a subscription.
const maxDefinition = 1 << 20

// readJSON reads a small JSON body.
func readJSON(r *request, into any) error {
	if _, err := posted(r.Request, mediaJSON, mediaLDJSON); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDefinition))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return refuse(queryTooComplex, http.StatusRequestEntityTooLarge, "epcis.query.size", "the body is larger than 1 MiB", "请求体超过 1 MiB")
	case err != nil:
		return hub.Faultf(hub.Invalid, "epcis.body", "the body ended before its time").Because(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		f := hub.Faultf(hub.Invalid, "epcis.json", "the body is not the JSON object that is expected").Because(err)
		f.MessageZh = "请求体不是预期的 JSON 对象"
		return f
	}
	return nil
}

// createQuery answers POST /queries.
func (s *Server) createQuery(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	var in queryJSON
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := checkQueryName(in.Name); err != nil {
		return err
	}
	if len(in.Query) == 0 || in.Query[0] != '{' {
		return refuse(validation, http.StatusBadRequest, "query.definition", "query is missing or no JSON object", "缺少 query 或其不是 JSON 对象").at("/query")
	}
	if q, err := epcis.ParseQueryJSON(in.Query); err != nil {
		return err
	} else if q.NextPageToken != "" {
		return refuse(queryParameter, http.StatusBadRequest, "epcis.query.token", "nextPageToken is no part of a query", "nextPageToken 不属于查询定义").
			at("nextPageToken")
	}
	err := s.Queries.AddQuery(r.Context(), hub.NamedQuery{
		Provider: r.key.Provider, Name: in.Name, Definition: in.Query, CreatedAt: s.Now().UTC(),
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.base(r.Request)+"/queries/"+url.PathEscape(in.Name))
	return answerJSON(w, http.StatusCreated, in)
}

func checkQueryName(name string) error {
	if name != "" && len(name) <= 200 && utf8.ValidString(name) && !strings.ContainsAny(name, "/\\?#\x00") && strings.TrimSpace(name) == name {
		return nil
	}
	return refuse(validation, http.StatusBadRequest, "query.name", "name is missing, too long, or has a character that URLs divide by",
		"name 缺失、过长或含有 URL 分隔字符").at("/name").hint("use 1 to 200 characters without / \\ ? #", "请使用 1 到 200 个字符，不含 / \\ ? #")
}

func (s *Server) listQueries(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	size, from, err := s.paging(r)
	if err != nil {
		return err
	}
	found, err := s.Queries.Queries(r.Context(), r.key.Provider, from.Key, size+1)
	if err != nil {
		return err
	}
	if len(found) > size {
		found = found[:size]
		from.Key = found[size-1].Name
		if err := s.stateNext(w.Header(), r, size, from); err != nil {
			return err
		}
	}
	out := make([]queryJSON, len(found))
	for i, q := range found {
		out[i] = queryJSON{q.Name, q.Definition}
	}
	return answerJSON(w, http.StatusOK, out)
}

func (s *Server) query(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	q, err := s.Queries.Query(r.Context(), r.key.Provider, r.params[0])
	if err != nil {
		return err
	}
	return answerJSON(w, http.StatusOK, queryJSON{q.Name, q.Definition})
}

func (s *Server) deleteQuery(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := s.Queries.DeleteQuery(r.Context(), r.key.Provider, r.params[0]); err != nil {
		return err
	}
	s.delivery.change()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// queryEvents answers GET /queries/{name}/events: a page of the query's events, or a WebSocket that streams them.
func (s *Server) queryEvents(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	v, err := viewOf(r.Request)
	if err != nil {
		return err
	}
	named, err := s.Queries.Query(r.Context(), r.key.Provider, r.params[0])
	if err != nil {
		return err
	}
	q, err := epcis.ParseQueryJSON(named.Definition)
	if err != nil {
		return err
	}
	values, err := parametersOf(r)
	if err != nil {
		return err
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return s.serveSocket(w, r, named, values, v)
	}
	page, err := epcis.ParseQuery(onlyPaging(values), nil)
	if err != nil {
		return err
	}
	for name := range values {
		if name != "perPage" && name != "nextPageToken" {
			return refuse(queryParameter, http.StatusBadRequest, "epcis.query.unknown", name+" is no parameter here: the query is named",
				"此处没有参数 "+name+"：查询已命名").at(name)
		}
	}
	if page.PerPage > 0 {
		q.PerPage = page.PerPage
	}
	q.NextPageToken = page.NextPageToken
	id := listID(r.URL.EscapedPath(), url.Values{"query": {string(named.Definition)}}, r.sees())
	return s.answerPage(w, r, &q, answer{name: named.Name, view: v, id: id})
}

func onlyPaging(values url.Values) url.Values {
	out := url.Values{}
	for _, name := range []string{"perPage", "nextPageToken"} {
		if values.Has(name) {
			out[name] = values[name]
		}
	}
	return out
}
