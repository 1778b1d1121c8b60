package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// smallDisk mounts a file system of the given size, which needs privileges that not every machine gives.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func noisy(i int) hub.Envelope {
	b := make([]byte, 64<<10)
	for j := range b {
		b[j] = byte(rand.Int())
	}
	return env(fmt.Sprintf("n%d", i), string(b))
}

// TestAFullDiskLosesNothing fills the disk under the server, with no reserve to warn it, then frees space.
func TestAFullDiskLosesNothing(t *testing.T) {
	disk := smallDisk(t, "24m")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, pipeline.Config{Dir: filepath.Join(disk, "raw")}, newMemory())
	h.run(t)
	accepted := 0
	for i := 0; ; i++ {
		if err := h.Publish(t.Context(), noisy(i)); err != nil {
			if hub.KindOf(err) != hub.Unavailable {
				t.Errorf("%v is not Unavailable", err)
			}
			break
		}
		accepted++
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hub to take records again", func() bool { return h.Publish(t.Context(), env("after", "x")) == nil })
	h.store.await(t, "everything that was accepted", func(m *memory) bool {
		for i := range accepted {
			if _, ok := m.records[hub.RecordRef{Connector: "shop", ID: hub.RecordID(fmt.Sprintf("n%d/1", i))}]; !ok {
				return false
			}
		}
		_, ok := m.records[hub.RecordRef{Connector: "shop", ID: "after/1"}]
		return ok
	})
	t.Logf("%d records of 64 KiB accepted before the disk was full", accepted)
}

// TestTheReserveIsRespected fills the disk while there is a reserve: the hub refuses before the server fails.
func TestTheReserveIsRespected(t *testing.T) {
	disk := smallDisk(t, "24m")
	ballast := filepath.Join(disk, "ballast")
	h := open(t, pipeline.Config{Dir: filepath.Join(disk, "raw"), MinFree: 16 << 20}, newMemory())
	h.publish(t, env("before", "x"))
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	eventually(t, "the refusal", func() bool { err = h.Publish(t.Context(), env("full", "x")); return err != nil })
	wantFault(t, err, hub.Unavailable, "pipeline.disk-full")
	if err := h.Ready(t.Context()); err == nil {
		t.Error("it is ready without space")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "space", func() bool { return h.Publish(t.Context(), env("after", "x")) == nil })
	if err := h.Ready(t.Context()); err != nil {
		t.Errorf("it is not ready with space: %v", err)
	}
}
