// Package fabric_test runs the Fabric ledger on a real network: the conformance suite, forged evidence, and what goes
// wrong in a consortium. Without Fabric's programs everything here is skipped; see test/fabricnet.
package fabric_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// shared is the network of all tests that leave it as they found it. It starts when first asked for.
var shared struct {
	once     sync.Once
	network  *fabricnet.Network
	programs fabricnet.Programs
	dir      string
	missing  error
	err      error
}

func TestMain(m *testing.M) {
	if encoded := os.Getenv(childVariable); encoded != "" {
		if err := child(encoded); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if shared.network != nil {
		if err := shared.network.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if shared.dir != "" {
		if code == 0 {
			_ = os.RemoveAll(shared.dir)
		} else {
			fmt.Fprintln(os.Stderr, "the logs of the network are in", shared.dir)
		}
	}
	os.Exit(code)
}

// network returns the shared network, with everything running, whose peers have the Gateway service.
func network(t testing.TB) *fabricnet.Network {
	t.Helper()
	n := anyNetwork(t)
	if !n.HasGateway() {
		t.Skip("SKIPPED, NOT PASSED: the peers have no Gateway service, as those of Fabric before 2.4")
	}
	return n
}

// anyNetwork is network, whatever its peers are.
func anyNetwork(t testing.TB) *fabricnet.Network {
	t.Helper()
	shared.once.Do(func() {
		if shared.programs, shared.missing = fabricnet.Find(); shared.missing != nil {
			return
		}
		if shared.dir, shared.err = os.MkdirTemp("", "suyuan-fabric-"); shared.err != nil {
			return
		}
		started := time.Now()
		shared.network, shared.err = fabricnet.Start(context.Background(), fabricnet.Options{Programs: shared.programs, Dir: shared.dir})
		if shared.err == nil {
			fmt.Fprintf(os.Stderr, "a network of 3 organisations answers after %v\n", time.Since(started).Round(10*time.Millisecond))
		}
	})
	switch {
	case shared.missing != nil:
		t.Skipf("SKIPPED, NOT PASSED: %v", shared.missing)
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.network
}

// deploy puts an empty contract of its own on the shared network and returns the configuration of a hub that uses it.
func deploy(t testing.TB) fabric.Config {
	t.Helper()
	return deployOn(t, network(t))
}

func deployOn(t testing.TB, n *fabricnet.Network) fabric.Config {
	t.Helper()
	name := fmt.Sprintf("contract%d", deployed.next())
	if err := n.Deploy(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	c := n.Config(0)
	c.Chaincode = name
	return c
}

// deployed numbers the contracts.
var deployed counter

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

func open(t testing.TB, c fabric.Config, dir string) *fabric.Ledger {
	t.Helper()
	l, err := fabric.Open(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a test may have closed it
	return l
}
