package exec_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connexec "github.com/suyuan-io/suyuan/connectors/exec"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const password = "pw-92eb5ffee6"

// TestMain lets the test binary be an adapter too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "adapter" {
		os.Exit(adapter(os.Args[2]))
	}
	os.Exit(m.Run())
}

// adapter follows the lines of a file. The way in which it misbehaves is its argument.
func adapter(manner string) int {
	in := bufio.NewReader(os.Stdin)
	var hello struct {
		T        string
		Protocol int
		Config   map[string]string
		Position string
	}
	line, err := in.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &hello) != nil || hello.T != "init" {
		return 2
	}
	if hello.Protocol != 1 && manner != "any protocol" {
		fmt.Println(`{"t":"error","code":"protocol"}`)
		return 1
	}
	say := func(text string) { fmt.Fprintln(os.Stderr, text) }
	switch manner {
	case "not ready":
		select {}
	case "crash":
		say("E! cannot open the gate with " + hello.Config["password"])
		return 3
	case "noise":
		fmt.Println("Hello from the adapter")
	case "busy":
		fmt.Println(`{"t":"error","code":"upstream.busy","message":"come back with ` + hello.Config["password"] + `","retry_after_ms":90000}`)
		select {}
	case "wrong password":
		fmt.Println(`{"t":"error","code":"login","message":"it does not take ` + hello.Config["password"] + `"}`)
		return 0
	case "child":
		cmd := exec.Command("sleep", "600")
		if err := cmd.Start(); err != nil {
			return 4
		}
		say("I! child " + strconv.Itoa(cmd.Process.Pid))
	}
	say("W! the password is " + hello.Config["password"])
	fmt.Println(`{"t":"ready","spec":{"name":"lines","version":"1"}}`)
	stop := make(chan bool)
	go func() {
		for {
			line, err := in.ReadBytes('\n')
			if bytes.Contains(line, []byte(`"stop"`)) || err != nil {
				if manner == "deaf" {
					select {}
				}
				close(stop)
				return
			}
		}
	}()
	return follow(hello.Config["path"], hello.Position, manner, stop)
}

func follow(path, position, manner string, stop chan bool) int {
	from, _ := strconv.Atoi(position)
	if manner == "forgets" {
		from = 0
	}
	start := time.Now().UnixNano()
	tick := time.NewTicker(5 * time.Millisecond)
	for {
		data, err := os.ReadFile(path)
		if err != nil {
			data = nil
		}
		for {
			end := bytes.IndexByte(data[min(from, len(data)):], '\n')
			if end < 0 {
				break
			}
			body := data[from : from+end]
			sum := sha256.Sum256(body)
			id := fmt.Sprintf("%d-%s", from, hex.EncodeToString(sum[:6]))
			if manner == "random ids" {
				id += strconv.FormatInt(start, 10)
			}
			from += end + 1
			out, _ := json.Marshal(map[string]any{"t": "record", "id": id, "ct": "text/plain", "body_b64": body, "pos": strconv.Itoa(from)})
			if _, err := os.Stdout.Write(append(out, '\n')); err != nil {
				return 1
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return 0
		}
	}
}

// lines is an upstream for the conformance kit: a file that an adapter follows.
type lines struct {
	path    string
	command []string
	header  string
}

func (l *lines) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if info, err := f.Stat(); err == nil && info.Size() == 0 && l.header != "" {
		texts = append([]string{l.header}, texts...)
	}
	if _, err := f.WriteString(strings.Join(texts, "\n") + "\n"); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// options are the defaults with a command, and with little patience.
func options(config map[string]string, command ...string) *connexec.Options {
	o, _ := connexec.Kind().Options().(*connexec.Options)
	o.Command, o.Config, o.Quiet = command, config, 50*time.Millisecond
	o.Env = map[string]string{"GORACE": "atexit_sleep_ms=0"} // otherwise the adapter takes a second to end under the race detector
	o.Secrets = map[string]strictyaml.Secret{"password": strictyaml.NewSecret("${env:PASSWORD}", password)}
	return o
}

func (l *lines) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "lines", Provider: "tester", Kind: "exec", Splitter: connectortest.Whole{},
		Options:  options(map[string]string{"path": l.path, "interval": "0.005"}, l.command...),
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 10 * time.Millisecond,
	}
}

func openLines(header string, command ...string) func(testing.TB, string) connectortest.Upstream {
	return func(_ testing.TB, dir string) connectortest.Upstream {
		return &lines{path: filepath.Join(dir, "lines.txt"), command: command, header: header}
	}
}

// testAdapter is the command line of the adapter above.
func testAdapter(manner string) []string { return []string{os.Args[0], "adapter", manner} }

func TestConformance(t *testing.T) {
	connectortest.Source(t, openLines("", testAdapter("well")...), connectortest.Traits{Remembers: true, Secrets: []string{password}})
}
