package fabric_test

import (
	"slices"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// BenchmarkCommit commits one checkpoint after another on a network whose orderer waits for 200 ms before it cuts a block, with
// evidence. "ms-over-block" is what the median takes beyond that; the aim is less than 50.
func BenchmarkCommit(b *testing.B) {
	const blockTime = 200 * time.Millisecond
	network(b) // skips without Fabric's programs
	n, err := fabricnet.Start(b.Context(), fabricnet.Options{Programs: shared.programs, Dir: b.TempDir(), BatchTimeout: blockTime})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close() })
	l := open(b, n.Config(0), b.TempDir())
	log := anchortest.NewLog(b, "latency.example/log", "a")
	size := uint64(0)
	var took []time.Duration
	for b.Loop() {
		c := log.Commit(b, size, size+1000)
		size += 1000
		start := time.Now()
		if _, err := l.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	for name, at := range map[string]int{"ms-over-block": len(took) / 2, "p99-ms-over-block": len(took) * 99 / 100} {
		b.ReportMetric(float64((took[at]-blockTime).Microseconds())/1e3, name)
	}
}
