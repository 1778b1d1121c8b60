package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"suyuan": main}) }

// secret is that of the hub which the scripts send webhooks to.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

func TestScripts(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(receive))
	t.Cleanup(receiver.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RECEIVER", receiver.URL)
			e.Setenv("SECRET", secret)
			e.Setenv("FABRIC", os.Getenv(fabricnet.Environment))
			return os.CopyFS(filepath.Join(e.WorkDir, "consortium"), sample.Files())
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "change-event": changeEvent, "change-file": changeFile, "get-receipt": getReceipt, "serve-files": serveFiles,
		},
		Condition: func(name string) (bool, error) {
			if name != "fabric" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			programs, err := fabricnet.Find()
			return err == nil && programs.Contract != "" && os.Getenv(fabricnet.Environment) != "", nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// receive answers as a hub does: 202 to what is signed, 401 to what is not, a problem at /problem.
func receive(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/problem" {
		p := api.ProblemOf(hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector nobody").WithHint("check the last part of the address"))
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p)
		return
	}
	scheme, _ := webhook.Preset("standard-webhooks")
	v, err := webhook.NewVerifier(scheme, secret)
	if err != nil {
		panic(err)
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	if _, err := v.Verify(&webhook.Request{Method: r.Method, Header: r.Header, Body: body.Bytes()}, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(`{"records":["` + r.Header.Get("webhook-id") + `"]}`))
}

// exits runs suyuan and holds it to an exit code: exits 2 check --config suyuan.yaml.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	err := ts.Exec("suyuan", args[1:]...)
	code := "0"
	if err != nil {
		_, code, _ = strings.Cut(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("suyuan %s: exit code %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// changeEvent changes one byte of a recorded event in the database: change-event DB. In a block it is a digit of the id, whose 16
// bytes follow 64 others; it is taken out of the packed body, so that what is read is valid JSON. An event that was recorded by
// itself has its id in the packed body, which is not to be changed from outside: there it is the digest of what was sent.
func changeEvent(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	const seq = 5
	var raw, id []byte
	if err := db.QueryRow("SELECT raw FROM events WHERE seq = ?", seq).Scan(&raw); err == nil {
		raw[len(raw)-1] ^= 1
		_, err = db.Exec("UPDATE events SET raw = ? WHERE seq = ?", raw, seq)
		ts.Check(err)
		return
	}
	var first int
	ts.Check(db.QueryRow("SELECT first, packed FROM blocks WHERE first <= ? ORDER BY first DESC", seq).Scan(&first, &id))
	_, head := binary.Uvarint(id[1:])
	id[1+head+(seq-first)*(64+16+32)+64+15] ^= 1
	_, err = db.Exec("UPDATE blocks SET packed = ? WHERE first = ?", id, first)
	ts.Check(err)
}

// changeFile replaces the first OLD of a file by NEW: change-file FILE OLD NEW.
func changeFile(ts *testscript.TestScript, _ bool, args []string) {
	old := ts.ReadFile(args[0])
	changed := strings.Replace(old, args[1], args[2], 1)
	if changed == old {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(changed), 0o600))
}

// getReceipt writes a receipt and the trust file of a stopped hub: get-receipt DIR SEQ RECEIPT TRUST.
func getReceipt(ts *testscript.TestScript, _ bool, args []string) {
	cfg := demoConfig(ts.MkAbs(args[0]), "127.0.0.1:0")
	h, err := OpenHub(context.Background(), cfg, zap.NewNop())
	ts.Check(err)
	seq, err := strconv.ParseUint(args[1], 10, 63)
	ts.Check(err)
	p := &prover{h: h}
	receipt, err := p.Receipt(context.Background(), hub.Seq(seq))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), receipt, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), p.Trust(), 0o600))
	ts.Check(h.Close())
}

// serveFiles serves a folder as any web server does, at $FILES: serve-files DIR.
func serveFiles(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("FILES", server.URL)
}

// Every command says how it is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" {
			return // it is cobra's, whose long help says how
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Short == "" || (cmd.Example == "" && !cmd.HasSubCommands() && cmd.Name() != "version") {
			t.Errorf("%s lacks a description or an example", cmd.CommandPath())
		}
		if cmd.Example != "" && !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("the example of %s shows another command:\n%s", cmd.CommandPath(), cmd.Example)
		}
	}
	walk(rootCommand(stdio{}))
}
