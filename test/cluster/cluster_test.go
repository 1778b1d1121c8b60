// Package cluster runs several hub processes on a NATS cluster of three nodes and one PostgreSQL, all on this machine, and
// kills any of them under load.
package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/test/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }

// node is one server of the NATS cluster.
type node struct {
	t      *testing.T
	binary string
	config string
	cmd    *exec.Cmd
}

func (n *node) start() {
	n.t.Helper()
	n.cmd = exec.Command(n.binary, "-c", n.config)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

// natsBinary builds the server from the module that the hub itself embeds.
func natsBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	return path
}

// startNATS starts three nodes with JetStream and returns them and their client URLs.
func startNATS(t *testing.T) (nodes []*node, urls string) {
	t.Helper()
	binary := natsBinary(t)
	client, route := freePorts(t, 3), freePorts(t, 3)
	var routes, clients []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", route[i]))
		clients = append(clients, fmt.Sprintf("nats://127.0.0.1:%d", client[i]))
	}
	for i := range 3 {
		dir := t.TempDir()
		config := fmt.Sprintf(`server_name: n%d
listen: "127.0.0.1:%d"
max_payload: 8MB
max_pending: 64MB
log_file: %q
jetstream { store_dir: %q, sync_interval: always }
cluster { name: c, listen: "127.0.0.1:%d", routes: [%s] }
`, i, client[i], filepath.Join(dir, "log"), dir, route[i], strings.Join(routes, ", "))
		path := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		n := &node{t: t, binary: binary, config: path}
		n.start()
		t.Cleanup(n.kill)
		nodes = append(nodes, n)
	}
	return nodes, strings.Join(clients, ",")
}

// freePorts finds ports that nobody listens on now, below those that systems give away: a node that is down finds its own again.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for len(ports) < n {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // somebody has it
		}
		defer l.Close()
		ports = append(ports, port)
	}
	return ports
}

// cluster is everything that runs.
type cluster struct {
	t        *testing.T
	server   *postgrestest.Server
	database string
	nodes    []*node
	urls     string
	shared   string
	hubs     []*hubtest.Process
	key      string
	at       int // where in hubs the next push begins
	began    []*hubtest.Process
}

// keep leaves the logs of a test that failed in a folder that stays.
func (c *cluster) keep() {
	if !c.t.Failed() {
		return
	}
	dir, err := os.MkdirTemp("", "suyuan-cluster-")
	if err != nil {
		c.t.Error(err)
		return
	}
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			c.t.Error(err)
		}
	}
	for i, p := range c.began {
		write(fmt.Sprintf("hub-%02d.log", i), p.Log.All())
	}
	for i, n := range c.nodes {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(n.config), "log"))
		if err != nil {
			c.t.Error(err)
		}
		write(fmt.Sprintf("nats-%d.log", i), text)
	}
	c.t.Logf("logs are kept in %s", dir)
}

func newCluster(t *testing.T, hubs int) *cluster {
	t.Helper()
	c := &cluster{t: t, server: postgrestest.Require(t), shared: t.TempDir()}
	c.database = c.server.Database(t)
	c.nodes, c.urls = startNATS(t)
	t.Cleanup(c.keep)
	for range hubs {
		site := c.site()
		site.Key = c.key
		p := c.launch(site)
		c.key = site.Key
		c.hubs = append(c.hubs, p)
	}
	return c
}

