package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// anchorJSON is a sealed checkpoint and where it is on its way to the ledger.
type anchorJSON struct {
	Origin       string         `json:"origin"`
	Size         uint64         `json:"size"`
	PreviousSize uint64         `json:"previousSize"`
	Root         hub.Digest     `json:"root"`
	Checkpoint   string         `json:"checkpoint"`
	State        string         `json:"state"`
	SealedAt     time.Time      `json:"sealedAt"`
	CommittedAt  *time.Time     `json:"committedAt,omitempty"`
	Evidence     []hub.Evidence `json:"evidence,omitempty"`
}

func anchorOf(c hub.Sealed) anchorJSON {
	return anchorJSON{
		Origin: c.Checkpoint.Origin, Size: c.Checkpoint.Size, PreviousSize: c.PreviousSize, Root: c.Checkpoint.Root,
		Checkpoint: string(c.Checkpoint.Note), State: c.State.String(), SealedAt: c.SealedAt,
		CommittedAt: timePtr(c.CommittedAt), Evidence: c.Evidence,
	}
}

// AnchorStatus is how far the log and its ledgers are.
type AnchorStatus struct {
	Origin string `json:"origin"`
	// Size is how many events there are, Sealed how many a signed checkpoint covers, Committed how many the ledgers have
	// witnessed.
	Size      uint64 `json:"size"`
	Sealed    uint64 `json:"sealed"`
	Committed uint64 `json:"committed"`
	// OldestUnanchoredSeconds is how long the oldest event has waited that the ledgers have not witnessed; 0 if there is none.
	OldestUnanchoredSeconds float64 `json:"oldestUnanchoredSeconds"`
	// TransactionsPerMillion is how many ledger transactions a million events have cost since the start of this process.
	TransactionsPerMillion float64        `json:"transactionsPerMillion"`
	Ledgers                []LedgerStatus `json:"ledgers"`
}

// LedgerStatus is how far one ledger is: Holds is the size of the newest checkpoint that it is known to hold.
type LedgerStatus struct {
	Name  string `json:"name"`
	Holds uint64 `json:"holds"`
}

// anchors lists checkpoints, newest first; ?before= continues a page. Checkpoints are public: they name no one's data.
func (s *Server) anchors(w http.ResponseWriter, r *http.Request) error {
	before := uint64(math.MaxInt64)
	if q := r.URL.Query().Get("before"); q != "" {
		n, err := strconv.ParseUint(q, 10, 63)
		if err != nil || n == 0 {
			return hub.Faultf(hub.Invalid, "query.before", "before=%q is not a log size", q)
		}
		before = n - 1
	}
	const page = 100
	sealed, err := s.Anchors.SealedFrom(r.Context(), before, -page)
	if err != nil {
		return err
	}
	size, err := s.Records.LogSize(r.Context())
	if err != nil {
		return err
	}
	out := make([]anchorJSON, len(sealed))
	for i, c := range sealed {
		out[i] = anchorOf(c)
	}
	status, err := s.AnchorStatus(r.Context())
	if err != nil {
		return err
	}
	body := map[string]any{"logSize": size, "status": status, "anchors": out}
	if len(sealed) == page {
		body["next"] = "/v1/anchors?before=" + strconv.FormatUint(sealed[page-1].Checkpoint.Size, 10)
	}
	answer(w, http.StatusOK, body)
	return nil
}

func (s *Server) anchor(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.ParseUint(r.PathValue("size"), 10, 63)
	if err != nil {
		return hub.Faultf(hub.Invalid, "path.size", "%q is not a log size", r.PathValue("size"))
	}
	sealed, err := s.Anchors.SealedFrom(r.Context(), n, 1)
	if err != nil {
		return err
	}
	if len(sealed) == 0 || sealed[0].Checkpoint.Size != n {
		return hub.Faultf(hub.NotFound, "anchor.unknown", "no checkpoint of size %d is sealed", n).WithHint("they are listed at /v1/anchors")
	}
	answer(w, http.StatusOK, anchorOf(sealed[0]))
	return nil
}

// consistency answers with the proof that the checkpoint of this size extends the one of size ?from=.
func (s *Server) consistency(w http.ResponseWriter, r *http.Request) error {
	to, err := strconv.ParseUint(r.PathValue("size"), 10, 63)
	if err != nil {
		return hub.Faultf(hub.Invalid, "path.size", "%q is not a log size", r.PathValue("size"))
	}
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 63)
	if err != nil || from == 0 || from > to {
		return hub.Faultf(hub.Invalid, "query.from", "from=%q is not the size of an earlier checkpoint", r.URL.Query().Get("from"))
	}
	proof, err := s.Anchors.Consistency(r.Context(), from, to)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, proof)
	return nil
}

// trust answers with the trust file, which a verifier should also fetch by another way than from the hub itself.
func (s *Server) trust(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(s.Anchors.Trust())
	return nil
}
