package system

import (
	"bufio"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// A stop that waits for a slow sender is ended by asking again.
func TestASecondSignalEndsTheDrain(t *testing.T) {
	s := hubtest.HookSite(t)
	s.Write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nanchor: { origin: test.example/log }\nstream: { minFree: 1MiB }\ndrain: 10h\n")
	p := s.Start()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /in/hook HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the hub does not wait for the body: %q %v", line, err)
	}
	ended := make(chan struct{})
	go func() { _ = p.Cmd.Wait(); close(ended) }()
	signal := func() { _ = p.Cmd.Process.Signal(syscall.SIGTERM) }
	signal()
	p.Await("the drain", func() bool { return strings.Contains(p.Log.String(), "draining") })
	p.Await("the end", func() bool {
		signal()
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	if status, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", p.Cmd.ProcessState)
	}
}
