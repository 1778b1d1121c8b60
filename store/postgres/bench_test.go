package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// BenchmarkAppend appends batches of 1,000 outcomes of one event each to one growing store, every batch synced to disk, the
// server on the same machine. One op is one batch. It is the counterpart of the embedded store's.
func BenchmarkAppend(b *testing.B) {
	synced, err := postgrestest.Start("fsync=on")
	if errors.Is(err, postgrestest.ErrMissing) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = synced.Close() }()
	s, err := postgres.Open(context.Background(), postgres.Config{URL: synced.Database(b)})
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
