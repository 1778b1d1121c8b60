package postgres

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestASieveHasWhatWasAddedAndLittleElse(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 30, 1000, 200_000} {
		s := newSieve(uint64(n))
		keys := make([]int64, n)
		for i := range keys {
			keys[i] = int64(rnd.Uint64() >> 1)
			s.add(mix(keys[i]))
		}
		kept, err := decodeSieve(s.append(nil))
		if err != nil || !slices.Equal(kept, s) {
			t.Fatalf("%d keys: what was kept is another filter: %v", n, err)
		}
		for _, key := range keys {
			if !kept.has(mix(key)) {
				t.Fatalf("of %d keys one is not found", n)
			}
		}
		const asked = 100_000
		wrong := 0
		for range asked {
			if kept.has(mix(int64(rnd.Uint64() >> 1))) {
				wrong++
			}
		}
		if n >= 1000 && wrong > asked/100 {
			t.Errorf("%d keys: %d of %d others are found", n, wrong, asked)
		}
	}
}

// Keys that differ in their last bits only, as hashes of names that end differently do, are no worse.
func TestASieveMixesItsKeys(t *testing.T) {
	const n = 50_000
	s := newSieve(n)
	for i := range int64(n) {
		s.add(mix(i))
	}
	wrong := 0
	for i := range int64(n) {
		if s.has(mix(n + i)) {
			wrong++
		}
	}
	if wrong > n/100 {
		t.Errorf("%d of %d others are found", wrong, n)
	}
}

func FuzzSieve(f *testing.F) {
	f.Add([]byte{}, int64(1))
	f.Add(newSieve(100).append(nil), int64(-1))
	f.Add(make([]byte, 33), int64(0))
	f.Fuzz(func(t *testing.T, b []byte, key int64) {
		s, err := decodeSieve(b)
		if err != nil {
			return
		}
		if s.add(mix(key)); !s.has(mix(key)) {
			t.Error("a key that was added is not found")
		}
	})
}

func BenchmarkSieve(b *testing.B) {
	const parts, per = 48, 1 << 21 // a log of a hundred million events
	all := make([]sieve, parts)
	for i := range all {
		all[i] = newSieve(2 * per)
		clear(all[i]) // so that it is memory of its own
	}
	n := names{filters: all}
	keys := make([]int64, 2)
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		keys[0], keys[1] = int64(rnd.Uint64()>>1), int64(rnd.Uint64()>>1)
		n.sift(keys)
	}
}
