package witness_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/hub"
)

// served is a witness behind HTTP that can be stopped and started anew on the same folder.
type served struct {
	*witness.Ledger

	dir     string
	key     *anchor.SigningKey
	logs    []anchor.VerifierKey
	server  *httptest.Server
	witness *witness.Witness
}

func serve(t testing.TB, logs ...anchor.VerifierKey) *served {
	t.Helper()
	key, err := anchor.GenerateKey("witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{dir: filepath.Join(t.TempDir(), "state"), key: key, logs: logs}
	s.start(t)
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *served) start(t testing.TB) {
	t.Helper()
	var err error
	s.witness, err = witness.New(witness.Options{Key: s.key, Logs: s.logs, Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(s.witness)
	if s.Ledger, err = witness.Open(s.server.URL+"/", s.witness.Key().String()); err != nil {
		t.Fatal(err)
	}
}

func TestLedger(t *testing.T) {
	ledgertest.Run(t, ledgertest.Subject{
		Open: func(t testing.TB, logs ...anchor.VerifierKey) anchor.Ledger { return serve(t, logs...) },
		Reopen: func(t testing.TB, l anchor.Ledger) anchor.Ledger {
			s, ok := l.(*served)
			if !ok {
				t.Fatalf("%T is not the served witness", l)
			}
			s.server.Close()
			s.start(t)
			return s
		},
		Verify: witness.Verify, NewestOnly: true,
	})
}

// post asks a witness as any client of the protocol does.
func (s *served) post(t *testing.T, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/add-checkpoint", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, req)
}

func answer(t *testing.T, req *http.Request) (int, string, http.Header) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// body writes a request by hand, as c2sp.org/tlog-witness specifies it.
func body(c anchor.Commitment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", c.PreviousSize)
	for _, h := range c.Consistency {
		b.WriteString(base64Of(h) + "\n")
	}
	return b.String() + "\n" + string(c.Checkpoint.Note)
}

func TestProtocol(t *testing.T) {
	log := anchortest.NewLog(t, "hub.example/log", "a")
	other := anchortest.NewLog(t, "other.example/log", "a")
	fork := log.Fork(t, 3, "b")
	s := serve(t, log.Key.Public())
	first, second := log.Commit(t, 0, 5), log.Commit(t, 5, 9)
	fork.Grow(t, 5)
	forked := fork.Commit(t, 5, 9)
	stranger := anchortest.NewLog(t, "hub.example/log", "a").Commit(t, 0, 5)
	lineOf := func(c anchor.Commitment) string {
		_, sigs, err := anchor.ParseCheckpoint(c.Checkpoint.Note)
		if err != nil {
			t.Fatal(err)
		}
		return anchor.SignatureOf("hub.example/log", sigs)
	}
	broken := strings.Replace(body(first), "— hub.example/log ", "— hub.example/log AAAA", 1)
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"empty body", "", 400, ""},
		{"no old line", "\n" + body(first), 400, ""},
		{"size with zero", strings.Replace(body(first), "old 0", "old 00", 1), 400, ""},
		{"proof that is no hash", strings.Replace(body(first), "\n", "\nAAAA\n", 1), 400, ""},
		{"64 hashes", strings.Replace(body(first), "\n", "\n"+strings.Repeat(base64Of(hub.Digest{})+"\n", 64), 1), 400, ""},
		{"unknown log", body(other.Commit(t, 0, 5)), 404, ""},
		{"foreign key", body(stranger), 403, ""},
		{"signature by an unknown key id", broken, 403, ""},
		{"a second signature by the key, which does not fit", body(first) + lineOf(second), 403, ""},
		{"old larger than new", strings.Replace(body(first), "old 0", "old 6", 1), 400, ""},
		{"wrong old size", strings.Replace(body(first), "old 0", "old 3", 1), 409, "0\n"},
		{"proof from nothing", strings.Replace(body(first), "\n", "\n"+base64Of(hub.Digest{})+"\n", 1), 422, ""},
		{"empty tree with a root", "old 0\n\n" + string(log.Key.SignCheckpoint(0, hub.Digest{1}).Note), 422, ""},
		{"first, signed by a stranger too", body(first) + lineOf(stranger), 200, ""},
		{"first again, from nothing", body(first), 409, "5\n"},
		{"rewritten history", body(forked), 422, ""},
		{"other root for the size", "old 5\n\n" + string(log.Key.SignCheckpoint(5, hub.Digest{1}).Note), 422, ""},
		{"same again", "old 5\n\n" + string(first.Checkpoint.Note), 200, ""},
		{"second", body(second), 200, ""},
		{"back to the first", body(first), 409, "9\n"},
	} {
		status, said, header := s.post(t, c.body)
		if status != c.status || c.says != "" && said != c.says {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, said, c.status, c.says)
		}
		if status == 409 && header.Get("Content-Type") != "text/x.tlog.size" {
			t.Errorf("%s: its type is %s", c.name, header.Get("Content-Type"))
		}
	}
	refused, err := os.ReadFile(filepath.Join(s.dir, hub.Sum([]byte("hub.example/log")).String()+".refused"))
	if err != nil || !bytes.Contains(refused, []byte("hub.example/log\n5\n")) {
		t.Errorf("the refused checkpoint was not kept: %q, %v", refused, err)
	}
}