// site is the folder of one hub process. They share the database, the stream, the keys and the notary's file.
func (c *cluster) site() *hubtest.Site {
	s := hubtest.HookSite(c.t)
	s.Write("store.url", c.database)
	s.Write("suyuan.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
data: data
anchor: { origin: cluster.example/log, maxAge: 100ms, keys: %q, ledgers: [{ notary: { file: %q } }] }
log: { level: warn }
stream: { url: %q, replicas: 3 }
store: { postgres: { url: "${file:%s}" } }
drain: 10s
`, filepath.Join(c.shared, "keys"), filepath.Join(c.shared, "notary.log"), c.urls, s.Path("store.url")))
	return s
}

// launch starts a hub, again and again while the cluster of NATS elects its leaders: that is what a supervisor does.
func (c *cluster) launch(s *hubtest.Site) *hubtest.Process {
	c.t.Helper()
	deadline := time.After(3 * time.Minute)
	for {
		p, err := s.TryLaunch()
		if err == nil {
			c.began = append(c.began, p)
			c.t.Cleanup(func() {
				if c.t.Failed() && p.Cmd.ProcessState == nil {
					_ = p.Cmd.Process.Signal(syscall.SIGQUIT) // its log ends with where its goroutines stand
					_ = p.Cmd.Wait()
				}
			})
			p.Await("ready", func() bool { return p.Get("/readyz", nil) == http.StatusOK })
			return p
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-deadline:
			c.t.Fatal(err)
		}
	}
}

// push posts the pushes until each is accepted, to one hub after the other, while faults strike.
func (c *cluster) push(push *hubtest.Push, todo []int) {
	c.t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for len(todo) > 0 {
		if time.Now().After(deadline) {
			c.t.Fatalf("%d pushes are never accepted: %v", len(todo), push.Refused)
		}
		c.at++
		n := min(len(todo), 50)
		left := push.All(c.hubs[c.at%len(c.hubs)], todo[:n], nil)
		todo = slices.Concat(todo[n:], left)
	}
}

// settle waits until everything is recorded and anchored, and checks that it is so once.
func (c *cluster) settle(push *hubtest.Push, total int) {
	c.t.Helper()
	if accepted, _ := push.Counts(); accepted != total {
		c.t.Fatalf("%d of %d pushes were accepted", accepted, total)
	}
	var size, committed uint64
	for deadline := time.After(3 * time.Minute); size < uint64(total) || committed != size; {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			for i, h := range c.hubs {
				_, ready := h.Do(http.MethodGet, "/readyz", nil, nil)
				c.t.Logf("hub %d: %s\n%s", i, ready, h.Log)
			}
			c.t.Fatalf("of %d accepted records %d are recorded, %d anchored", total, size, committed)
		}
		size, committed = c.hubs[0].LogSize()
	}
	if size != uint64(total) {
		c.t.Fatalf("%d events for %d accepted records", size, total)
	}
	seqs := map[uint64]bool{}
	for i := range total {
		var rec struct {
			Status string
			Events []struct{ Seq uint64 }
		}
		other := c.hubs[i%len(c.hubs)]
		if status := other.Get("/v1/records/hook/"+hubtest.HookID(i), &rec); status != http.StatusOK || rec.Status != "recorded" || len(rec.Events) != 1 {
			c.t.Fatalf("record %d: %d %+v", i, status, rec)
		}
		seqs[rec.Events[0].Seq] = true
	}
	if len(seqs) != total {
		c.t.Fatalf("%d places in the log for %d records", len(seqs), total)
	}
	for i, h := range c.hubs { // each hub proves what another one sealed
		receipt := filepath.Join(c.shared, "receipt-"+strconv.Itoa(i)+".json")
		if err := os.WriteFile(receipt, h.ReceiptAt(uint64(total-1)), 0o600); err != nil {
			c.t.Fatal(err)
		}
		if code, out, errs := hubtest.CLI(c.t, "verify", receipt); code != 0 {
			c.t.Fatalf("verify: %d\n%s%s", code, out, errs)
		}
	}
}

// repetitions is how often the faults strike, and how many records are pushed meanwhile: 10 times 2,000 by SUYUAN_CLUSTER=10.
func repetitions(t *testing.T) (times, records int) {
	v := os.Getenv("SUYUAN_CLUSTER")
	if v == "" {
		return 1, 300
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatal(err)
	}
	return n, 2000
}

// Every accepted event is recorded and anchored exactly once through the kill of any hub and any node of NATS.
func TestEveryEventOnceThroughTheKillOfAnyProcess(t *testing.T) {
	times, records := repetitions(t)
	for _, hubs := range []int{2, 3} {
		if times == 1 && hubs == 2 {
			continue // three cover two; the long run has both
		}
		t.Run(fmt.Sprintf("%d hubs", hubs), func(t *testing.T) {
			c := newCluster(t, hubs)
			push := hubtest.NewPush()
			total := 0
			for round := range times {
				todo := make([]int, records)
				for i := range todo {
					todo[i] = total + i
				}
				total += records
				third := records / 3
				c.push(push, todo[:third])
				victim := rand.IntN(len(c.hubs))
				c.hubs[victim].Kill()
				c.push(push, todo[third:2*third])
				n := c.nodes[rand.IntN(len(c.nodes))]
				n.kill()
				c.push(push, todo[2*third:])
				n.start()
				c.hubs[victim] = c.launch(c.hubs[victim].Site)
				c.settle(push, total)
				t.Logf("round %d: %d records, each recorded and anchored once; hub %d killed", round+1, total, victim)
			}
			c.rolling(push, total)
		})
	}
}

// rolling restarts one hub after the other under load, as an upgrade does.
func (c *cluster) rolling(push *hubtest.Push, total int) {
	c.t.Helper()
	for i := range c.hubs {
		todo := make([]int, 60)
		for n := range todo {
			todo[n] = total + n
		}
		total += len(todo)
		c.push(push, todo)
		if code := c.hubs[i].Stop(); code != 0 {
			c.t.Fatalf("drain ended with %d\n%s", code, c.hubs[i].Log)
		}
		c.hubs[i] = c.launch(c.hubs[i].Site)
	}
	c.settle(push, total)
}
