// Package notary is the embedded ledger: an append-only file of checkpoints, each signed with the notary's own key and
// chained to the one before by hash. It checks every consistency proof itself and refuses a log that rewrites its
// history.
//
// It is honest about what it is: as long as hub and notary are run by one operator, they are one party, and a notary's
// word adds nothing against that operator (docs/threat-model.md). It serves demos, tests and hubs without a
// consortium; run by another party, with the key in that party's hands, it is a witness.
//
// It leaves the proof of inclusion, retries and time stamps by third parties to others.
package notary

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// maxLine bounds one line of the file.
const maxLine = 1 << 20

// Options configure a notary.
type Options struct {
	// Key signs the entries.
	Key *anchor.SigningKey
	// Logs are the keys of the logs that the notary serves. It refuses a checkpoint that none of them signed.
	Logs []anchor.VerifierKey
	// Hash is the hash function of those logs; the default is that of each log's key.
	Hash anchor.Hash
	// Now is the clock; the default is time.Now.
	Now func() time.Time
}

// Ledger is a notary. It implements [anchor.Ledger].
type Ledger struct {
	opts Options
	path string

	mu   sync.Mutex
	file *os.File
	// end is the length of the file up to its last whole entry, last the digest of that entry's line.
	end   int64
	last  hub.Digest
	count uint64
	held  map[string][]held // by origin, in order of size
	// broken is set when a write has failed half-way: what the file holds after end is then unknown, and mend cuts it off.
	broken error
	closed bool
}

// held is one entry without what can be read from the file again.
type held struct {
	size   uint64
	root   hub.Digest
	offset int64
	length int
}

// Open opens the notary's file, or creates it. It checks the whole chain. An unfinished last line, as a crash during a
// write leaves it, was never answered for: it is cut off. Anything else that does not fit is refused with a fault of
// kind Conflict. The file is locked against a second process.
func Open(path string, opts Options) (*Ledger, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open notary: %w", err)
	}
	l := &Ledger{opts: opts, path: path, file: file, held: make(map[string][]held)}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// load locks and reads the file, cuts off an unfinished line, and makes the file's name durable.
func (l *Ledger) load() error {
	if err := lock(l.file); err != nil {
		return hub.Faultf(hub.Unavailable, "notary.locked", "another process has the notary open").
			Because(err).At(hub.Where{File: l.path})
	}
	r := bufio.NewReaderSize(l.file, 64<<10)
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			break // what is left, if anything, has no newline
		}
		if err == nil {
			err = l.replay(line)
		}
		if err != nil {
			return hub.Faultf(hub.Conflict, "notary.damaged", "the notary's file is damaged").Because(err).
				At(hub.Where{File: l.path, Line: int(l.count) + 1}).
				WithHint("restore the file from a copy; do not cut it, receipts refer to what it held")
		}
	}
	if err := l.file.Truncate(l.end); err != nil {
		return fmt.Errorf("cut off unfinished entry: %w", err)
	}
	return errors.Join(l.file.Sync(), syncDir(filepath.Dir(l.path)))
}

// readLine returns the next line without its newline, and io.EOF for one that is not ended.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, errors.New("the line is too long")
		}
	}
}

// replay takes over one line of the file.
func (l *Ledger) replay(line []byte) error {
	e, err := parseEntry(line)
	if err != nil {
		return err
	}
	if e.Index != l.count || e.Previous != l.last || e.Key != l.opts.Key.Public().String() {
		return errors.New("the entry does not continue the one before")
	}
	c, _, err := anchor.ParseCheckpoint([]byte(e.Checkpoint))
	if err != nil {
		return err
	}
	l.add(c, line)
	return nil
}

// add notes an entry that is in the file.
func (l *Ledger) add(c hub.Checkpoint, line []byte) {
	l.held[c.Origin] = append(l.held[c.Origin], held{size: c.Size, root: c.Root, offset: l.end, length: len(line)})
	l.end += int64(len(line)) + 1
	l.last = hub.Sum(line)
	l.count++
}

// Name implements [anchor.Ledger].
func (l *Ledger) Name() string { return Name }

// Key returns the key to pin in a trust file.
func (l *Ledger) Key() anchor.VerifierKey { return l.opts.Key.Public() }

// Commit implements [anchor.Ledger]. The entry is on disk before it returns.
func (l *Ledger) Commit(_ context.Context, c anchor.Commitment) (hub.Evidence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.mend(); err != nil {
		return hub.Evidence{}, err
	}
	hash, err := l.checkSigned(c.Checkpoint)
	if err != nil {
		return hub.Evidence{}, err
	}
	entries := l.held[c.Checkpoint.Origin]
	if i, ok := find(entries, c.Checkpoint.Size); ok {
		if entries[i].root != c.Checkpoint.Root {
			return hub.Evidence{}, conflict("it holds the root %v for size %d", entries[i].root, c.Checkpoint.Size)
		}
		return l.evidence(entries[i])
	}
	if err := checkExtends(hash, entries, c); err != nil {
		return hub.Evidence{}, err
	}
	e := entry{
		Checkpoint: string(c.Checkpoint.Note), Index: l.count, Previous: l.last,
		RecordedAt: hub.Instant(l.opts.Now()),
	}
	line, err := e.sign(l.opts.Key)
	if err != nil {
		return hub.Evidence{}, err
	}
	if err := l.write(line); err != nil {
		return hub.Evidence{}, err
	}
	l.add(c.Checkpoint, line)
	return hub.Evidence{Ledger: Name, Entry: line}, nil
}

