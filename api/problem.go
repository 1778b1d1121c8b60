package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Problem is an RFC 9457 problem detail. Code, Where, Hint and their Chinese forms are extension members.
type Problem struct {
	Type     string     `json:"type"`
	Title    string     `json:"title"`
	Status   int        `json:"status"`
	Detail   string     `json:"detail,omitempty"`
	DetailZh string     `json:"detailZh,omitempty"`
	Instance string     `json:"instance,omitempty"`
	Code     string     `json:"code"`
	Hint     string     `json:"hint,omitempty"`
	HintZh   string     `json:"hintZh,omitempty"`
	Where    *hub.Where `json:"where,omitempty"`
	Errors   []Problem  `json:"errors,omitempty"`
}

// status is the one table that turns kinds of faults into HTTP.
func status(k hub.Kind) int {
	switch k {
	case hub.Invalid:
		return http.StatusBadRequest
	case hub.Unauthorized:
		return http.StatusUnauthorized
	case hub.Forbidden:
		return http.StatusForbidden
	case hub.NotFound:
		return http.StatusNotFound
	case hub.Conflict:
		return http.StatusConflict
	case hub.TooLarge:
		return http.StatusRequestEntityTooLarge
	case hub.Unsupported:
		return http.StatusUnsupportedMediaType
	case hub.Unavailable:
		return http.StatusServiceUnavailable
	case hub.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// ProblemOf is the problem detail of an error. What is Internal keeps its cause to itself.
func ProblemOf(err error) Problem {
	var many hub.Faults
	if errors.As(err, &many) && len(many) > 1 {
		p := ProblemOf(many[0])
		for _, f := range many {
			p.Errors = append(p.Errors, ProblemOf(f))
		}
		return p
	}
	f := hub.AsFault(err)
	p := Problem{
		Type: "https://suyuan.dev/problems/" + f.Code, Title: f.Kind.String(), Status: status(f.Kind), Code: f.Code,
		Detail: f.Message, DetailZh: f.MessageZh, Hint: f.Hint, HintZh: f.HintZh,
	}
	if f.Kind != hub.Internal && f.Err != nil {
		p.Detail += ": " + f.Err.Error()
	}
	if f.Where != (hub.Where{}) {
		p.Where = &f.Where
	}
	return p
}

// retryAfter is how many seconds a client should wait before it tries again what is unavailable now.
const retryAfter = 2

// fail answers with the problem of err. Only what is our own doing is logged here, since nobody else
// will; what is shed or waits for a disk is counted, and a line for each would be a load of its own.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	p.Instance = r.URL.EscapedPath()
	h := w.Header()
	var st Statuser
	if errors.As(err, &st) {
		p.Status = st.HTTPStatus()
	}
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", strconv.Itoa(retryAfter))
		}
	case http.StatusUnauthorized:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", `Bearer realm="suyuan"`)
		}
	}
	if p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable && !errors.Is(err, context.Canceled) {
		s.log.Warn("request failed", zap.String("path", r.URL.Path), zap.Int("status", p.Status), zap.Error(err))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(p)
	if err != nil { // cannot happen: texts and numbers
		body = nil
	}
	body = append(body, '\n')
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		readAway(w, r)
	}
}

// worthReading is how large a body may be for its connection to be worth more than the time to read it away.
const worthReading = 256 << 10

// readAway reads what is left of the body of a request that was refused, after its answer, so that the connection serves the
// sender's next try. A sender that waits for leave has its answer, and a connection that is to be closed needs no care.
func readAway(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength <= 0 || r.ContentLength > worthReading || r.Header.Get("Expect") != "" || w.Header().Get("Connection") == "close" {
		return
	}
	conn := http.NewResponseController(w)
	if conn.Flush() == nil && conn.SetReadDeadline(time.Now().Add(restTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength+1) // a torn body ends the connection by itself
	}
}

// Statuser is an error that needs an HTTP status of its own, such as 429 or 410.
type Statuser interface{ HTTPStatus() int }

// answer writes v as JSON.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // as above
}
