package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// deadJSON is a dead letter as the API shows it. The raw bytes are text where they are UTF-8, base64 otherwise.
type deadJSON struct {
	ID         hub.DeadLetterID `json:"id"`
	Connector  hub.ConnectorID  `json:"connector"`
	Record     hub.RecordID     `json:"record"`
	Provider   hub.ProviderID   `json:"provider"`
	State      string           `json:"state"`
	Stage      string           `json:"stage"`
	ReceivedAt time.Time        `json:"receivedAt"`
	DiedAt     time.Time        `json:"diedAt"`
	Attempts   int              `json:"attempts"`
	Problem    Problem          `json:"problem"`
	Origin     string           `json:"origin,omitempty"`
	Line       int              `json:"line,omitempty"`
	Note       string           `json:"note,omitempty"`
	Body       string           `json:"body,omitempty"`
	BodyBase64 []byte           `json:"bodyBase64,omitempty"`
	Preamble   []byte           `json:"preambleBase64,omitempty"`
}

func deadOf(d hub.DeadLetter) deadJSON {
	out := deadJSON{
		ID: d.ID, Connector: d.Record.Connector, Record: d.Record.ID, Provider: d.Provider, State: d.State.String(), Stage: d.Stage,
		ReceivedAt: d.ReceivedAt, DiedAt: d.DiedAt, Attempts: d.Attempts, Problem: ProblemOf(&d.Fault), Origin: d.Origin,
		Line: d.Line, Note: d.Note, Preamble: d.Preamble,
	}
	if utf8.Valid(d.Body) {
		out.Body = string(d.Body)
	} else {
		out.BodyBase64 = d.Body
	}
	return out
}

// deadFilter reads a filter from the query: connector, code, state, after, limit. A key without the admin scope sees its
// own provider's letters.
func (s *Server) deadFilter(r *http.Request) (hub.DeadFilter, error) {
	k, err := s.Authorize(r, hub.ScopeQuery)
	if err != nil {
		return hub.DeadFilter{}, err
	}
	q := r.URL.Query()
	f := hub.DeadFilter{Connector: hub.ConnectorID(q.Get("connector")), Code: q.Get("code"), Provider: hub.ProviderID(q.Get("provider"))}
	if !sees(k, "") {
		f.Provider = k.Provider
	}
	if f.State, err = deadState(q.Get("state")); err != nil {
		return f, err
	}
	for name, into := range map[string]func(uint64){
		"after": func(n uint64) { f.After = hub.DeadLetterID(n) },
		"limit": func(n uint64) { f.Limit = int(min(n, 1000)) },
	} {
		if v := q.Get(name); v != "" {
			n, err := strconv.ParseUint(v, 10, 63)
			if err != nil {
				return f, hub.Faultf(hub.Invalid, "query."+name, "%s=%q is not a number", name, v)
			}
			into(n)
		}
	}
	return f, nil
}

func deadState(text string) (hub.DeadState, error) {
	if text == "" {
		return hub.DeadWaiting, nil
	}
	for st := hub.DeadWaiting; st <= hub.DeadDropped; st++ {
		if st.String() == text {
			return st, nil
		}
	}
	return 0, hub.Faultf(hub.Invalid, "query.state", "state=%q is not known", text).
		WithHint("use waiting, replaying, resolved or dropped")
}

func (s *Server) deadLetters(w http.ResponseWriter, r *http.Request) error {
	f, err := s.deadFilter(r)
	if err != nil {
		return err
	}
	letters, err := s.Morgue.DeadLetters(r.Context(), f)
	if err != nil {
		return err
	}
	out := make([]deadJSON, len(letters))
	for i, d := range letters {
		out[i] = deadOf(d)
	}
	answer(w, http.StatusOK, map[string]any{"deadLetters": out})
	return nil
}

// ownLetter finds the dead letter in the path if the key has the scope and may see it.
func (s *Server) ownLetter(r *http.Request, scope hub.Scope) (hub.DeadLetter, error) {
	k, err := s.Authorize(r, scope)
	if err != nil {
		return hub.DeadLetter{}, err
	}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 63)
	if err != nil {
		return hub.DeadLetter{}, hub.Faultf(hub.Invalid, "path.id", "%q is not a dead letter's number", r.PathValue("id")).
			WithHint("use the number that the list of dead letters begins with")
	}
	d, err := s.Morgue.DeadLetter(r.Context(), hub.DeadLetterID(id))
	if hub.KindOf(err) == hub.NotFound || (err == nil && !sees(k, d.Provider)) { // another party's is not even known to exist
		f := hub.Faultf(hub.NotFound, "dead-letter.unknown", "there is no dead letter %d", id).WithHint("list them with: suyuan dead list")
		f.MessageZh, f.HintZh = fmt.Sprintf("没有编号为 %d 的死信", id), "可用 suyuan dead list 列出死信"
		return hub.DeadLetter{}, f
	}
	return d, err
}

func (s *Server) deadLetter(w http.ResponseWriter, r *http.Request) error {
	d, err := s.ownLetter(r, hub.ScopeQuery)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, deadOf(d))
	return nil
}

