package connectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// cut is one record as the host takes it from an item.
type cut struct {
	preamble []byte
	record   hub.Record
}

// cutter cuts items into records with ids. It turns what the splitter cannot split into one last record, and what is
// over the limit into a refused one.
type cutter struct {
	splitter Splitter
	limit    int
}

// whole is the longest rest of an item that is kept to be a record when the splitter gives up. It bounds the memory
// that reading ahead can take.
const whole = 2 << 20

// bytes cuts an item that is in memory; its records are parts of body.
func (c cutter) bytes(id string, body []byte, yield func(cut) error) error {
	if body == nil {
		body = []byte{}
	}
	return c.cut(id, &trackingReader{held: body}, yield)
}

// run reads one item and yields its records in order. An item that is one record keeps its id, others get "ID#n". An
// error is the reader's or the yield's; a splitter's fault is none.
func (c cutter) run(id string, r io.Reader, yield func(cut) error) error {
	return c.cut(id, &trackingReader{r: r, keep: max(whole, c.limit)}, yield)
}

func (c cutter) cut(id string, in *trackingReader, yield func(cut) error) error {
	e := &emitter{id: safeID(id), limit: c.limit, yield: yield}
	err := c.split(in, func(p Piece) error {
		in.taken(p)
		return e.add(p, nil)
	})
	switch {
	case e.err != nil: // the consumer's own error, whatever the splitter made of it
		return e.err
	case in.err != nil:
		return in.err
	case err != nil:
		rest, lost := in.rest(err)
		if in.err != nil {
			return in.err
		}
		if err := e.add(rest, lost); err != nil {
			return err
		}
	}
	return e.finish()
}

// split calls the splitter. What it panics at is an item that it cannot split: the hub would end, and meet it again at its next start.
func (c cutter) split(r io.Reader, yield func(Piece) error) (err error) {
	ours := false
	defer func() {
		if p := recover(); p != nil {
			if ours {
				panic(p)
			}
			err = hub.Faultf(hub.Invalid, "item.panic", "the hub failed on this item: %v", p).WithHint("this is a defect of the hub: report it")
		}
	}()
	return c.splitter.Split(r, func(p Piece) error {
		ours = true
		err := yield(p)
		ours = false
		return err
	})
}

// emitter numbers records. It holds the first back until a second shows that the item is several.
type emitter struct {
	id    string
	limit int
	yield func(cut) error
	held  *cut
	n     int
	err   error
	name  []byte // room for a record's id
}

// add takes one piece; refused is why it cannot be taken whole, or nil.
func (e *emitter) add(p Piece, refused *hub.Fault) error {
	if e.err != nil {
		return e.err
	}
	e.n++
	body := p.Body
	if refused == nil && len(body) > e.limit {
		refused = tooLarge(len(body), e.limit)
	}
	if refused != nil {
		body = body[:min(len(body), refusedHead, e.limit)]
	}
	next := cut{p.Preamble, hub.Record{Body: slices.Clip(body), Line: p.Line, Column: p.Column, Refused: refused}}
	if e.n == 1 {
		first := next // which alone lives in the heap
		e.held = &first
		return nil
	}
	if e.held != nil {
		e.held.record.ID = hub.RecordID(e.id + "#1")
		if e.err = e.yield(*e.held); e.err != nil {
			return e.err
		}
		e.held = nil
	}
	e.name = strconv.AppendInt(append(append(e.name[:0], e.id...), '#'), int64(e.n), 10)
	next.record.ID = hub.RecordID(e.name)
	e.err = e.yield(next)
	return e.err
}

func (e *emitter) finish() error {
	if e.held == nil {
		return nil
	}
	e.held.record.ID = hub.RecordID(e.id)
	return e.yield(*e.held)
}

// refusedHead is how much of a record over the limit is kept for its dead letter.
const refusedHead = 4 << 10

func tooLarge(size, limit int) *hub.Fault {
	largest := strictyaml.Size(limit)
	return &hub.Fault{
		Kind: hub.TooLarge, Code: "record.too-large",
		Message:   fmt.Sprintf("the record has %d bytes, the limit is %s", size, largest),
		MessageZh: fmt.Sprintf("记录有 %d 字节，上限为 %s", size, largest),
		Hint:      "split the record at its source, or raise limits.record", HintZh: "请在源端拆分记录，或提高 limits.record",
	}
}

