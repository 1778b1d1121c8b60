package pipeline_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// The child process of the kill test is this test binary with these variables set: the directory, and the round's name or
// "drain".
const (
	childDir   = "SUYUAN_PIPELINE_CHILD_DIR"
	childRound = "SUYUAN_PIPELINE_CHILD_ROUND"
	// killRounds is how many rounds the test has; default 4.
	killRounds = "SUYUAN_KILL_ROUNDS"
	drain      = "drain"
)

// TestKillLosesNothing publishes from a child process that is killed at a random point of the load, again and again, and
// then lets what is left be processed. Every record whose publish was answered must be recorded, and none twice.
func TestKillLosesNothing(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv(killRounds)); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	acknowledged := make(map[string]bool)
	for round := range rounds {
		killed(t, dir, strconv.Itoa(round), 1+rand.IntN(4000), acknowledged)
	}
	cmd := childCommand(t, dir, drain)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the last child: %v\n%s", err, out)
	}
	seen := make(map[string]int)
	for _, id := range readLog(t, dir) {
		seen[id]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s is recorded %d times", id, n)
		}
	}
	for id := range acknowledged {
		if seen[id] == 0 {
			t.Errorf("%s was acknowledged and is not recorded", id)
		}
	}
	t.Logf("%d rounds: %d acknowledged, %d recorded", rounds, len(acknowledged), len(seen))
}

func childCommand(t *testing.T, dir, round string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childRound+"="+round)
	return cmd
}

// killed runs a child until it has acknowledged n records, kills it, and notes everything that it acknowledged.
func killed(t *testing.T, dir, round string, n int, acknowledged map[string]bool) {
	t.Helper()
	cmd := childCommand(t, dir, round)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged[lines.Text()] = true
		if count++; count == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); count < n {
		t.Fatalf("the child of round %s ended by itself after %d records: %v\n%s", round, count, err, stderr.String())
	}
}

// child publishes from many callers and prints the id of every record that is acknowledged, until it is killed; or it
// only processes what is left, and ends.
func child(dir, round string) int {
	store, err := openFileStore(dir)
	if err == nil {
		err = childRun(dir, round, store)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func childRun(dir, round string, store *fileStore) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p, err := pipeline.Open(ctx, pipeline.Config{Dir: dir, MinFree: -1}, pipeline.Deps{
		Normaliser: words{}, Appender: store, Morgue: newMemory(),
	})
	if err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- p.Run(ctx) }()
	if round == drain {
		for s, err := p.Stats(ctx); s.Lag > 0 || s.InFlight > 0 || err != nil; s, err = p.Stats(ctx) {
			if ctx.Err() != nil {
				return fmt.Errorf("it does not drain: %+v, %w", s, err)
			}
			<-time.After(20 * time.Millisecond)
		}
		cancel()
		return <-stopped
	}
	var callers sync.WaitGroup
	for c := range 32 {
		callers.Go(func() {
			for i := 0; ; i++ {
				e := env(fmt.Sprintf("%s-%d-%d", round, c, i), many(1+i%3, "x")...)
				if p.Publish(ctx, e) != nil {
					return
				}
				var ids strings.Builder
				for _, r := range e.Records {
					ids.WriteString(string(r.ID) + "\n")
				}
				_, _ = io.WriteString(os.Stdout, ids.String()) // one write, so that no line is torn
			}
		})
	}
	callers.Wait()
	return <-stopped
}

// fileStore is a durable Appender: a file of record ids in which a batch counts once its closing line is written.
type fileStore struct {
	mu   sync.Mutex
	file *os.File
	have map[hub.RecordID]bool
}

const closing = "="

func logPath(dir string) string { return filepath.Join(dir, "log.txt") }

func openFileStore(dir string) (*fileStore, error) {
	ids, good, err := parseLog(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(logPath(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(good); err != nil {
		return nil, err
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		return nil, err
	}
	s := &fileStore{file: f, have: make(map[hub.RecordID]bool)}
	for _, id := range ids {
		s.have[hub.RecordID(id)] = true
	}
	return s, nil
}

func (s *fileStore) Append(_ context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verdicts := make([]hub.Verdict, len(outcomes))
	var b strings.Builder
	for i := range outcomes {
		id := outcomes[i].Record.ID
		verdicts[i] = hub.Repeated
		if !s.have[id] {
			verdicts[i], s.have[id] = hub.Recorded, true
			b.WriteString(string(id) + "\n")
		}
	}
	if _, err := s.file.WriteString(b.String() + closing + "\n"); err != nil {
		return nil, err
	}
	return verdicts, s.file.Sync()
}

// parseLog returns the ids of whole batches and where the last of them ends.
func parseLog(dir string) (ids []string, good int64, err error) {
	b, err := os.ReadFile(logPath(dir))
	if err != nil && !os.IsNotExist(err) {
		return nil, 0, err
	}
	var open []string
	at := int64(0)
	for line := range strings.Lines(string(b)) {
		at += int64(len(line))
		switch word := strings.TrimSuffix(line, "\n"); word {
		case line: // torn
		case closing:
			ids, open, good = append(ids, open...), nil, at
		default:
			open = append(open, word)
		}
	}
	return ids, good, nil
}

func readLog(t *testing.T, dir string) []string {
	t.Helper()
	ids, _, err := parseLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