// changeJSON edits or drops a dead letter. Exactly one of Body, BodyBase64 and Drop is set.
type changeJSON struct {
	Body       *string `json:"body"`
	BodyBase64 []byte  `json:"bodyBase64"`
	Drop       bool    `json:"drop"`
	Note       string  `json:"note"`
}

func (c changeJSON) change() (Change, error) {
	out := Change{Drop: c.Drop, Note: c.Note, Body: c.BodyBase64}
	if c.Body != nil {
		out.Body = []byte(*c.Body)
	}
	switch {
	case c.Drop && out.Body != nil, !c.Drop && out.Body == nil, c.Body != nil && c.BodyBase64 != nil:
		return out, hub.Faultf(hub.Invalid, "dead-letter.change", "say exactly one of body, bodyBase64 and drop")
	case !c.Drop && len(out.Body) == 0:
		f := hub.Faultf(hub.Invalid, "dead-letter.empty", "a dead letter cannot be edited to nothing").WithHint("send the whole record as it should have been; to give it up, drop it")
		f.MessageZh, f.HintZh = "死信不能改为空", "请发送完整的正确记录；若要放弃，请用 drop"
		return out, f
	case c.Drop && c.Note == "":
		return out, hub.Faultf(hub.Invalid, "dead-letter.reason", "dropping a dead letter needs a reason").WithHint(`add "note"`)
	}
	return out, nil
}

func (s *Server) changeDeadLetter(w http.ResponseWriter, r *http.Request) error {
	d, err := s.ownLetter(r, hub.ScopeAdmin)
	if err != nil {
		return err
	}
	var in changeJSON
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	c, err := in.change()
	if err != nil {
		return err
	}
	if err := s.Morgue.Change(r.Context(), d.ID, c); err != nil {
		return err
	}
	return s.deadLetter(w, r)
}

func (s *Server) replayDeadLetter(w http.ResponseWriter, r *http.Request) error {
	d, err := s.ownLetter(r, hub.ScopeAdmin)
	if err != nil {
		return err
	}
	if err := s.Morgue.Replay(r.Context(), d.ID); err != nil {
		return err
	}
	answer(w, http.StatusAccepted, map[string]any{"replayed": []hub.DeadLetterID{d.ID}})
	return nil
}

// replayDeadLetters replays every waiting letter that the filter selects.
func (s *Server) replayDeadLetters(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	done, err := s.eachWaiting(r, func(id hub.DeadLetterID) error { return s.Morgue.Replay(r.Context(), id) })
	if err != nil {
		return err
	}
	answer(w, http.StatusAccepted, map[string]any{"replayed": done})
	return nil
}

// dropDeadLetters drops every waiting letter that the filter selects, with one reason.
func (s *Server) dropDeadLetters(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	var in struct {
		Note string `json:"note"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	c, err := changeJSON{Drop: true, Note: in.Note}.change()
	if err != nil {
		return err
	}
	done, err := s.eachWaiting(r, func(id hub.DeadLetterID) error { return s.Morgue.Change(r.Context(), id, c) })
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"dropped": done})
	return nil
}

// eachWaiting does something to every waiting letter that the request's filter selects, page by page, and returns those
// that it was done to. A letter that is not waiting any more is passed over.
func (s *Server) eachWaiting(r *http.Request, do func(hub.DeadLetterID) error) ([]hub.DeadLetterID, error) {
	f, err := s.deadFilter(r)
	if err != nil {
		return nil, err
	}
	f.State = hub.DeadWaiting
	done := []hub.DeadLetterID{}
	for {
		letters, err := s.Morgue.DeadLetters(r.Context(), f)
		if err != nil || len(letters) == 0 {
			return done, err
		}
		for _, d := range letters {
			f.After = d.ID
			switch err := do(d.ID); {
			case err == nil:
				done = append(done, d.ID)
			case hub.KindOf(err) != hub.Conflict:
				return nil, fmt.Errorf("after %d letters: %w", len(done), err)
			}
		}
	}
}

// maxAdminBody bounds what the API reads of an administrator's request.
const maxAdminBody = 16 << 20

// readJSON reads the one JSON value of a request's body. Unknown members are refused: a misspelt one would be ignored.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the value")
		}
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return inBody(hub.Faultf(hub.Invalid, "body.empty", "the request has no body"), "请求没有正文")
	case errors.As(err, &large):
		return hub.Faultf(hub.TooLarge, "body.too-large", "the body has more than %d bytes", large.Limit)
	}
	return inBody(hub.Faultf(hub.Invalid, "body.json", "the body is not the JSON that this takes").Because(plainly(err)), "请求正文不是此接口所需的 JSON")
}

func inBody(f *hub.Fault, zh string) error {
	f.MessageZh, f.HintZh = zh, "/v1/openapi.json 说明了每个请求的正文"
	return f.WithHint("/v1/openapi.json describes the body of every request")
}

// plainly says what encoding/json found without naming it or types of Go.
func plainly(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return fmt.Errorf("it is a JSON %s", e.Value)
		}
		return fmt.Errorf("its %s is a JSON %s", e.Field, e.Value)
	}
	if what, ok := strings.CutPrefix(err.Error(), "json: "); ok {
		return errors.New(what)
	}
	return err
}
