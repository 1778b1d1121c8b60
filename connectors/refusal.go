package connectors

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Refusal is a fault whose HTTP answer is not that of its kind: its status, and headers to set. Whoever writes the
// problem details uses HTTPStatus in place of the kind's.
type Refusal struct {
	Status int
	Header http.Header
	Fault  *hub.Fault
}

// Error renders the fault.
func (r *Refusal) Error() string { return r.Fault.Error() }

// HTTPStatus is the status of the answer.
func (r *Refusal) HTTPStatus() int { return r.Status }

// Unwrap returns the fault, so that its kind and code are seen.
func (r *Refusal) Unwrap() error { return r.Fault }

// MethodNotAllowed refuses a request whose method is none of allowed: 405 with Allow.
func MethodNotAllowed(allowed ...string) *Refusal {
	list := strings.Join(allowed, ", ")
	return &Refusal{http.StatusMethodNotAllowed, http.Header{"Allow": {list}}, &hub.Fault{
		Kind: hub.Unsupported, Code: "request.method", Message: "this method is not allowed here", MessageZh: "此处不允许该方法",
		Hint: "use " + list, HintZh: "请用 " + list,
	}}
}

// tryLater refuses a request for now.
func tryLater(status int, after time.Duration, f *hub.Fault) *Refusal {
	seconds := max(1, int((after+time.Second-1)/time.Second))
	f.Kind = hub.Unavailable
	f.Hint, f.HintZh = "send it again after the time in Retry-After", "请在 Retry-After 所示时间后重发"
	return &Refusal{status, http.Header{"Retry-After": {strconv.Itoa(seconds)}}, f}
}

func asRefusal(err error, into **Refusal) bool { return errors.As(err, into) }
