package epcisrest

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// The exceptions of EPCIS 2.0 (section 12.8) that this binding answers with.
const (
	validation           = "ValidationException"
	security             = "SecurityException"
	noSuchName           = "NoSuchNameException"
	alreadyExists        = "ResourceAlreadyExistsException"
	captureLimitExceeded = "CaptureLimitExceededException"
	unsupportedMedia     = "UnsupportedMediaTypeException"
	notAcceptable        = "NotAcceptableException"
	uriTooLong           = "URITooLongException"
	queryParameter       = "QueryParameterException"
	queryTooLarge        = "QueryTooLargeException"
	queryTooComplex      = "QueryTooComplexException"
	subscriptionControls = "SubscriptionControlsException"
	implementation       = "ImplementationException"
)

// exception is an error that EPCIS has a name and a status for.
type exception struct {
	name   string
	status int
	err    error
}

func (e *exception) Error() string { return e.err.Error() }
func (e *exception) Unwrap() error { return e.err }

// as gives err a name of its own.
func as(name string, status int, err error) error {
	if err == nil {
		return nil
	}
	return &exception{name, status, err}
}

// refuse is a fault with the name and status of an exception.
func refuse(name string, status int, code, en, zh string) *exception {
	kind := hub.Invalid
	switch status {
	case http.StatusNotFound:
		kind = hub.NotFound
	case http.StatusConflict:
		kind = hub.Conflict
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong:
		kind = hub.TooLarge
	}
	f := hub.Faultf(kind, code, "%s", en)
	f.MessageZh = zh
	return &exception{name, status, f}
}

// hint adds a hint in both languages.
func (e *exception) hint(en, zh string) *exception {
	f := hub.AsFault(e.err)
	f.Hint, f.HintZh = en, zh
	return e
}

// at adds the place, such as a parameter's name.
func (e *exception) at(pointer string) *exception {
	hub.AsFault(e.err).Where.Pointer = pointer
	return e
}

// nameOf is the one table that turns faults into exceptions and statuses.
func nameOf(err error) (name string, status int) {
	if e, ok := errors.AsType[*exception](err); ok {
		return e.name, e.status
	}
	f := hub.AsFault(err)
	switch f.Kind {
	case hub.Invalid:
		if strings.HasPrefix(f.Code, "epcis.query.") {
			return queryParameter, http.StatusBadRequest
		}
		return validation, http.StatusBadRequest
	case hub.Unauthorized:
		return security, http.StatusUnauthorized
	case hub.Forbidden:
		return security, http.StatusForbidden
	case hub.NotFound:
		return noSuchName, http.StatusNotFound
	case hub.Conflict:
		return alreadyExists, http.StatusConflict
	case hub.TooLarge:
		return captureLimitExceeded, http.StatusRequestEntityTooLarge
	case hub.Unsupported:
		return unsupportedMedia, http.StatusUnsupportedMediaType
	case hub.Unavailable:
		return implementation, http.StatusServiceUnavailable
	case hub.Internal:
	}
	return implementation, http.StatusInternalServerError
}

// problem is an RFC 7807 problem detail with the hub's own members.
type problem struct {
	XMLName  xml.Name   `json:"-" xml:"urn:ietf:rfc:7807 problem"`
	Type     string     `json:"type" xml:"type"`
	Title    string     `json:"title" xml:"title"`
	Status   int        `json:"status" xml:"status"`
	Detail   string     `json:"detail,omitempty" xml:"detail,omitempty"`
	DetailZh string     `json:"detailZh,omitempty" xml:"detailZh,omitempty"`
	Instance string     `json:"instance,omitempty" xml:"instance,omitempty"`
	Code     string     `json:"code" xml:"code"`
	Hint     string     `json:"hint,omitempty" xml:"hint,omitempty"`
	HintZh   string     `json:"hintZh,omitempty" xml:"hintZh,omitempty"`
	Where    *hub.Where `json:"where,omitempty" xml:"where,omitempty"`
	EventID  string     `json:"eventID,omitempty" xml:"eventID,omitempty"`
	Errors   []problem  `json:"errors,omitempty" xml:"errors,omitempty"`
}

// title says in a few words what an exception means. The name for the implementation's own has several meanings.
func title(name string, status int) string {
	switch name {
	case validation:
		return "The EPCIS data is not valid"
	case security:
		return "Not allowed"
	case noSuchName:
		return "Not found"
	case alreadyExists:
		return "It exists already"
	case captureLimitExceeded:
		return "Capture payload too large"
	case unsupportedMedia:
		return "Media type not supported"
	case notAcceptable:
		return "The answer cannot be given as asked for"
	case uriTooLong:
		return "URI too long"
	case queryParameter:
		return "A query parameter is not valid"
	case queryTooLarge:
		return "Query result too large"
	case queryTooComplex:
		return "Query too complex"
	case subscriptionControls:
		return "Subscription controls not valid"
	}
	switch status {
	case http.StatusMethodNotAllowed:
		return "Method not allowed"
	case http.StatusNotImplemented:
		return "Not implemented"
	case http.StatusServiceUnavailable:
		return "Not available now"
	}
	return "The server failed"
}

// problemOf is the problem detail of an error. What is Internal keeps its cause to itself.
func problemOf(err error) problem {
	name, status := nameOf(err)
	f := hub.AsFault(err)
	p := problem{
		Type: "epcisException:" + name, Title: title(name, status), Status: status, Code: f.Code,
		Detail: f.Message, DetailZh: f.MessageZh, Hint: f.Hint, HintZh: f.HintZh,
	}
	if f.Kind != hub.Internal && f.Err != nil {
		p.Detail += ": " + f.Err.Error()
	}
	if f.Where != (hub.Where{}) {
		where := f.Where
		p.Where = &where
		if name == queryParameter && where.Pointer != "" && !strings.Contains(p.Detail, where.Pointer) {
			p.Detail = where.Pointer + ": " + p.Detail
		}
	}
	var many hub.Faults
	if errors.As(err, &many) && len(many) > 1 {
		for _, one := range many {
			p.Errors = append(p.Errors, problemOf(one))
		}
	}
	return p
}

// fail answers with the problem of err. Only what is our own doing is logged here, since nobody else will.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.Instance = r.URL.EscapedPath()
	h := w.Header()
	switch p.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "2")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="suyuan"`)
	}
	if strings.HasSuffix(p.Type, captureLimitExceeded) {
		s.limitHeaders(h)
	}
	if p.Status >= http.StatusInternalServerError && p.Status != http.StatusNotImplemented && r.Context().Err() == nil {
		s.log.Warn("request failed", zap.String("path", r.URL.Path), zap.Int("status", p.Status), zap.Error(err))
	}
	h.Set("Cache-Control", "no-store")
	var body []byte
	if wantsXML(r) {
		h.Set("Content-Type", "application/problem+xml")
		body, err = xml.Marshal(p)
		body = append([]byte(xml.Header), body...)
	} else {
		h.Set("Content-Type", "application/problem+json")
		body, err = json.Marshal(p)
	}
	if err != nil { // nothing in a problem can fail to be encoded
		s.log.Error("a problem cannot be encoded", zap.Error(err))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}
