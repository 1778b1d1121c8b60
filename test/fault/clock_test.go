package fault

import (
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// The clock jumps forwards and far back while files are read: the times of the log never go back, and anchoring does not
// wait until the clock is where it was.
func TestTheClockJumps(t *testing.T) {
	s := dropSite(t, "stream: { minFree: 1MiB }\n")
	s.Binary = filepath.Join(t.TempDir(), "suyuan")
	if err := hubtest.Build(s.Binary, "-tags", "fault"); err != nil {
		t.Fatal(err)
	}
	s.Env = []string{"SUYUAN_FAULT_CLOCK=" + s.Path("clock")}
	s.Write("clock", "0s")
	p := s.Start()
	push, rows := hubtest.NewPush(), 50
	for i, wrong := range []string{"0s", "26h", "-3h", "-2000h", "1m"} {
		s.Write("clock", wrong)
		drop(t, s, "at"+wrong, rows)
		settle(t, p, (i+1)*rows)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("drain ended with %d\n%s", code, p.Log)
	}
	hubtest.Audit(t, s, push, 5*rows)
	b := hubtest.OpenBooks(t, s)
	defer b.Close()
	b.RecordTimes(t)
}