// checkSigned refuses a checkpoint that none of the known logs signed, or that is not what its note says. It returns the
// hash function of the log.
func (l *Ledger) checkSigned(c hub.Checkpoint) (anchor.Hash, error) {
	for _, key := range l.opts.Logs {
		if key.Name() != c.Origin {
			continue
		}
		opened, err := anchor.OpenCheckpoint(c.Note, key)
		if err != nil {
			continue // another key of the same log may fit
		}
		if opened.Size != c.Size || opened.Root != c.Root || c.Size == 0 {
			return 0, hub.Faultf(hub.Invalid, "notary.checkpoint", "the checkpoint is not what its note says")
		}
		return max(l.opts.Hash, key.Hash()), nil
	}
	return 0, hub.Faultf(hub.Forbidden, "notary.signature", "no known key of log %.100q signed the checkpoint", c.Origin)
}

// checkExtends refuses a checkpoint that does not extend the newest one of its log.
func checkExtends(hash anchor.Hash, entries []held, c anchor.Commitment) error {
	var newest held
	if len(entries) > 0 {
		newest = entries[len(entries)-1]
	}
	if c.Checkpoint.Size < newest.size {
		return conflict("it holds size %d, which is larger than %d", newest.size, c.Checkpoint.Size)
	}
	if c.PreviousSize != newest.size {
		return hub.Faultf(hub.Invalid, "notary.previous", "the proof begins at size %d, the notary holds %d",
			c.PreviousSize, newest.size)
	}
	if newest.size == 0 {
		return nil
	}
	from, to := anchor.Head{Size: newest.size, Root: newest.root}, anchor.Head{Size: c.Checkpoint.Size, Root: c.Checkpoint.Root}
	err := anchor.VerifyConsistency(hash, from, to, c.Consistency)
	if err != nil {
		return conflict("size %d does not extend size %d: %v", c.Checkpoint.Size, newest.size, err)
	}
	return nil
}

// mend makes the file what the notary knows it to be after a write that failed, because the disk was full or broken: what
// follows the last whole entry was never answered for and is cut off, as at the next opening. Until that works the notary
// answers nothing.
func (l *Ledger) mend() error {
	switch {
	case l.closed:
		return errors.New("the notary is closed")
	case l.broken == nil:
		return nil
	}
	if err := errors.Join(l.file.Truncate(l.end), l.file.Sync()); err != nil {
		return hub.Faultf(hub.Unavailable, "notary.broken", "the notary's file cannot be written").Because(errors.Join(l.broken, err)).
			At(hub.Where{File: l.path}).WithHint("free space on its disk; the notary goes on by itself")
	}
	l.broken = nil
	return nil
}

// write appends line durably. If that fails, the file may hold any part of it: nothing is answered before mend has cut it
// off, and what was answered before is untouched.
func (l *Ledger) write(line []byte) error {
	_, err := l.file.WriteAt(append(slices.Clip(line), '\n'), l.end)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.broken = fmt.Errorf("write to notary: %w", err)
	}
	return l.broken
}

// Lookup implements [anchor.Ledger].
func (l *Ledger) Lookup(_ context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.mend(); err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	entries := l.held[origin]
	i, ok := find(entries, size)
	if !ok {
		return hub.Checkpoint{}, hub.Evidence{}, hub.Faultf(hub.NotFound, "notary.unknown",
			"the notary does not hold checkpoint %d of %.100q", size, origin)
	}
	return l.read(entries[i])
}

// Latest implements [anchor.Ledger].
func (l *Ledger) Latest(_ context.Context, origin string) (hub.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.mend(); err != nil {
		return hub.Checkpoint{}, err
	}
	entries := l.held[origin]
	if len(entries) == 0 {
		return hub.Checkpoint{}, hub.Faultf(hub.NotFound, "notary.unknown", "the notary holds nothing of %.100q", origin)
	}
	c, _, err := l.read(entries[len(entries)-1])
	return c, err
}

// Close implements [anchor.Ledger].
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.file.Close()
}

// read returns an entry from the file.
func (l *Ledger) read(h held) (hub.Checkpoint, hub.Evidence, error) {
	evidence, err := l.evidence(h)
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	e, err := parseEntry(evidence.Entry)
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, fmt.Errorf("read entry: %w", err)
	}
	c, _, err := anchor.ParseCheckpoint([]byte(e.Checkpoint))
	return c, evidence, err
}

// evidence returns the line of an entry as evidence.
func (l *Ledger) evidence(h held) (hub.Evidence, error) {
	line := make([]byte, h.length)
	if _, err := l.file.ReadAt(line, h.offset); err != nil {
		return hub.Evidence{}, fmt.Errorf("read entry: %w", err)
	}
	if bytes.IndexByte(line, '\n') >= 0 {
		return hub.Evidence{}, errors.New("read entry: the file has changed under the notary")
	}
	return hub.Evidence{Ledger: Name, Entry: line}, nil
}

// find returns the entry of the given size.
func find(entries []held, size uint64) (int, bool) {
	return slices.BinarySearchFunc(entries, size, func(h held, size uint64) int {
		switch {
		case h.size < size:
			return -1
		case h.size > size:
			return 1
		}
		return 0
	})
}

func conflict(format string, args ...any) error {
	return hub.Faultf(hub.Conflict, "notary.conflict", "the notary refuses the checkpoint: %s", fmt.Sprintf(format, args...))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
