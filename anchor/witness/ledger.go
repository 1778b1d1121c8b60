package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Kind is the kind of this ledger in evidence and in trust files; a hub names each witness "witness/NAME".
const Kind = "witness"

// Ledger asks a witness over HTTP. It implements [anchor.Ledger], but remembers, as any witness does, only the newest
// checkpoint of a log: a look-up of an older one has no answer.
type Ledger struct {
	// URL is the witness's submission and monitoring prefix, without a slash at the end.
	URL string
	// Key is the witness's key.
	Key anchor.CosignerKey
	// Client makes the requests; the default has a timeout of 10 s.
	Client *http.Client
}

// Open returns the ledger of the witness at an http or https URL.
func Open(prefix, key string) (*Ledger, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, hub.Faultf(hub.Invalid, "witness.url", "%q is not the URL of a witness", prefix).
			WithHint("it looks like https://witness.example.com")
	}
	k, err := anchor.ParseCosignerKey(key)
	if err != nil {
		return nil, err
	}
	return &Ledger{URL: strings.TrimSuffix(prefix, "/"), Key: k, Client: &http.Client{Timeout: 10 * time.Second}}, nil
}

// Name implements [anchor.Ledger].
func (l *Ledger) Name() string { return Kind }

// Close implements [anchor.Ledger].
func (l *Ledger) Close() error {
	l.Client.CloseIdleConnections()
	return nil
}

// Commit implements [anchor.Ledger]: add-checkpoint of c2sp.org/tlog-witness.
func (l *Ledger) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	if err := checkNote(c.Checkpoint); err != nil {
		return hub.Evidence{}, err
	}
	body := request{old: c.PreviousSize, proof: c.Consistency, note: c.Checkpoint.Note}.encode()
	status, answer, err := l.do(ctx, http.MethodPost, "/add-checkpoint", body)
	if err != nil {
		return hub.Evidence{}, err
	}
	said := strings.TrimSpace(string(answer))
	switch status {
	case http.StatusOK:
		sigs, err := anchor.ParseSignatures(string(answer))
		if err != nil {
			return hub.Evidence{}, fmt.Errorf("read cosignature: %w", err)
		}
		return l.evidence(c.Checkpoint, sigs)
	case http.StatusConflict:
		return l.overtaken(ctx, c.Checkpoint, said)
	case http.StatusUnprocessableEntity:
		return hub.Evidence{}, fault(hub.Conflict, "witness.inconsistent", "见证方认为检查点与历史不一致",
			"the witness refuses the checkpoint: %.200s", said)
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized:
		return hub.Evidence{}, fault(hub.Forbidden, "witness.unknown-log", "见证方不认识该日志",
			"the witness does not watch this log: %.200s", said)
	case http.StatusBadRequest:
		return hub.Evidence{}, fault(hub.Invalid, "witness.request", "见证方拒绝请求", "the witness refuses the request: %.200s", said)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return hub.Evidence{}, fault(hub.Unavailable, "witness.busy", "见证方暂不可用", "the witness is busy: %.200s", said)
	}
	return hub.Evidence{}, fmt.Errorf("the witness answers %d: %.200s", status, said)
}

// overtaken decides what it means that the witness holds another size than the proof begins at.
func (l *Ledger) overtaken(ctx context.Context, c hub.Checkpoint, said string) (hub.Evidence, error) {
	held, err := parseSize(said)
	switch {
	case err != nil:
		return hub.Evidence{}, fmt.Errorf("read the size that the witness holds: %w", err)
	case held > c.Size:
		return hub.Evidence{}, fault(hub.Conflict, "witness.larger", "见证方持有更大的检查点",
			"the witness holds size %d, which is larger than %d", held, c.Size)
	case held < c.Size:
		return hub.Evidence{}, fault(hub.Invalid, "witness.previous", "证明的起点不是见证方持有的大小",
			"the witness holds size %d, the proof begins elsewhere", held)
	}
	there, evidence, err := l.Lookup(ctx, c.Origin, c.Size)
	if err == nil && there.Root != c.Root {
		return hub.Evidence{}, fault(hub.Conflict, "witness.root", "见证方持有不同的根哈希",
			"the witness holds the root %v for size %d", there.Root, c.Size)
	}
	return evidence, err
}

// Lookup implements [anchor.Ledger].
func (l *Ledger) Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	c, sigs, err := l.newest(ctx, origin)
	switch {
	case err != nil:
		return hub.Checkpoint{}, hub.Evidence{}, err
	case c.Size < size:
		return hub.Checkpoint{}, hub.Evidence{}, fault(hub.NotFound, "witness.unknown", "见证方没有该检查点",
			"the witness holds size %d, not %d", c.Size, size)
	case c.Size > size:
		return hub.Checkpoint{}, hub.Evidence{}, fmt.Errorf("the witness holds size %d and does not remember %d", c.Size, size)
	}
	evidence, err := l.evidence(c, sigs)
	return c, evidence, err
}

