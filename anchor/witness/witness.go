package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// maxBody bounds a request: a note of 128 KiB and a proof.
const maxBody = 136 << 10

// Options configure a witness. Key, Logs and Dir are required.
type Options struct {
	// Key cosigns; it must sign nothing else.
	Key *anchor.SigningKey
	// Logs are the keys of the logs that the witness watches; others are refused.
	Logs []anchor.VerifierKey
	// Dir is the folder of what the witness remembers; one process may have it. Losing it means to trust every log anew.
	Dir string
	// Now is the clock; the default is time.Now. Logger may be nil.
	Now    func() time.Time
	Logger *zap.Logger
}

// Witness is the HTTP service. It is safe for concurrent use.
type Witness struct {
	opts   Options
	cosign anchor.CosignerKey
	mux    *http.ServeMux

	// mu makes comparing with the newest checkpoint, and storing the next, one step.
	mu sync.Mutex
}

// New returns the witness, and makes its folder.
func New(opts Options) (*Witness, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	key, err := opts.Key.CosignerKey()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create folder of the witness: %w", err)
	}
	w := &Witness{opts: opts, cosign: key, mux: http.NewServeMux()}
	w.mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	w.mux.HandleFunc("GET /{origin}/checkpoint", w.checkpoint)
	return w, nil
}

// Key returns the key to pin in a trust file.
func (w *Witness) Key() anchor.CosignerKey { return w.cosign }

// ServeHTTP implements [http.Handler].
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.mux.ServeHTTP(rw, r) }

// refusal is an answer other than 200.
type refusal struct {
	status int
	// held is the size that the witness holds, for 409.
	held   uint64
	reason string
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		http.Error(rw, "the request is too large or was cut", http.StatusBadRequest)
		return
	}
	line, err := w.add(body)
	var refused *refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, line)
	case errors.As(err, &refused) && refused.status == http.StatusConflict:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(rw, "%d\n", refused.held)
	case errors.As(err, &refused):
		http.Error(rw, refused.reason, refused.status)
	default:
		w.opts.Logger.Error("cannot keep a checkpoint", zap.Error(err))
		http.Error(rw, "the witness cannot store", http.StatusInternalServerError)
	}
}

