package fault

import (
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// smallDisk mounts a small file system over the site's data folder, which needs privileges that not every machine gives.
func smallDisk(t *testing.T, s *hubtest.Site, size string) {
	t.Helper()
	if err := os.MkdirAll(s.Path("data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", s.Path("data"), "tmpfs", 0, "size="+size); err != nil {
		skipLoudly(t, "cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(s.Path("data"), syscall.MNT_DETACH) })
}

// ballast fills the data folder's disk until less than leave bytes are free, and returns how to free it again.
func ballast(t *testing.T, s *hubtest.Site, leave int64) (free func()) {
	t.Helper()
	f, err := os.Create(dataFile(s, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(s.Path("data"), &st); err != nil {
			t.Fatal(err)
		}
		over := int64(st.Bavail)*st.Bsize - leave
		if over <= 0 {
			break
		}
		if _, err := f.Write(make([]byte, min(over, 1<<20))); err != nil {
			break // somebody else was faster
		}
	}
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// At the reserve the hub refuses with a problem document, has room to record what it accepted, and takes records again by
// itself when there is space.
func TestTheDiskIsFullUpToTheReserve(t *testing.T) {
	s := dropSite(t, "stream: { minFree: 24MiB }\n")
	smallDisk(t, s, "96m")
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 20)
		free := ballast(t, s, 20<<20)
		p.Await("pushes are refused", func() bool { _, refused := push.Counts(); return refused > 3 })
		if push.Code("pipeline.disk-full") == 0 {
			t.Errorf("refused for another reason: %v", push.Refused)
		}
		if status := p.Get("/readyz", nil); status != http.StatusServiceUnavailable {
			t.Errorf("/readyz says %d on a full disk", status)
		}
		free()
		before, _ := push.Counts()
		someAccepted(p, push, before)
	})
}

// Without a reserve everything that writes meets the full disk: stream, store and ledger. Nothing that was accepted is lost,
// and all three go on when there is space.
func TestTheDiskIsFullToTheLastByte(t *testing.T) {
	s := dropSite(t, "stream: { minFree: 1B }\n")
	smallDisk(t, s, "96m")
	p := s.Start()
	during(t, s, p, func(push *hubtest.Push) {
		someAccepted(p, push, 20)
		free := ballast(t, s, 0)
		p.Await("pushes are refused", func() bool { _, refused := push.Counts(); return refused > 3 })
		p.Await("the hub says so", func() bool { return p.Get("/readyz", nil) == http.StatusServiceUnavailable })
		free()
		before, _ := push.Counts()
		someAccepted(p, push, before)
	})
}