// Latest implements [anchor.Ledger].
func (l *Ledger) Latest(ctx context.Context, origin string) (hub.Checkpoint, error) {
	c, _, err := l.newest(ctx, origin)
	return c, err
}

// newest asks the witness for its newest checkpoint of a log. In its note stands the log's signature alone.
func (l *Ledger) newest(ctx context.Context, origin string) (hub.Checkpoint, []anchor.Signature, error) {
	status, answer, err := l.do(ctx, http.MethodGet, "/"+originHash(origin)+"/checkpoint", nil)
	switch {
	case err != nil:
		return hub.Checkpoint{}, nil, err
	case status == http.StatusNotFound:
		return hub.Checkpoint{}, nil, fault(hub.NotFound, "witness.unknown", "见证方没有该日志的检查点",
			"the witness holds nothing of %.100q", origin)
	case status != http.StatusOK:
		return hub.Checkpoint{}, nil, fault(hub.Unavailable, "witness.answer", "见证方应答异常", "the witness answers %d", status)
	}
	c, sigs, err := anchor.ParseCheckpoint(answer)
	if err != nil {
		return hub.Checkpoint{}, nil, fmt.Errorf("read the witness's checkpoint: %w", err)
	}
	if c.Origin != origin {
		return hub.Checkpoint{}, nil, fmt.Errorf("the witness answers with a checkpoint of %q", c.Origin)
	}
	text := answer[:bytes.LastIndex(answer, []byte("\n\n"))+2]
	c.Note = append(bytes.Clone(text), anchor.SignatureOf(origin, sigs)...)
	return c, sigs, nil
}

// do makes a request and reads the answer. A request that may have arrived has an unknown outcome.
func (l *Ledger) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("ask witness: %w", err)
	}
	resp, err := l.Client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask witness: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("ask witness: %w", err)
	}
	return resp.StatusCode, answer, nil
}

// entry is the evidence of this ledger: RFC 8785 (JCS) JSON, specified in docs/formats.md.
type entry struct {
	// Cosignature is the signature line with its newline (c2sp.org/tlog-cosignature).
	Cosignature string `json:"cosignature"`
	// Key is the witness's key.
	Key string `json:"key"`
}

// evidence picks our witness's cosignature of c from sigs, and checks it.
func (l *Ledger) evidence(c hub.Checkpoint, sigs []anchor.Signature) (hub.Evidence, error) {
	line := l.Key.Find(sigs)
	if line == "" {
		return hub.Evidence{}, fmt.Errorf("the witness did not cosign as %s", l.Key.Name())
	}
	if _, err := l.Key.Verify(c, line); err != nil {
		return hub.Evidence{}, err
	}
	b, err := entry{Cosignature: line, Key: l.Key.String()}.encode()
	return hub.Evidence{Ledger: Kind, Entry: b}, err
}

func (e entry) encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode cosignature: %w", err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode cosignature: %w", err)
	}
	return value, nil
}

func parseEntry(b []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return entry{}, fmt.Errorf("it is not the JSON of a cosignature: %w", err)
	}
	again, err := e.encode()
	if err != nil {
		return entry{}, err
	}
	if !bytes.Equal(again, b) {
		return entry{}, errors.New("it is not in its canonical encoding")
	}
	return e, nil
}

// Verify is the [anchor.EvidenceVerifier] of this kind. pinned is YAML with one member, the witness's key:
//
//	{ key: witness.example.com/w1+9a0b1c2d+BAf… }
func Verify(b []byte, c hub.Checkpoint, pinned anchor.Pinned) (string, error) {
	e, err := parseEntry(b)
	if err != nil {
		return "", err
	}
	key, err := anchor.ParseCosignerKey(e.Key)
	if err != nil {
		return "", err
	}
	at, err := key.Verify(c, e.Cosignature)
	if err != nil {
		return "", err
	}
	if pinned != nil {
		var trust struct {
			Key string `yaml:"key"`
		}
		if err := pinned.Decode(&trust); err != nil {
			return "", err
		}
		if trust.Key != e.Key {
			return "", fmt.Errorf("the key %s is not the trusted %s", e.Key, trust.Key)
		}
	}
	return fmt.Sprintf("cosigned by %s at %s", key.Name(), at.Format(time.RFC3339)), nil
}

func fault(kind hub.Kind, code, zh, format string, args ...any) error {
	f := hub.Faultf(kind, code, format, args...)
	f.MessageZh = zh
	return f
}
