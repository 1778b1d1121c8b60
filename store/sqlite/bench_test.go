package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// BenchmarkAppend appends batches of 1,000 outcomes of one event each to one growing store. One op is one batch.
func BenchmarkAppend(b *testing.B) {
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(b.TempDir(), "hub.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const size = 1000
	n := 0
	for b.Loop() {
		b.StopTimer()
		batch := make([]hub.Outcome, size)
		for i := range batch {
			n++
			batch[i] = storetest.Outcome(b, n, fmt.Sprintf("S%d", n))
		}
		b.StartTimer()
		if _, err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/event")
}
