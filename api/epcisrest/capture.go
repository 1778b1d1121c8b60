package epcisrest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// connectorPrefix begins the reserved connector ids under which captured records are in the raw stream.
const connectorPrefix = "epcis-capture-"

// ConnectorID is the connector under which the records that a provider captures are in the raw stream. Instance files may
// not use ids that [IsCapture] knows.
func ConnectorID(p hub.ProviderID) hub.ConnectorID {
	id := connectorPrefix + string(p)
	if hub.CheckName(id) == nil {
		return hub.ConnectorID(id)
	}
	const keep = 32
	return hub.ConnectorID(connectorPrefix + string(p)[:keep] + "-" + hub.Sum([]byte(p)).String()[:16])
}

// IsCapture reports whether a connector id is one of those. Its records are EPCIS and need no mapping.
func IsCapture(id hub.ConnectorID) bool { return strings.HasPrefix(string(id), connectorPrefix) }

// How long a document may take to arrive: arrival, and a second more for each arrivalRate bytes.
const (
	arrival     = 5 * time.Minute
	arrivalRate = 64 << 10
)

// capture answers POST /capture. What is true after a crash:
//
//	while the body arrives    the file of a job that nobody knows: removed at the next start
//	after the job is stored   the job runs at the next start, whether or not the 202 was sent
func (s *Server) capture(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeCapture); err != nil {
		return err
	}
	size := r.ContentLength
	if size < 0 {
		size = s.MaxBytes
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(arrival + time.Duration(size/arrivalRate)*time.Second))
	media, err := posted(r.Request, mediaJSON, mediaLDJSON, mediaXML, mediaText)
	if err != nil {
		return err
	}
	if err := onlyJSONOrXML(r); err != nil {
		return err
	}
	proceed, err := errorBehaviour(r.Header)
	if err != nil {
		return err
	}
	if r.ContentLength > s.MaxBytes {
		return tooManyBytes(s.MaxBytes)
	}
	job := hub.CaptureJob{
		ID: uuid.NewString(), Provider: r.key.Provider, Connector: ConnectorID(r.key.Provider), Proceed: proceed,
		ContentType: r.Header.Get("Content-Type"), Running: true, Success: true, CreatedAt: s.Now().UTC().Truncate(time.Microsecond),
	}
	job.File = job.ID + ".doc"
	doc, err := s.newSpool(job.File, r.Body)
	if err != nil {
		return err
	}
	if err := s.take(r, doc, &job, isXML(media)); err != nil {
		doc.discard()
		return err
	}
	s.jobs.add(job)
	w.Header().Set("Location", s.base(r.Request)+"/capture/"+job.ID)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// take checks a document and stores its job.
func (s *Server) take(r *request, doc *spooled, job *hub.CaptureJob, xml bool) error {
	c := reading{s: s, proceed: job.Proceed}
	if _, err := doc.check(&c, xml); err != nil && (!job.Proceed || c.invalid == 0 || c.invalid == c.events) {
		return errors.Join(err)
	}
	if c.invalid > 0 && (!job.Proceed || c.invalid == c.events) {
		return c.faults.Err()
	}
	job.Events = c.events
	if err := doc.keep(); err != nil {
		return err
	}
	return s.Jobs.PutJob(r.Context(), *job)
}

func onlyJSONOrXML(r *request) error {
	_, err := viewOf(r.Request)
	return err
}

// errorBehaviour reads the header by the name of the ratified standard and by the one that some clients know.
func errorBehaviour(h http.Header) (proceed bool, err error) {
	stated := h.Get("GS1-Capture-Error-Behaviour")
	if stated == "" {
		stated = h.Get("GS1-EPCIS-Capture-Error-Behaviour")
	}
	switch strings.ToLower(strings.TrimSpace(stated)) {
	case "", "rollback":
		return false, nil
	case "proceed":
		return true, nil
	}
	return false, refuse(validation, http.StatusBadRequest, "capture.behaviour",
		"GS1-Capture-Error-Behaviour is "+strconv.Quote(stated)+"; allowed are rollback and proceed",
		"GS1-Capture-Error-Behaviour 的值 "+strconv.Quote(stated)+" 无效，允许 rollback 和 proceed")
}

// jobJSON is a capture job as the standard shows it.
type jobJSON struct {
	CaptureID  string    `json:"captureID"`
	CreatedAt  string    `json:"createdAt"`
	FinishedAt string    `json:"finishedAt,omitempty"`
	Running    bool      `json:"running"`
	Success    bool      `json:"success"`
	Behaviour  string    `json:"captureErrorBehaviour"`
	Errors     []problem `json:"errors"`
}

func jobOf(j hub.CaptureJob) jobJSON {
	out := jobJSON{
		CaptureID: j.ID, CreatedAt: stamp(j.CreatedAt), Running: j.Running, Success: j.Success, Behaviour: "rollback", Errors: []problem{},
	}
	if j.Proceed {
		out.Behaviour = "proceed"
	}
	if !j.FinishedAt.IsZero() {
		out.FinishedAt = stamp(j.FinishedAt)
	}
	for _, e := range j.Errors {
		p := problemOf(&hub.Fault{
			Kind: e.Kind, Code: e.Code, Message: e.Message, MessageZh: e.MessageZh, Hint: e.Hint, HintZh: e.HintZh, Where: e.Where,
		})
		p.EventID = e.EventID
		if e.EventID != "" && !strings.Contains(p.Detail, e.EventID) {
			p.Detail = e.EventID + ": " + p.Detail
		}
		p.Instance = "/epcis/capture/" + j.ID
		out.Errors = append(out.Errors, p)
	}
	return out
}

func (s *Server) captureJob(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeCapture, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	j, err := s.Jobs.Job(r.Context(), r.params[0])
	if err != nil {
		return err
	}
	if own := r.sees(); own != "" && j.Provider != own {
		return hub.Faultf(hub.NotFound, "capture.unknown", "there is no capture job %q", r.params[0])
	}
	return answerJSON(w, http.StatusOK, jobOf(j))
}

func (s *Server) captureJobs(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeCapture, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	size, from, err := s.paging(r)
	if err != nil {
		return err
	}
	var before time.Time
	if from.Marked {
		before = time.UnixMicro(from.Time)
	}
	found, err := s.Jobs.Jobs(r.Context(), r.sees(), before, from.Key, size+1)
	if err != nil {
		return err
	}
	if len(found) > size {
		found = found[:size]
		last := found[size-1]
		from.setMark(&hub.Mark{EventTime: last.CreatedAt})
		from.Key = last.ID
		if err := s.stateNext(w.Header(), r, size, from); err != nil {
			return err
		}
	}
	out := make([]jobJSON, len(found))
	for i, j := range found {
		out[i] = jobOf(j)
	}
	return answerJSON(w, http.StatusOK, out)
}

// RecordID is the id of a captured record: the digest of its bytes, so that the same document posted again brings the same
// records, and nothing is recorded twice.
func recordID(preamble, body []byte) hub.RecordID {
	return hub.RecordID("sha256:" + hub.RawDigest(preamble, body).String())
}

// master is the record that states a document's master data, nil when there is none.
func master(h *epcis.Header, document func() ([]byte, error), at time.Time) (*hub.Record, error) {
	if len(h.MasterData("", at)) == 0 {
		return nil, nil //nolint:nilnil // nothing to state
	}
	body, err := document()
	if err != nil {
		return nil, err
	}
	return &hub.Record{ID: recordID(nil, body), Body: body, Line: 1, Column: 1}, nil
}
