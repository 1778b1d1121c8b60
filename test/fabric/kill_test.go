package fabric_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// childVariable holds the orders of a child process; see child.
const childVariable = "SUYUAN_FABRIC_CHILD"

// orders are what a child process shall do: anchor what is in the store, and die at a step.
type orders struct {
	Config fabric.Config
	Dir    string
	// DieAt is the number of the step at which it kills itself, -1 for none. Steps are before and after every write to
	// the journal and every call of the network, so that one lies between any two durable steps of the log and of the
	// driver.
	DieAt int
}

// child is the hub's part in a process of its own: the sealer over a database on disk. TestMain runs it.
func child(encoded string) error {
	var o orders
	if err := json.Unmarshal([]byte(encoded), &o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(o.Dir, "hub.db")})
	if err != nil {
		return err
	}
	steps := &steps{left: int64(o.DieAt)}
	ledger, err := fabric.Open(o.Config, filepath.Join(o.Dir, "fabric"), grpc.WithChainUnaryInterceptor(steps.call))
	if err != nil {
		return err
	}
	key, err := anchor.LoadOrCreateKey(filepath.Join(o.Dir, "log.key"), "hub.example/log")
	if err != nil {
		return err
	}
	log, err := anchor.New(anchor.Options{
		Key: key, Leaves: store, Journal: journal{store, steps}, Ledgers: []anchor.Ledger{ledger}, CommitTimeout: commitTimeout,
	})
	if err != nil {
		return err
	}
	for err = log.Flush(ctx); err != nil && hub.KindOf(err) != hub.Conflict && ctx.Err() == nil; err = log.Flush(ctx) {
		fmt.Fprintln(os.Stderr, "again, after", err) // a busy machine can make a call last too long
	}
	return errors.Join(err, ledger.Close(), store.Close())
}

// steps counts down to the step at which the process dies.
type steps struct{ left int64 }

func (s *steps) step() {
	if atomic.AddInt64(&s.left, -1) == -1 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing more is done
	}
}

func (s *steps) call(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	s.step()
	defer s.step()
	return invoke(ctx, method, request, reply, conn, options...)
}

// journal is a journal whose writes are steps.
type journal struct {
	anchor.Journal

	steps *steps
}

func (j journal) Seal(ctx context.Context, s anchor.Sealed, tiles []anchor.Tile) error {
	j.steps.step()
	defer j.steps.step()
	return j.Journal.Seal(ctx, s, tiles)
}

func (j journal) SaveProgress(ctx context.Context, s anchor.Sealed) error {
	j.steps.step()
	defer j.steps.step()
	return j.Journal.SaveProgress(ctx, s)
}

// TestKilledBetweenAnyTwoSteps kills the hub with kill -9 at every step of a commit in turn, and lets it recover each
// time. In the end every checkpoint is on the channel, once, and the log has not forked.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	w := newWorld(t, deploy(t))
	o := orders{Config: w.config, Dir: w.dir}
	killed := 0
	for ; ; killed++ {
		appendEvents(t, w.dir, killed)
		o.DieAt = killed
		if !runChild(t, o) {
			break
		}
		o.DieAt = -1
		if runChild(t, o) {
			t.Fatal("the child that recovers was killed")
		}
	}
	t.Logf("killed at %d steps", killed)
	if killed < 15 {
		t.Errorf("there were only %d steps", killed)
	}
	ctx := t.Context()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(w.dir, "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { do(t, store.Close) })
	w.store = store
	if w.key, err = anchor.LoadOrCreateKey(filepath.Join(w.dir, "log.key"), "hub.example/log"); err != nil {
		t.Fatal(err)
	}
	w.dir = filepath.Join(w.dir, "fabric")
	w.start(t)
	w.anchored(t)
	w.checkHistory(t)
}

// appendEvents records two events of round n.
func appendEvents(t *testing.T, dir string, n int) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := store.Append(t.Context(), []hub.Outcome{storetest.Outcome(t, 2*n+i, fmt.Sprint(2*n+i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// runChild runs this test's binary as the hub and reports whether it was killed at its step.
func runChild(t *testing.T, o orders) (killed bool) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(b))
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true
		}
	}
	if err != nil {
		t.Fatalf("the child that dies at %d: %v: %s", o.DieAt, err, out)
	}
	return false
}
