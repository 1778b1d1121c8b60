package fault

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// Whenever the hub is killed, in start-up as under load, every answered record is in the books once: SUYUAN_FAULT_KILLS runs.
func TestKilledAtRandomPoints(t *testing.T) {
	runs, each, rows := count(t, "SUYUAN_FAULT_KILLS", 2), count(t, "SUYUAN_FAULT_LOAD", 500), 200
	s := dropSite(t, "stream: { minFree: 1MiB }\n")
	push := hubtest.NewPush()
	var left []int
	for run := range runs {
		p := s.Launch()
		drop(t, s, "k"+string(rune('a'+run%26))+string(rune('a'+run/26)), rows)
		for _, i := range numbers(each) {
			left = append(left, run*each+i)
		}
		killed := make(chan struct{})
		time.AfterFunc(time.Duration(rand.IntN(1500))*time.Millisecond, func() { _ = p.Cmd.Process.Kill(); close(killed) })
		left = push.All(p, left, killed)
		<-killed
		p.Kill()
		accepted, _ := push.Counts()
		t.Logf("run %d: killed with %d accepted", run+1, accepted)
		p = s.Start()
		finish(t, p, push, left)
		left = nil
		settle(t, p, (run+1)*(each+rows))
		hubtest.Audit(t, s, push, (run+1)*(each+rows))
		p.Kill()
	}
}

// during pushes webhooks one after the other while fault runs, each until it is accepted; then the books must balance and the
// hub be well.
func during(t *testing.T, s *hubtest.Site, p *hubtest.Process, fault func(*hubtest.Push)) {
	t.Helper()
	push := hubtest.NewPush()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	total := 0
	var left []int
	var wg sync.WaitGroup
	wg.Go(func() {
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for ; ctx.Err() == nil; total++ {
			for !push.One(p, total) {
				select {
				case <-again.C:
					continue
				case <-ctx.Done():
					left = append(left, total)
				}
				break
			}
		}
	})
	fault(push)
	stop()
	wg.Wait()
	accepted, refused := push.Counts()
	t.Logf("during the fault: %d accepted, %d refused %v", accepted, refused, push.Refused)
	finish(t, p, push, left)
	settle(t, p, total)
	p.Await("ready again", func() bool { return p.Get("/readyz", nil) == http.StatusOK })
	hubtest.Audit(t, s, push, total)
	if code := p.Stop(); code != 0 {
		t.Errorf("drain ended with %d\n%s", code, p.Log)
	}
}

// someAccepted waits until more than n pushes are accepted.
func someAccepted(p *hubtest.Process, push *hubtest.Push, n int) {
	p.Await("pushes are accepted", func() bool { a, _ := push.Counts(); return a > n })
}

// Every sync takes 30 ms longer: all is slower, nothing is lost or done twice.
func TestASlowDisk(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		end := inject(t, p, "fsync,fdatasync:delay_exit=30000")
		someAccepted(p, push, 20)
		end()
	})
}

// The ledger's disk fails: events are recorded and wait; when it is well again they are anchored without a restart.
func TestTheLedgerIsDown(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 0)
		end := inject(t, p, "fsync:error=EIO", dataFile(s, "notary.log"))
		before, _ := push.Counts()
		someAccepted(p, push, before+20)
		p.Await("the hub says that anchoring fails", func() bool {
			status, b := p.Do(http.MethodGet, "/readyz", nil, nil)
			if status != http.StatusOK {
				t.Errorf("a ledger that is down makes the hub not ready: %d %s", status, b)
			}
			return bytes.Contains(b, []byte("anchoring fails and is tried again"))
		})
		if _, committed := p.LogSize(); committed > 0 {
			size, _ := p.LogSize()
			if committed >= size {
				t.Errorf("%d of %d are committed while the ledger is down", committed, size)
			}
		}
		end()
	})
}

// The database's disk fails: nothing is recorded, what is accepted waits in the raw stream.
func TestTheStoreFails(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 0)
		end := inject(t, p, "fsync,fdatasync:error=EIO", dataFile(s, "hub.db-wal"), dataFile(s, "hub.db"))
		before, _ := push.Counts()
		someAccepted(p, push, before+5)
		p.Await("the hub says that appends fail", func() bool { return p.Get("/readyz", nil) == http.StatusServiceUnavailable })
		end()
	})
}

// The raw stream's disk fails: requests are refused, and the embedded server is replaced when the disk is well again.
func TestTheRawStreamFails(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 5)
		blocks, err := filepath.Glob(dataFile(s, "stream", "jetstream", "*", "streams", "SUYUAN_RAW", "msgs", "*.blk"))
		if err != nil || len(blocks) == 0 {
			t.Fatalf("no blocks of the raw stream: %v", err)
		}
		end := inject(t, p, "write,pwrite64,fsync:error=EIO", blocks...)
		p.Await("pushes are refused", func() bool { _, refused := push.Counts(); return refused > 0 })
		end()
	})
}

// The process stands still for longer than the broker waits for an acknowledgement, as a virtual machine does that is moved.
func TestAFrozenProcess(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 5)
		if err := p.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		pause(t, 6*time.Second)
		if err := p.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		before, _ := push.Counts()
		someAccepted(p, push, before)
	})
}

// A backup that is taken while nothing can be recorded holds what was accepted as raw records; the restored hub records them.
func TestABackupHoldsWhatIsNotRecordedYet(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	push := hubtest.NewPush()
	finish(t, p, push, numbers(20))
	settle(t, p, 20)
	end := inject(t, p, "fsync,fdatasync:error=EIO", dataFile(s, "hub.db-wal"), dataFile(s, "hub.db"))
	for i := 20; i < 30; i++ {
		push.One(p, i)
	}
	args := []string{"--config", s.Path("suyuan.yaml"), "held"}
	if code, out, errs := hubtest.CLI(t, append([]string{"backup", "--url", p.URL, "--key", p.Key}, args...)...); code != 0 ||
		strings.Contains(out, " 0 frames") {
		t.Fatalf("backup: %d %s%s\n%s", code, out, errs, p.Log)
	}
	p.Kill()
	end()
	if err := os.Rename(s.Path("data"), s.Path("lost")); err != nil {
		t.Fatal(err)
	}
	args[2] = s.Path("suyuan-backups", "held")
	if code, out, errs := hubtest.CLI(t, append([]string{"restore", "--ledger", s.Path("lost", "notary.log")}, args...)...); code != 0 {
		t.Fatalf("restore: %d %s%s", code, out, errs)
	}
	p = s.Start()
	settle(t, p, 30)
	hubtest.Audit(t, s, push, 30)
}
