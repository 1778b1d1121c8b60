package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Ctrl-C is no fault of the hub: it is answered with one calm line, whatever it cut off.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"demo", "--once", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, stdio{out: &out, err: &errs})
	if code != exitFailed || errs.String() != "suyuan: interrupted\n" {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}

// stopped is the configuration file of a hub that does not run.
func stopped(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "suyuan.yaml")
	if err := os.WriteFile(name, []byte("listen: 127.0.0.1:0\nstream: { minFree: 1MiB }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(name), "connectors"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// opened opens the hub of a configuration file.
func opened(t *testing.T, name string) *Hub {
	t.Helper()
	cfg, err := loadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := OpenHub(t.Context(), cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// What works on the data of a hub before its first start leaves the admin key to be printed by that.
func TestOnlyAStartMakesTheAdminKey(t *testing.T) {
	for _, work := range []string{"replay", "rebuild", "backup before"} {
		t.Run(work, func(t *testing.T) {
			config := stopped(t)
			var out, errs bytes.Buffer
			args := strings.Fields(work)
			if code := run(t.Context(), append([]string{args[0], "--config", config}, args[1:]...), stdio{out: &out, err: &errs}); code != exitOK {
				t.Fatalf("exit code %d: %s%s", code, &out, &errs)
			}
			if opened(t, config).adminKey == "" {
				t.Error("the first start has no admin key to print")
			}
		})
	}
}

// Whoever has lost the admin key makes another where the hub's data is.
func TestALostAdminKeyIsReplacedWithTheHubStopped(t *testing.T) {
	config := stopped(t)
	var out, errs bytes.Buffer
	args := []string{"key", "new", "hub", "--config", config, "--scope"}
	if code := run(t.Context(), append(args, "root"), stdio{out: &out, err: &errs}); code != exitInvalid || !strings.Contains(errs.String(), "key.scopes") {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	if code := run(t.Context(), append(args, "admin"), stdio{out: &out, err: &errs}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	keys, err := opened(t, config).store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret := hub.Sum([]byte(strings.TrimSpace(out.String())))
	if len(keys) != 1 || keys[0].Hash != secret || !slices.Contains(keys[0].Scopes, hub.ScopeAdmin) {
		t.Errorf("keys %+v", keys)
	}
}

// A hub that listens on all addresses names one that a browser opens.
func TestTheURLOfAllAddressesIsOneOfThisMachine(t *testing.T) {
	config := stopped(t)
	if err := os.WriteFile(config, []byte("listen: 0.0.0.0:0\nstream: { minFree: 1MiB }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if url := opened(t, config).URL(); !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("it says that it listens on %s", url)
	}
}
