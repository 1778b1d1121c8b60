package anchor_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// counted returns n distinct stand-ins for leaf hashes.
func counted(n int) []hub.Digest {
	leaves := make([]hub.Digest, n)
	for i := range leaves {
		binary.LittleEndian.PutUint64(leaves[i][:], uint64(i)*0x9E3779B97F4A7C15)
	}
	return leaves
}

// BenchmarkRoot builds the root and all tiles of 10^6 leaves and, interleaved with it, makes 10^6 hashes of 65 bytes,
// which is what an inner node costs. "x" is the ratio; the aim is at most 1.2.
func BenchmarkRoot(b *testing.B) {
	const n, step = 1_000_000, 10_000
	leaves := counted(n)
	runtime.LockOSThread() // cpuTime is that of the thread
	defer runtime.UnlockOSThread()
	var hashing, building time.Duration
	var node [65]byte
	for b.Loop() {
		tree := anchor.NewTree(anchor.SHA256)
		for i := 0; i < n; i += step {
			start := cpuTime()
			for range step {
				sum := sha256.Sum256(node[:])
				copy(node[1:], sum[:])
			}
			hashed := cpuTime()
			tree.Append(leaves[i : i+step])
			building += cpuTime() - hashed
			hashing += hashed - start
		}
		start := cpuTime()
		_, _ = tree.Root(), tree.TakeTiles()
		building += cpuTime() - start
	}
	b.ReportMetric(float64(building)/float64(hashing), "x")
	b.ReportMetric(float64(building.Nanoseconds())/float64(b.N)/n, "cpu-ns/leaf")
}

// BenchmarkVerifyInclusion verifies proofs of a tree of 10^6 leaves, here and with transparency-dev/merkle.
func BenchmarkVerifyInclusion(b *testing.B) {
	const n = 1_000_000
	leaves, tiles := counted(n), memTiles{}
	tree := anchor.NewTree(anchor.SHA256)
	tree.Append(leaves)
	tiles.put(tree.TakeTiles())
	root := tree.Root()
	p, err := anchor.ProveInclusion(b.Context(), anchor.SHA256, tiles, 123_456, n)
	if err != nil {
		b.Fatal(err)
	}
	leaf := leaves[123_456]
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		defer reportCPU(b)()
		for b.Loop() {
			if err := anchor.VerifyInclusion(anchor.SHA256, p, leaf, root); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("transparency-dev", func(b *testing.B) {
		hashes := make([][]byte, len(p.Hashes))
		for i := range p.Hashes {
			hashes[i] = p.Hashes[i][:]
		}
		b.ReportAllocs()
		defer reportCPU(b)()
		for b.Loop() {
			err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.LeafIndex, p.TreeSize, leaf[:], hashes, root[:])
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// reportCPU begins to count the processor time of this thread, and returns a function that reports it by operation.
func reportCPU(b *testing.B) func() {
	runtime.LockOSThread()
	start := cpuTime()
	return func() {
		b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

// BenchmarkProveInclusion makes proofs of random leaves of a tree of 10^7, from tiles in memory.
func BenchmarkProveInclusion(b *testing.B) {
	const n = 10_000_000
	store := &anchortest.Store{}
	tree := anchor.NewTree(anchor.SHA256)
	tree.Append(counted(n))
	if err := store.Seal(b.Context(), anchor.Sealed{Checkpoint: hub.Checkpoint{Size: n}}, tree.TakeTiles()); err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread() // cpuTime is that of the thread
	defer runtime.UnlockOSThread()
	var took []time.Duration
	for b.Loop() {
		index := rand.Uint64N(n)
		start := cpuTime()
		if _, err := anchor.ProveInclusion(b.Context(), anchor.SHA256, store, index, n); err != nil {
			b.Fatal(err)
		}
		took = append(took, cpuTime()-start)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-cpu-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-cpu-µs")
}

// BenchmarkVerify verifies a whole receipt.
func BenchmarkVerify(b *testing.B) {
	good := readReceipts(b, "good")["middle-leaf"]
	trust, v := readTrust(b), verifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(good, trust); err != nil {
			b.Fatal(err)
		}
	}
}