// add checks a request and returns the cosignature line, or a refusal.
func (w *Witness) add(body []byte) (string, error) {
	req, err := parseRequest(body)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	c, _, err := anchor.ParseCheckpoint(req.note)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	hash, err := w.checkSigned(c)
	if err != nil {
		return "", err
	}
	if req.old > c.Size {
		return "", refuse(http.StatusBadRequest, "a tree of %d cannot grow into one of %d", req.old, c.Size)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	held, line, err := w.load(c.Origin)
	if err != nil {
		return "", err
	}
	if req.old != held.Size {
		return "", &refusal{http.StatusConflict, held.Size, "the witness holds another size"}
	}
	if err := extends(hash, held, c, req.proof); err != nil {
		w.opts.Logger.Warn("refused a checkpoint that is not shown to extend the newest",
			zap.String("origin", c.Origin), zap.Uint64("held", held.Size), zap.Uint64("size", c.Size), zap.Error(err))
		w.keepRefused(c)
		return "", refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	if line != "" && held.Size == c.Size {
		return line, nil
	}
	return w.store(c)
}

// checkSigned refuses a log that is not known, and a note that it did not sign, or that bears a signature by one of its
// keys that does not fit. It returns the log's hash function.
func (w *Witness) checkSigned(c hub.Checkpoint) (hash anchor.Hash, err error) {
	known, signed := false, false
	for _, key := range w.opts.Logs {
		if key.Name() != c.Origin {
			continue
		}
		known = true
		ok, err := anchor.IsSignedBy(c.Note, key)
		if err != nil {
			return 0, refuse(http.StatusForbidden, "%v", err)
		}
		if ok {
			signed, hash = true, key.Hash()
		}
	}
	switch {
	case !known:
		return 0, refuse(http.StatusNotFound, "the log %.100q is not watched here", c.Origin)
	case !signed:
		return 0, refuse(http.StatusForbidden, "no known key of the log signed the checkpoint")
	}
	return hash, nil
}

// extends refuses a checkpoint that is not shown to extend the one that is held.
func extends(hash anchor.Hash, held, c hub.Checkpoint, proof []hub.Digest) error {
	switch {
	case c.Size == 0 && c.Root != hash.Empty():
		return errors.New("the root of the empty tree is another")
	case held.Size == 0 && len(proof) > 0:
		return errors.New("a proof from an empty tree says nothing")
	case held.Size == 0:
		return nil
	}
	return anchor.VerifyConsistency(hash, anchor.Head{Size: held.Size, Root: held.Root}, anchor.Head{Size: c.Size, Root: c.Root}, proof)
}

// checkpoint serves the newest cosigned checkpoint of a log to monitors.
func (w *Witness) checkpoint(rw http.ResponseWriter, r *http.Request) {
	for _, key := range w.opts.Logs {
		if originHash(key.Name()) != r.PathValue("origin") {
			continue
		}
		w.mu.Lock()
		note, err := os.ReadFile(w.path(key.Name()))
		w.mu.Unlock()
		if err == nil {
			rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
			rw.Header().Set("Cache-Control", "no-cache")
			_, _ = rw.Write(note)
			return
		}
	}
	http.Error(rw, "no checkpoint of this log was cosigned", http.StatusNotFound)
}

func (w *Witness) path(origin string) string { return filepath.Join(w.opts.Dir, originHash(origin)) }

// load returns the newest checkpoint of a log, with only the log's signature in its note, and our cosignature; the zero
// checkpoint if there is none.
func (w *Witness) load(origin string) (hub.Checkpoint, string, error) {
	note, err := os.ReadFile(w.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return hub.Checkpoint{}, "", nil
	}
	if err != nil {
		return hub.Checkpoint{}, "", fmt.Errorf("read the newest checkpoint: %w", err)
	}
	c, sigs, err := anchor.ParseCheckpoint(note)
	if err != nil {
		return hub.Checkpoint{}, "", fmt.Errorf("read the newest checkpoint: %w", err)
	}
	line := w.cosign.Find(sigs)
	if _, err := w.cosign.Verify(c, line); err != nil || c.Origin != origin {
		return hub.Checkpoint{}, "", fmt.Errorf("the newest checkpoint of %s was not cosigned here: %w", origin, err)
	}
	c.Note = bytes.TrimSuffix(note, []byte(line))
	return c, line, nil
}

// store cosigns c, which extends what is held, and makes it the newest.
//
//	crash before the rename   the former checkpoint is the newest; no cosignature of c has left the process
//	crash after it            c is the newest, and its cosignature is given to whoever asks with c again
func (w *Witness) store(c hub.Checkpoint) (string, error) {
	line, err := w.opts.Key.Cosign(c, w.opts.Now())
	if err != nil {
		return "", err
	}
	note := string(c.Note)
	if _, sigs, err := anchor.ParseCheckpoint(c.Note); err == nil { // keep the log's signature, drop those of other witnesses
		note = note[:strings.LastIndex(note, "\n\n")+2] + anchor.SignatureOf(c.Origin, sigs)
	}
	return line, writeFile(w.path(c.Origin), []byte(note+line))
}

// keepRefused keeps the newest checkpoint of a log that was refused: with the one that is held it may prove a fork.
func (w *Witness) keepRefused(c hub.Checkpoint) {
	if err := writeFile(w.path(c.Origin)+".refused", c.Note); err != nil {
		w.opts.Logger.Error("cannot keep a refused checkpoint", zap.Error(err))
	}
}

// writeFile replaces a file durably: after a crash there is the former or the new one.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
