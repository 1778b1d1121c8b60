package system

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// A sender over its rate is refused over its one connection, however often it tries and whatever it has sent of its bodies; only
// a body that is not worth reading ends the connection, and says so.
func TestRefusedSendersKeepTheirConnection(t *testing.T) {
	s := hubtest.HookSite(t)
	s.Write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nanchor: { origin: test.example/log }\nlog: { level: info }\nstream: { minFree: 1MiB }\n")
	text := strings.ReplaceAll(hubtest.HookFiles()["connectors/hook.yaml"], "@DIR@", s.Dir)
	s.Write("connectors/hook.yaml", strings.ReplaceAll(text, "body: 32KiB", "body: 1MiB, rate: 1/h"))
	p := s.Start()
	body := hubtest.HookBody(1)
	if status, b := p.Do(http.MethodPost, "/in/hook", body, hubtest.Signed(t, hubtest.HookID(1), body)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, b)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // far beyond what it takes
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	refused := func(what, sent string) *http.Response {
		if _, err := io.WriteString(conn, "POST /in/hook HTTP/1.1\r\nHost: a\r\n"+sent); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, p.Log)
		}
		problem, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" || !strings.Contains(string(problem), "connector.rate") {
			t.Errorf("%s: %s %v %s %v", what, r.Status, r.Header, problem, err)
		}
		return r
	}
	large := strings.Repeat("x", 100<<10)
	for _, what := range []string{"first", "second", "third"} {
		if r := refused(what, "Content-Length: 102400\r\n\r\n"+large); r.Close {
			t.Errorf("%s: the connection ends", what)
		}
	}
	refused("answered before its body", "Content-Length: 102400\r\n\r\n")
	if _, err := io.WriteString(conn, large); err != nil {
		t.Fatal(err)
	}
	refused("no body", "Content-Length: 0\r\n\r\n")
	if r := refused("not worth reading", "Content-Length: 1000000\r\n\r\n"); !r.Close {
		t.Error("a body that nobody reads does not end the connection")
	}
	if log := p.Log.String(); strings.Contains(log, "panic") {
		t.Errorf("the server panicked:\n%s", log)
	}
}

// Only an address that nothing is at is a page for people; a wrong method at one of the hub's own says which are right.
func TestAWrongMethodIsNoWrongAddress(t *testing.T) {
	p := hubtest.HookSite(t).Start()
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{http.MethodPost, "/healthz", "GET, HEAD", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/01/09506000134352", "GET, HEAD", http.StatusMethodNotAllowed},
		{http.MethodGet, "/in/hook/token", http.MethodPost, http.StatusMethodNotAllowed},
		{http.MethodPost, "/health", "", http.StatusNotFound},
		{http.MethodGet, "/health", "", http.StatusNotFound},
	} {
		for _, accept := range []string{"*/*", "text/html"} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, p.URL+c.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", accept)
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			page := c.status == http.StatusNotFound && accept == "text/html"
			if err != nil || a.StatusCode != c.status || a.Header.Get("Allow") != c.allow || strings.Contains(string(body), "<html") != page {
				t.Errorf("%s %s for %s: %s, Allow: %q, %v\n%s", c.method, c.path, accept, a.Status, a.Header.Get("Allow"), err, body)
			}
		}
	}
}
