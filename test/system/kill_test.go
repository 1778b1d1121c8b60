package system

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// load is how many requests the kill test posts: 20,000 by SUYUAN_KILL_LOAD, fewer in an ordinary run.
func load(t *testing.T) (total, kills int) {
	total, kills = 3000, 3
	if v := os.Getenv("SUYUAN_KILL_LOAD"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		total, kills = n, max(5, n/2000)
	}
	return total, kills
}

// Every 202 is recorded exactly once and anchored exactly once, whenever the hub is killed: the sender resends what was
// not answered, under the same ids.
func TestKilledAtAnyPointEvery202IsRecordedAndAnchoredOnce(t *testing.T) {
	s := hubtest.HookSite(t)
	total, kills := load(t)
	pending := make([]int, total)
	for i := range pending {
		pending[i] = i
	}
	p := s.Start()
	push := hubtest.NewPush()
	for round := 0; len(pending) > 0; round++ {
		killed := make(chan struct{})
		if round < kills {
			// somewhere within the load: the earlier rounds die young, so that start-up is hit as well
			time.AfterFunc(time.Duration(rand.IntN(400)+20*round)*time.Millisecond, func() { _ = p.Cmd.Process.Kill(); close(killed) })
		}
		pending = push.All(p, pending, killed)
		if round < kills {
			<-killed
			p.Kill()
			p = s.Start()
		} else if len(pending) > 0 && round > kills+20 {
			t.Fatalf("%d requests are never answered", len(pending))
		}
	}
	p.Await("everything recorded and anchored", func() bool {
		size, committed := p.LogSize()
		return size >= uint64(total) && committed == size
	})
	if size, _ := p.LogSize(); size != uint64(total) {
		t.Fatalf("%d events for %d accepted records", size, total)
	}
	if accepted, _ := push.Counts(); accepted != total {
		t.Fatalf("%d accepted of %d", accepted, total)
	}
	seqs := map[uint64]bool{}
	for i := range total {
		var rec struct {
			Status string
			Events []struct{ Seq uint64 }
		}
		if status := p.Get("/v1/records/hook/"+hubtest.HookID(i), &rec); status != http.StatusOK || rec.Status != "recorded" || len(rec.Events) != 1 {
			t.Fatalf("record %d: %d %+v", i, status, rec)
		}
		seqs[rec.Events[0].Seq] = true
	}
	if len(seqs) != total {
		t.Fatalf("%d places in the log for %d records", len(seqs), total)
	}
	if code := p.Stop(); code != 0 {
		t.Fatalf("drain ended with %d\n%s", code, p.Log)
	}
}
