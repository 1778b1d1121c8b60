package fabric_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/hub"
)

// errEnough ends a watch.
var errEnough = errors.New("enough")

// watch returns the sizes that a ledger tells until there are so many.
func watch(t *testing.T, l *fabric.Ledger, n int) ([]uint64, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var sizes []uint64
	err := l.Watch(ctx, "suite.example/log", func(c hub.Checkpoint) error {
		if sizes = append(sizes, c.Size); len(sizes) == n {
			return errEnough
		}
		return nil
	})
	return sizes, err
}

// begin makes the first call of Watch, from which on nothing is missed. dir is the ledger's folder.
func begin(t *testing.T, l *fabric.Ledger, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.Watch(ctx, "suite.example/log", nil) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(dir, "blocks.json")); err == nil {
			cancel()
			if err := <-ended; err == nil {
				t.Error("a watch that was ended has no error")
			}
			return
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func commitAll(t *testing.T, l anchor.Ledger, all ...anchor.Commitment) {
	t.Helper()
	for _, c := range all {
		if _, err := l.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchTellsWhatOthersCommit commits to the log by another hub, and to another log, while the peer ends the stream.
func TestWatchTellsWhatOthersCommit(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP")
	dir := t.TempDir()
	l, other := open(t, config(t, n), dir), open(t, config(t, n), t.TempDir())
	if _, err := l.Latest(t.Context(), "suite.example/log"); hub.KindOf(err) != hub.NotFound {
		t.Fatal(err)
	}
	log, another := anchortest.NewLog(t, "suite.example/log", "a"), anchortest.NewLog(t, "suite.example/other", "a")
	begin(t, l, dir)
	ended := make(chan string, 1)
	go func() {
		sizes, err := watch(t, l, 3)
		ended <- fmt.Sprint(sizes, err)
	}()
	commitAll(t, other, log.Commit(t, 0, 5), another.Commit(t, 0, 7), log.Commit(t, 5, 9), log.Commit(t, 9, 12))
	if got := <-ended; got != "[5 9 12] enough" {
		t.Errorf("it told %s", got)
	}
	// The last one was not settled: it comes again, and after it what was committed while nobody listened.
	commitAll(t, other, log.Commit(t, 12, 20))
	l = open(t, config(t, n), dir)
	if sizes, err := watch(t, l, 2); fmt.Sprint(sizes) != "[12 20]" || !errors.Is(err, errEnough) {
		t.Errorf("it told %v, %v", sizes, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blocks.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := watch(t, l, 1); err == nil || !strings.Contains(err.Error(), "read place in the channel") {
		t.Errorf("a damaged mark: %v", err)
	}
}

// TestWatchSaysThatTheStreamHasEnded ends the stream, as a peer does that is killed.
func TestWatchSaysThatTheStreamHasEnded(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	dir := t.TempDir()
	l := open(t, config(t, n), dir)
	log := anchortest.NewLog(t, "suite.example/log", "a")
	begin(t, l, dir)
	commitAll(t, l, log.Commit(t, 0, 5))
	err := l.Watch(t.Context(), "suite.example/log", func(hub.Checkpoint) error {
		n.EndStreams()
		return nil
	})
	if hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "has ended the stream") {
		t.Errorf("got %v", err)
	}
}

// TestWatchSeesThatTheChannelHasChanged replaces the peer's ledger by others.
func TestWatchSeesThatTheChannelHasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		blocks int
		kind   hub.Kind
		want   string
	}{
		"a longer one":        {20, hub.Conflict, "is not the one that was read before"},
		"one of equal length": {8, hub.Conflict, "is not the one that was read before"},
		"a shorter one":       {3, hub.Unavailable, "ends at block 2, block 7 was read before"},
	} {
		t.Run(name, func(t *testing.T) {
			n := fabrictest.New(t, "Org1MSP")
			dir := t.TempDir()
			l := open(t, config(t, n), dir)
			log := anchortest.NewLog(t, "suite.example/log", "a")
			commitAll(t, l, log.Commit(t, 0, 5), log.Commit(t, 5, 9))
			begin(t, l, dir)
			n.Replace(c.blocks)
			if _, err := watch(t, l, 1); hub.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
