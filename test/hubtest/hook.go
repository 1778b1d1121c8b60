package hubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors/webhook"
)

// secret is what a webhook sender and the test's instance files share.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

// Signed makes the headers of a Standard Webhooks request.
func Signed(tb testing.TB, id string, body []byte) http.Header {
	tb.Helper()
	scheme, _ := webhook.Preset("standard-webhooks")
	v, err := webhook.NewVerifier(scheme, secret)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := v.Sign(body, "application/json", id, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return r.Header
}

// HookFiles are the instance file and mapping of a webhook connector whose records say what happened to an item.
func HookFiles() map[string]string {
	return map[string]string{
		"hook.secret": secret,
		"connectors/hook.yaml": `id: hook
provider: carrier
source: { webhook: { preset: standard-webhooks, secrets: ["${file:@DIR@/hook.secret}"] } }
decode: json
map: ../mappings/hook.yaml
limits: { record: 16KiB, body: 32KiB }
`,
		"mappings/hook.yaml": `version: 1
timezone: "+08:00"
events:
  - event:
      type: ObjectEvent
      eventTime: "= ts(row.at)"
      action: OBSERVE
      bizStep: "= row.step"
      epcList: ["= sgtin(row.gtin, row.serial)"]
`,
	}
}

// HookSite is a site with that connector.
func HookSite(t *testing.T) *Site {
	t.Helper()
	s := NewSite(t, HookFiles())
	s.Write("connectors/hook.yaml", strings.ReplaceAll(HookFiles()["connectors/hook.yaml"], "@DIR@", s.Dir))
	return s
}

// HookBody is the body of the n-th push, HookID its id.
func HookBody(n int) []byte {
	return fmt.Appendf(nil, `{"at":"2026-11-11T10:%02d:%02d+08:00","step":"shipping","gtin":"07613035982949","serial":"S%d"}`, n/60%60, n%60, n)
}

// HookID is the message id of the n-th push.
func HookID(n int) string { return fmt.Sprintf("msg_%d", n) }

// Push is what became of many pushes. It is safe for concurrent use.
type Push struct {
	mu sync.Mutex
	// Accepted are the pushes that were answered with 202, Refused how often 429, 503 or 507 was answered, by the code of
	// the problem document.
	Accepted map[int]bool
	Refused  map[string]int
}

// NewPush returns an empty account.
func NewPush() *Push { return &Push{Accepted: map[int]bool{}, Refused: map[string]int{}} }

// Counts returns how many pushes were accepted and how many refusals there were.
func (u *Push) Counts() (accepted, refused int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range u.Refused {
		refused += n
	}
	return len(u.Accepted), refused
}

// Code returns how often a push was refused with a code.
func (u *Push) Code(code string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.Refused[code]
}

// All posts todo with 32 connections until each is answered, the hub dies or stop is closed, and returns what was not
// answered with 202. An answer that is neither a 202 nor a refusal with a problem document fails the test.
func (u *Push) All(p *Process, todo []int, stop <-chan struct{}) (left []int) {
	p.T.Helper()
	jobs := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 32 {
		wg.Go(func() {
			for i := range jobs {
				if !u.One(p, i) {
					mu.Lock()
					left = append(left, i)
					mu.Unlock()
				}
			}
		})
	}
	for n, i := range todo {
		select {
		case jobs <- i:
			continue
		case <-stop:
		}
		mu.Lock()
		left = append(left, todo[n:]...)
		mu.Unlock()
		break
	}
	close(jobs)
	wg.Wait()
	return left
}

// One posts the n-th push and reports whether it was answered with 202.
func (u *Push) One(p *Process, n int) bool {
	status, body, err := p.Try(http.MethodPost, "/in/hook", HookBody(n), Signed(p.T, HookID(n), HookBody(n)))
	if err != nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch status {
	case http.StatusAccepted:
		u.Accepted[n] = true
		return true
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInsufficientStorage:
		u.Refused[problemCode(p.T, body)]++
	default:
		p.T.Errorf("push %d: %d %s", n, status, body)
	}
	return false
}

func problemCode(t *testing.T, body []byte) string {
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(body, &problem); err != nil || problem.Code == "" || problem.Detail == "" {
		t.Errorf("a refusal without a problem document: %s", body)
	}
	return problem.Code
}
