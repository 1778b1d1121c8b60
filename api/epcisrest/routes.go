package epcisrest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// route is one resource: its path below /epcis with {} for a variable segment, and what its methods do.
type route struct {
	path    string
	methods map[string]handler
	// abilities adds to what OPTIONS answers; it may be nil.
	abilities func(h http.Header)
}

// table is the whole surface.
func (s *Server) table() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	routes := []route{
		{"", map[string]handler{get: s.discover}, nil},
		{"capture", map[string]handler{post: s.capture, get: s.captureJobs}, s.captureAbilities},
		{"capture/{}", map[string]handler{get: s.captureJob}, nil},
		{"events", map[string]handler{get: s.events, post: s.createEvent}, nil},
		{"events/{}", map[string]handler{get: s.event}, nil},
		{"queries", map[string]handler{get: s.listQueries, post: s.createQuery}, nil},
		{"queries/{}", map[string]handler{get: s.query, del: s.deleteQuery}, nil},
		{"queries/{}/events", map[string]handler{get: s.queryEvents}, nil},
		{"queries/{}/subscriptions", map[string]handler{get: s.listSubscriptions, post: s.subscribe}, nil},
		{"queries/{}/subscriptions/{}", map[string]handler{get: s.subscription, del: s.unsubscribe}, nil},
		{"nextPageToken/{}", map[string]handler{del: s.dropToken}, nil},
	}
	for _, t := range topLevel() {
		routes = append(routes,
			route{t.name, map[string]handler{get: s.list(t)}, nil},
			route{t.name + "/{}", map[string]handler{get: s.member(t)}, nil},
			route{t.name + "/{}/events", map[string]handler{get: s.memberEvents(t)}, nil})
	}
	return routes
}

// maxURI is how long a request's URI may be: what RFC 9110 section 4.1 asks every recipient for, and a little more.
const maxURI = 8 << 10

// route finds what serves a request. Segments are told apart before they are decoded, so that an encoded URI is one.
func (s *Server) route(r *http.Request) (name string, serve handler, params []string, err error) {
	if len(r.RequestURI) > maxURI {
		return "", nil, nil, refuse(uriTooLong, http.StatusRequestURITooLong, "epcis.uri", "the URI is longer than 8192 bytes",
			"URI 超过 8192 字节").hint("make a named query of it: POST /epcis/queries", "请用 POST /epcis/queries 建立命名查询")
	}
	path := strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), "/epcis"), "/")
	for _, rt := range s.routes {
		params, ok := match(rt.path, path)
		if !ok {
			continue
		}
		if r.Method == http.MethodOptions {
			return rt.path, s.options(rt), params, nil
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if serve := rt.methods[method]; serve != nil {
			return rt.path, serve, params, nil
		}
		return rt.path, func(w http.ResponseWriter, r *request) error {
			w.Header().Set("Allow", allow(rt))
			return refuse(implementation, http.StatusMethodNotAllowed, "epcis.method", r.Method+" is not a method of this resource",
				"该资源不支持方法 "+r.Method).hint("use "+allow(rt), "请使用 "+allow(rt))
		}, params, nil
	}
	return "", nil, nil, refuse(noSuchName, http.StatusNotFound, "epcis.resource", "there is no such resource in EPCIS",
		"EPCIS 中没有该资源").hint("GET /epcis lists the resources", "GET /epcis 可列出资源")
}

// match matches an escaped path with a pattern and returns the decoded variable segments.
func match(pattern, path string) (params []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i, w := range want {
		if w != "{}" {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		v, err := url.PathUnescape(have[i])
		if err != nil || v == "" {
			return nil, false
		}
		params = append(params, v)
	}
	return params, true
}

func allow(rt route) string {
	methods := []string{http.MethodOptions}
	for _, m := range slices.Sorted(maps.Keys(rt.methods)) {
		methods = append(methods, m)
		if m == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return strings.Join(methods, ", ")
}

func (s *Server) options(rt route) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := checkVersions(r.Request, false); err != nil {
			return err
		}
		w.Header().Set("Allow", allow(rt))
		s.stateAbilities(w.Header())
		if rt.abilities != nil {
			rt.abilities(w.Header())
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

func (s *Server) captureAbilities(h http.Header) {
	s.limitHeaders(h)
	h.Set("GS1-Capture-Error-Behaviour", "all")
}

// discover lists the top-level resources. It tells nothing of anybody's data, so it asks for no key.
func (s *Server) discover(w http.ResponseWriter, r *request) error {
	if err := checkVersions(r.Request, false); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	s.stateAbilities(w.Header())
	members := []string{"queries", "capture", "events"}
	for _, t := range topLevel() {
		members = append(members, t.name)
	}
	return answerJSON(w, http.StatusOK, collection(members))
}

// collection is the JSON form of a list of names.
func collection(members []string) any {
	if members == nil {
		members = []string{}
	}
	return struct {
		Context string   `json:"@context"`
		Type    string   `json:"type"`
		Member  []string `json:"member"`
	}{epcis.ContextURL, "Collection", members}
}

// answerJSON writes v as JSON.
func answerJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
	return nil
}

// authorize checks versions and the key of a request.
func (s *Server) authorize(r *request, scopes ...hub.Scope) error {
	if err := checkVersions(r.Request, r.Method == http.MethodPost && isXML(r.Header.Get("Content-Type"))); err != nil {
		return err
	}
	var err error
	r.key, err = s.Authorize(r.Request, scopes...)
	return err
}

func isXML(contentType string) bool { return strings.Contains(contentType, "xml") }

// sees is whose events a key sees: empty for everybody's.
func (r *request) sees() hub.ProviderID {
	if slices.Contains(r.key.Scopes, hub.ScopeAdmin) || slices.Contains(r.key.Scopes, hub.ScopeAudit) {
		return ""
	}
	return r.key.Provider
}

// base is the URL of the binding as the client knows it.
func (s *Server) base(r *http.Request) string {
	if s.PublicURL != "" {
		return strings.TrimSuffix(s.PublicURL, "/") + "/epcis"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/epcis"
}
