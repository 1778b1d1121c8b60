package system

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
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
	s := hookSite(t)
	total, kills := load(t)
	pending := make([]int, total)
	for i := range pending {
		pending[i] = i
	}
	p := s.start()
	accepted := map[int]bool{}
	for round := 0; len(pending) > 0; round++ {
		var killer <-chan time.Time
		if round < kills {
			// somewhere within the load: the earlier rounds die young, so that start-up is hit as well
			killer = time.After(time.Duration(rand.IntN(400)+20*round) * time.Millisecond)
		}
		pending = p.pushAll(pending, accepted, killer)
		if round < kills {
			p.kill()
			p = s.start()
		} else if len(pending) > 0 && round > kills+20 {
			t.Fatalf("%d requests are never answered", len(pending))
		}
	}
	p.await("everything recorded and anchored", func() bool {
		size, committed := p.logSize()
		return size >= uint64(total) && committed == size
	})
	if size, _ := p.logSize(); size != uint64(total) {
		t.Fatalf("%d events for %d accepted records", size, total)
	}
	if len(accepted) != total {
		t.Fatalf("%d accepted of %d", len(accepted), total)
	}
	seqs := map[uint64]bool{}
	for i := range total {
		var rec struct {
			Status string
			Events []struct{ Seq uint64 }
		}
		if status := p.get("/v1/records/hook/"+hookID(i), &rec); status != http.StatusOK || rec.Status != "recorded" || len(rec.Events) != 1 {
			t.Fatalf("record %d: %d %+v", i, status, rec)
		}
		seqs[rec.Events[0].Seq] = true
	}
	if len(seqs) != total {
		t.Fatalf("%d places in the log for %d records", len(seqs), total)
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("drain ended with %d\n%s", code, p.log)
	}
}

func hookID(i int) string { return fmt.Sprintf("msg_%d", i) }

// pushAll posts with 32 connections until all are answered or the hub dies, and returns what was not answered with 202.
func (p *process) pushAll(todo []int, accepted map[int]bool, killer <-chan time.Time) (left []int) {
	p.t.Helper()
	jobs := make(chan int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range jobs {
				status, body, err := p.try(http.MethodPost, "/in/hook", hookBody(i), signed(p.t, hookID(i), hookBody(i)))
				mu.Lock()
				switch {
				case err == nil && status == http.StatusAccepted:
					accepted[i] = true
				case err == nil && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests:
					p.t.Errorf("request %d: %d %s", i, status, body)
				default:
					left = append(left, i)
				}
				mu.Unlock()
			}
		})
	}
	dead := false
	for n, i := range todo {
		if !dead {
			select {
			case jobs <- i:
				continue
			case <-killer:
				p.kill()
				dead = true
			}
		}
		mu.Lock()
		left = append(left, todo[n])
		mu.Unlock()
	}
	close(jobs)
	wg.Wait()
	return left
}