// TestMonitorsSeeTheCosignedCheckpoint opens what a monitor gets with golang.org/x/mod/sumdb/note for the log's
// signature and by hand, as c2sp.org/tlog-cosignature says, for the witness's.
func TestMonitorsSeeTheCosignedCheckpoint(t *testing.T) {
	log := anchortest.NewLog(t, "hub.example/log", "a")
	s := serve(t, log.Key.Public())
	url := s.server.URL + "/" + hub.Sum([]byte("hub.example/log")).String() + "/checkpoint"
	get := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, b, _ := answer(t, req)
		return status, b
	}
	if status, _ := get(); status != http.StatusNotFound {
		t.Errorf("before the first checkpoint: %d", status)
	}
	c := log.Commit(t, 0, 5)
	_, line, _ := s.post(t, body(c))
	status, signed := get()
	if status != 200 || signed != string(c.Checkpoint.Note)+line {
		t.Fatalf("%d %q", status, signed)
	}
	logKey, err := note.NewVerifier(log.Key.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(logKey))
	if err != nil || len(opened.UnverifiedSigs) != 1 || opened.UnverifiedSigs[0].Name != "witness.example/w1" {
		t.Errorf("%+v, %v", opened, err)
	}
	at, err := s.witness.Key().Verify(c.Checkpoint, line)
	if err != nil || time.Since(at) > time.Hour {
		t.Errorf("cosigned at %v, %v", at, err)
	}
}

// TestHubThatRewritesHistoryIsRefused builds such a hub: with the log's own key it forks the log and asks the witness.
func TestHubThatRewritesHistoryIsRefused(t *testing.T) {
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, key.Public())
	history := func(provider string) (*anchor.Log, *anchortest.Store) {
		store := &anchortest.Store{}
		for n := range 7 {
			e := anchortest.Event(n, time.Unix(1e9, 0))
			if n == 2 {
				e.Leaf.Provider = hub.ProviderID(provider)
			}
			store.Append(e)
		}
		l, err := anchor.New(anchor.Options{Key: key, Leaves: store, Journal: store, Ledgers: []anchor.Ledger{anchor.Named(s, "customs")}})
		if err != nil {
			t.Fatal(err)
		}
		return l, store
	}
	honest, store := history("honest")
	if err := honest.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := honest.Receipt(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := anchor.ParseTrust([]byte("origin: hub.example/log\nkeys: [" + key.Public().String() + "]\n" +
		"ledgers: {witness/customs: {key: " + s.witness.Key().String() + "}, witness/bank: {key: x}}\nrequire: 1"))
	if err != nil {
		t.Fatal(err)
	}
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{witness.Kind: witness.Verify}}
	if report, err := v.Verify(b, trust); err != nil || !report.Pinned {
		t.Errorf("receipt: %v", err)
	}
	store.Append(anchortest.Event(7, time.Unix(1e9, 0)))
	if err := honest.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	forger, _ := history("forged")
	if err := forger.Flush(t.Context()); hub.KindOf(err) != hub.Conflict {
		t.Errorf("the forger's log: %v, want an alarm", err)
	}
	if err := forger.Ready(); hub.KindOf(err) != hub.Conflict {
		t.Errorf("the forger goes on: %v", err)
	}
}

func TestDamagedStateIsNotForgotten(t *testing.T) {
	log := anchortest.NewLog(t, "hub.example/log", "a")
	s := serve(t, log.Key.Public())
	c := log.Commit(t, 0, 5)
	s.post(t, body(c))
	path := filepath.Join(s.dir, hub.Sum([]byte("hub.example/log")).String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("\n5\n"), []byte("\n4\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.post(t, body(log.Commit(t, 5, 9))); status != http.StatusInternalServerError {
		t.Errorf("a witness with damaged state answers %d", status)
	}
}

func TestBadURLsAndKeysAreRefused(t *testing.T) {
	log := anchortest.NewLog(t, "hub.example/log", "a")
	key, err := log.Key.CosignerKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"ftp://w.example", key.String()}, {"w.example", key.String()}, {"https://w.example", log.Key.Public().String()}, {"https://w.example", ""},
	} {
		if _, err := witness.Open(c[0], c[1]); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s %s: %v, want Invalid", c[0], c[1], err)
		}
	}
}

// FuzzAddCheckpoint gives the witness any bytes: it must not cosign what does not extend what it holds.
func FuzzAddCheckpoint(f *testing.F) {
	log := anchortest.NewLog(f, "hub.example/log", "a")
	first, second := log.Commit(f, 0, 5), log.Commit(f, 5, 9)
	key, err := anchor.GenerateKey("witness.example/w1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(body(first)))
	f.Add([]byte(body(second)))
	f.Add([]byte("old 5\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A witness of its own for each input, which has seen the first checkpoint: what one input does is no other's matter.
		w, err := witness.New(witness.Options{Key: key, Logs: []anchor.VerifierKey{log.Key.Public()}, Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(b []byte) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(b)))
			return rec
		}
		if rec := ask([]byte(body(first))); rec.Code != http.StatusOK {
			t.Fatalf("%d for the first checkpoint", rec.Code)
		}
		rec := ask(b)
		if rec.Code == 200 && !bytes.HasSuffix(b, first.Checkpoint.Note) && !bytes.HasSuffix(b, second.Checkpoint.Note) {
			t.Errorf("cosigned %q", b)
		}
		if rec.Code >= 500 {
			t.Errorf("%d for %q", rec.Code, b)
		}
		if after := ask([]byte(body(second))); after.Code != http.StatusOK && rec.Code != http.StatusOK {
			t.Errorf("after %q, which was refused, the honest log is answered with %d", b, after.Code)
		}
	})
}

func base64Of(h hub.Digest) string { return base64.StdEncoding.EncodeToString(h[:]) }
