package api

import (
	"context"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// Setup is the folder of instance files and mappings as the hub has it.
type Setup interface {
	// Folder says when the folder was applied, and what keeps its newer state from being applied.
	Folder() Folder
	// Files are the texts that a connector runs with, by path: its instance file, its mapping, and the mapping's tables.
	// They hold references to secrets, never secrets. A connector that is not there has none.
	Files(id hub.ConnectorID) map[string]string
	// Latest returns the newest n raw records of a connector that are still kept, oldest first, one an envelope.
	Latest(ctx context.Context, id hub.ConnectorID, n int) ([]hub.Envelope, error)
}

// Folder is the folder of instance files.
type Folder struct {
	AppliedAt time.Time
	// Faults are those of the folder's newest state. While there are any, the hub goes on with what it had.
	Faults hub.Faults
}

// folderJSON is the folder as the API shows it.
type folderJSON struct {
	AppliedAt time.Time `json:"appliedAt"`
	Faults    []Problem `json:"faults,omitempty"`
}

func folderOf(f Folder) folderJSON {
	out := folderJSON{AppliedAt: f.AppliedAt}
	for _, fault := range f.Faults {
		out.Faults = append(out.Faults, ProblemOf(fault))
	}
	return out
}

// files answers with what a connector runs with.
func (s *Server) files(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	files := s.Setup.Files(hub.ConnectorID(r.PathValue("id")))
	if len(files) == 0 {
		return noConnector(r)
	}
	answer(w, http.StatusOK, map[string]any{"files": files})
	return nil
}

// rawJSON is one raw record as the API shows it. The bytes are text where they are UTF-8, base64 otherwise.
type rawJSON struct {
	ID          hub.RecordID `json:"id"`
	ReceivedAt  time.Time    `json:"receivedAt"`
	Origin      string       `json:"origin,omitempty"`
	ContentType string       `json:"contentType,omitempty"`
	Line        int          `json:"line,omitempty"`
	Column      int          `json:"column,omitempty"`
	Preamble    []byte       `json:"preambleBase64,omitempty"`
	Body        string       `json:"body,omitempty"`
	BodyBase64  []byte       `json:"bodyBase64,omitempty"`
}

// maxRaw bounds one answer of raw records.
const maxRaw = 1000

// raw answers with the newest raw records of a connector: what a changed mapping is tried on.
func (s *Server) raw(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	n := 20
	if text := r.URL.Query().Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxRaw {
			return hub.Faultf(hub.Invalid, "query.n", "n=%q is not a number of records", text).WithHint("1 to 1000")
		}
	}
	found, err := s.Setup.Latest(r.Context(), hub.ConnectorID(r.PathValue("id")), n)
	if err != nil {
		return err
	}
	out := []rawJSON{}
	for _, env := range found {
		for _, rec := range env.Records {
			one := rawJSON{
				ID: rec.ID, ReceivedAt: env.ReceivedAt, Origin: env.Origin, ContentType: env.ContentType,
				Line: rec.Line, Column: rec.Column, Preamble: env.Preamble,
			}
			if utf8.Valid(rec.Body) {
				one.Body = string(rec.Body)
			} else {
				one.BodyBase64 = rec.Body
			}
			out = append(out, one)
		}
	}
	answer(w, http.StatusOK, map[string]any{"records": out})
	return nil
}
