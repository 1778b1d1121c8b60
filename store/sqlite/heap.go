package sqlite

import "modernc.org/libc"

// heap keeps one block on each of some pages of the allocator that SQLite uses here. Without it the allocator gives a page
// of 64 KiB back to the kernel when its last block is freed, and SQLite frees and takes the buffers in which it balances a
// tree all the time: a quarter of an append's time went into mmap and munmap.
type heap struct {
	tls    *libc.TLS
	blocks []uintptr
}

// The allocator's sizes (modernc.org/memory): blocks of powers of two, from 16 bytes to a quarter of a page.
const (
	heapPage     = 64 << 10
	heapSmallest = 16
	heapLargest  = 16 << 10
	// heapPages is how many pages of each size are kept.
	heapPages = 8
)

// pinHeap takes the blocks; they are held until release.
func pinHeap() *heap {
	h := &heap{tls: libc.NewTLS()}
	for size := heapSmallest; size <= heapLargest; size *= 2 {
		kept := map[uintptr]bool{}
		var spare []uintptr
		for range heapPages * (heapPage / size) {
			block := libc.Xmalloc(h.tls, libc.Tsize_t(size))
			if page := block &^ (heapPage - 1); block != 0 && !kept[page] {
				kept[page] = true
				h.blocks = append(h.blocks, block)
				continue
			}
			spare = append(spare, block)
		}
		for _, block := range spare {
			libc.Xfree(h.tls, block)
		}
	}
	return h
}

func (h *heap) release() {
	for _, block := range h.blocks {
		libc.Xfree(h.tls, block)
	}
	h.blocks = nil
	h.tls.Close()
}