// trackingReader remembers what was read since the last piece, so that the rest of an unsplittable item is not lost, and
// its own error, so that a failed read is not mistaken for bad input.
type trackingReader struct {
	r    io.Reader
	err  error
	keep int
	// held is an item that is in memory, of which done bytes are in pieces and read were read.
	held       []byte
	done, read int
	// ahead is what was read but is in no piece yet, part of room; lost is set when pieces can no longer be found in it.
	ahead, room []byte
	lost        bool
	last        Piece
}

// Held returns all of an item that is in memory; it stays as it is. It is nil for one that is read from somewhere. Whoever
// splits it need not read it into buffers of its own, and its pieces may be parts of it.
func (t *trackingReader) Held() []byte { return t.held }

func (t *trackingReader) Read(p []byte) (int, error) {
	if t.held != nil {
		n := copy(p, t.held[t.read:])
		if t.read += n; n == 0 && len(p) > 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	if !t.lost {
		t.makeRoom(n)
		t.ahead = append(t.ahead, p[:n]...)
		if len(t.ahead) > t.keep+len(p) {
			t.ahead, t.room, t.lost = nil, nil, true
		}
	}
	return n, err
}

// makeRoom sees that ahead has room for n bytes more: where pieces have left room before it, it goes there.
func (t *trackingReader) makeRoom(n int) {
	if n <= cap(t.ahead)-len(t.ahead) {
		return
	}
	if want := len(t.ahead) + n; cap(t.room) < want {
		t.room = make([]byte, 0, 2*want)
	}
	t.ahead = append(t.room[:0], t.ahead...)
}

// taken drops what belongs to a piece from what was read ahead. A piece that is not there byte for byte (an unpacked or
// recoded format) ends the tracking.
func (t *trackingReader) taken(p Piece) {
	t.last = p
	switch {
	case t.lost:
	case t.held != nil:
		if at := t.find(p.Body); at >= 0 {
			t.done = at + len(p.Body)
		} else {
			t.lost = true
		}
	default:
		if i := bytes.Index(t.ahead, p.Body); i >= 0 {
			t.ahead = t.ahead[i+len(p.Body):]
		} else {
			t.ahead, t.room, t.lost = nil, nil, true
		}
	}
}

// find returns where in the held item a piece begins, or -1. One that is part of it is told by where its memory is.
func (t *trackingReader) find(body []byte) int {
	if at := cap(t.held) - cap(body); at >= t.done && at < len(t.held) && len(body) > 0 && &t.held[at] == &body[0] {
		return at
	}
	if i := bytes.Index(t.held[t.done:], body); i >= 0 {
		return t.done + i
	}
	return -1
}

// rest returns what the splitter could not split as one last piece. Where the rest cannot be told apart any more, the
// piece is empty and lost says why, so that the item itself is refused and stays with its owner.
func (t *trackingReader) rest(cause error) (p Piece, lost *hub.Fault) {
	p = Piece{Preamble: t.last.Preamble}
	if t.last.Line > 0 { // it begins where the last piece ends
		p.Line = t.last.Line + bytes.Count(t.last.Body, []byte("\n"))
	}
	why := hub.AsFault(cause)
	if p.Line == 0 {
		p.Line, p.Column = why.Where.Line, why.Where.Column
	}
	if t.lost {
		told := *why
		told.Err = nil
		if told.Message == "" {
			told.Message = cause.Error()
		}
		return p, &told
	}
	if t.held != nil {
		p.Body = t.held[t.done:]
		return p, nil
	}
	// One byte more than fits shows the cutter that the rest is over the limit.
	body, err := io.ReadAll(io.LimitReader(t.r, int64(t.keep)+1))
	if err != nil {
		t.err = err
	}
	p.Body = slices.Concat(t.ahead, body)
	return p, nil
}

// maxID is the longest id that is kept as its sender wrote it.
const maxID = 200

// safeID returns id, or its digest when it could not stand in logs, paths and lists.
func safeID(id string) string {
	ok := id != "" && len(id) <= maxID && utf8.ValidString(id)
	for _, r := range id {
		ok = ok && unicode.IsPrint(r) && r != '#'
	}
	if ok {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}
