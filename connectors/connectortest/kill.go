package connectortest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// The child of the crash check is the same test in a process of its own; these variables tell it what to do.
const (
	envDir   = "SUYUAN_CRASH_DIR"
	envPoint = "SUYUAN_CRASH_POINT"
)

// crashPoints are where the child kills itself, at the second time it comes there.
func crashPoints() []string {
	return []string{"before publish", "after publish", "after position", "before settle", "after settle"}
}

// kill lets child processes die by SIGKILL at every point of the ordered writes and checks that a later run has lost
// nothing and, under the same ids, taken nothing twice.
func (k kit) kill(t *testing.T) {
	if dir := os.Getenv(envDir); dir != "" {
		k.child(t, dir, os.Getenv(envPoint))
		return
	}
	for _, point := range crashPoints() {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			up := k.open(t, dir)
			want := texts(0, 20)
			for i := range 5 {
				up.Put(t, want[i*4:i*4+4]...)
			}
			for range 3 {
				runChild(t, dir, point)
			}
			stream, shelf := openStores(t, dir)
			inst := up.Instance(t)
			h, stop := run(t, inst, stream, shelf)
			waitForMarks(t, h, inst.ID, stream, want)
			settled(t, h, inst.ID)
			stop()
			ids := map[hub.RecordID]string{}
			for _, r := range stream.Records() {
				m := string(markRE.Find(r.Body))
				if other, seen := ids[r.ID]; seen && other != m {
					t.Errorf("the id %s stands for %s and %s", r.ID, other, m)
				}
				ids[r.ID] = m
			}
			if len(ids) != len(want) {
				t.Errorf("%d ids for %d records: something was taken twice under different ids", len(ids), len(want))
			}
		})
	}
}

// runChild runs this test again in a process that is to die.
func runChild(t *testing.T, dir, point string) {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/kill")
	pattern := "^" + strings.ReplaceAll(top, "/", "$/^") + "$/^kill_-9$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.timeout=5m")
	// Under the race detector a process that ends by itself waits a second for late reports by default.
	cmd.Env = append(os.Environ(), envDir+"="+dir, envPoint+"="+point, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		t.Log("died as asked")
		return
	}
	if err != nil {
		t.Fatalf("the child failed in place of dying: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "PASS") || strings.Contains(string(out), "no tests to run") { // it may finish: what is left can be too little to come to the point
		t.Fatalf("the child neither died nor passed:\n%s", out)
	}
}

func openStores(t *testing.T, dir string) (*Stream, *Shelf) {
	t.Helper()
	stream, err := OpenStream(filepath.Join(dir, "crash-stream.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
	shelf, err := OpenShelf(filepath.Join(dir, "crash-positions.json"))
	if err != nil {
		t.Fatal(err)
	}
	return stream, shelf
}

// child reads the upstream until it is idle, unless it dies before.
func (k kit) child(t *testing.T, dir, point string) {
	stream, shelf := openStores(t, dir)
	inst := k.open(t, dir).Instance(t)
	bomb := &bomb{point: point}
	opener, ok := inst.Options.(connectors.Opener)
	if !ok {
		t.Fatalf("%T opens no source", inst.Options)
	}
	inst.Options = armedOptions{opener, bomb}
	inst.Limits.InFlight = 3 // small groups, so that there is a middle to die in
	h, stop := run(t, inst, armedStream{stream, bomb}, armedShelf{shelf, bomb})
	settled(t, h, inst.ID)
	stop()
}

// bomb kills the process the second time that its point is passed.
type bomb struct {
	point string
	seen  int
}

func (b *bomb) pass(point string) {
	if point != b.point {
		return
	}
	if b.seen++; b.seen < 2 {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("kill -9 of myself: %v", err))
	}
	select {} // the signal is on its way
}

type armedStream struct {
	*Stream

	bomb *bomb
}

func (a armedStream) Publish(ctx context.Context, envelopes ...hub.Envelope) error {
	a.bomb.pass("before publish")
	err := a.Stream.Publish(ctx, envelopes...)
	a.bomb.pass("after publish")
	return err
}

type armedShelf struct {
	*Shelf

	bomb *bomb
}

func (a armedShelf) SavePosition(ctx context.Context, id hub.ConnectorID, p hub.Position) error {
	err := a.Shelf.SavePosition(ctx, id, p)
	a.bomb.pass("after position")
	return err
}

type armedOptions struct {
	connectors.Opener

	bomb *bomb
}

func (a armedOptions) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	src, err := a.Opener.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	return armedSource{src, a.bomb}, nil
}

type armedSource struct {
	connectors.Source

	bomb *bomb
}

func (a armedSource) Settle(ctx context.Context, item connectors.Item, refused error) error {
	a.bomb.pass("before settle")
	err := a.Source.Settle(ctx, item, refused)
	a.bomb.pass("after settle")
	return err
}
