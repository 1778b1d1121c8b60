package pipeline_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/suyuan-io/suyuan/pipeline"
)

// A server of a replicated stream says that a request for frames is complete before it sends them: they wait for its replicas. A
// backlog that fills request after request is recorded all the same.
func TestABacklogOfAReplicatedStreamIsRecorded(t *testing.T) {
	cfg := pipeline.Config{Cluster: pipeline.Cluster{URL: replicated(t), Replicas: 3}}
	eventually(t, "the cluster's leaders", func() bool {
		p, err := pipeline.Open(t.Context(), cfg, pipeline.Deps{})
		return err == nil && p.Close() == nil
	})
	store, want := newMemory(), 0
	for _, c := range []struct {
		name         string
		frames, size int
	}{
		{"as many as a request asks for", 300, 1},
		{"as many bytes as a request asks for", 24, 1 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t, cfg, store)
			for i := range c.frames {
				h.publish(t, env(fmt.Sprintf("%d of %d bytes", i, c.size), noise(c.size)))
			}
			h.run(t)
			want += c.frames
			store.await(t, "the backlog", recorded(want))
		})
	}
}

// noise is text of n bytes that does not compress to less than half.
func noise(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return "x" + hex.EncodeToString(b)
}

// replicated runs three servers with JetStream and returns their addresses.
func replicated(t *testing.T) string {
	t.Helper()
	var routes []*url.URL
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
	}
	var clients []string
	for i, route := range routes {
		var port int
		if _, err := fmt.Sscan(route.Port(), &port); err != nil {
			t.Fatal(err)
		}
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, MaxPayload: 8 << 20,
			JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("a server does not start")
		}
		clients = append(clients, s.ClientURL())
	}
	return strings.Join(clients, ",")
}
