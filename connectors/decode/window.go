package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// chunk is how much a window reads at least.
const chunk = 64 << 10

// maxIdleReads is how often a source may return nothing without an error.
const maxIdleReads = 100

// window is the part of an item that is in memory: from the record that is being cut to what was read ahead. Whoever
// cuts may look at a record anew whenever there is more of it: each call of more at least doubles what is held, so that
// the looking stays linear in the record's size.
type window struct {
	src   io.Reader
	store []byte
	start int
	err   error // io.EOF or what reading failed with
	// held is set when store is the item itself, in its owner's memory.
	held bool
}

func newWindow(r io.Reader) *window {
	if b := held(r); b != nil {
		return &window{src: r, store: b, err: io.EOF, held: true}
	}
	return &window{src: r}
}

// held returns all that r holds when its owner has it in memory and leaves it as it is, else nil.
func held(r io.Reader) []byte {
	if h, ok := r.(interface{ Held() []byte }); ok {
		return h.Held()
	}
	return nil
}

// bytes returns what is held and not skipped. It is valid until the next call of more.
func (w *window) bytes() []byte { return w.store[w.start:] }

// keep returns b, a part of what is held, as it may be kept for ever.
func (w *window) keep(b []byte) []byte {
	if w.held {
		return b
	}
	return bytes.Clone(b)
}

// skip drops the first n bytes.
func (w *window) skip(n int) { w.start += n }

// ended reports whether the item plainly ends after what is held.
func (w *window) ended() bool { return errors.Is(w.err, io.EOF) }

// more reads on. It returns false at the end of the item, or when reading failed, which failed tells.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	held := len(w.store) - w.start
	want := max(chunk, held)
	if cap(w.store)-len(w.store) < want {
		store := w.store
		if cap(store) < held+want {
			store = make([]byte, held+want)
		}
		copy(store[:held], w.store[w.start:])
		w.store, w.start = store[:held], 0
	}
	n := w.read(w.store[len(w.store) : len(w.store)+want])
	w.store = w.store[:len(w.store)+n]
	return n > 0
}

// read fills b unless the source ends or fails, and keeps the reason. io.ReadFull would call a torn stream's
// ErrUnexpectedEOF and a plain end by the same name.
func (w *window) read(b []byte) (n int) {
	for idle := 0; n < len(b) && idle < maxIdleReads; idle++ {
		m, err := w.src.Read(b[n:])
		n += m
		if err != nil {
			w.err = err
			return n
		}
		if m > 0 {
			idle = 0
		}
	}
	if n < len(b) {
		w.err = io.ErrNoProgress
	}
	return n
}

// failed returns the error that ended reading, placed at where it tears the item, or nil at a plain end.
func (w *window) failed(at place) error {
	if w.err == nil || w.ended() {
		return nil
	}
	if f, ok := errors.AsType[*hub.Fault](w.err); ok {
		placed := *f
		placed.Where.Line, placed.Where.Column = at.line, at.col
		return &placed
	}
	return fmt.Errorf("read item: %w", w.err)
}

// rest returns a reader of what the window has not read yet.
func (w *window) rest() io.Reader {
	if w.err != nil {
		return failing{w.err}
	}
	return w.src
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
