package anchor

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/hub"
)

// maxReceipt bounds the bytes of a receipt, maxLevels how deep its arrays and objects nest, on which all languages agree.
const (
	maxReceipt = 4 << 20
	maxLevels  = 128
)

// EncodeReceipt returns the one encoding of r: RFC 8785 (JCS) JSON without a newline.
func EncodeReceipt(r hub.Receipt) ([]byte, error) {
	if r.Ledger == nil {
		r.Ledger = []hub.Evidence{}
	}
	// The digest of the event is that of its bytes: they must survive the encoding.
	if event, err := canonicalJSON(r.Event); err != nil || !bytes.Equal(event, r.Event) {
		return nil, errors.New("encode receipt: the event is not in its canonical form")
	}
	b, err := canonicalJSON(r)
	if err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}
	if n := levels(b); n > maxLevels {
		return nil, fmt.Errorf("encode receipt: it nests %d levels deep, at most %d are read", n, maxLevels)
	}
	return b, nil
}

// levels returns how deep the arrays and objects of a JSON text nest.
func levels(b []byte) (deepest int) {
	level, within := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case within && c == '\\':
			i++
		case c == '"':
			within = !within
		case within:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// ParseReceipt reads a receipt in its one encoding, optionally followed by one newline. Any other spelling of the same
// JSON is refused: unknown, missing, repeated or differently cased names, other orders, spaces or escapes.
func ParseReceipt(b []byte) (hub.Receipt, error) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	var r hub.Receipt
	if len(b) > maxReceipt {
		return r, hub.Faultf(hub.TooLarge, "receipt.too-large", "the receipt has %d bytes, at most %d are read", len(b), maxReceipt)
	}
	if err := json.Unmarshal(b, &r, json.RejectUnknownMembers(true)); err != nil {
		return hub.Receipt{}, badFormat("it is not the JSON of a receipt").Because(err)
	}
	if levels(b) > maxLevels {
		return hub.Receipt{}, badFormat("it nests deeper than %d levels", maxLevels)
	}
	if r.Type != hub.ReceiptType {
		return hub.Receipt{}, badFormat("its type is %.100q, this reads %q", r.Type, hub.ReceiptType)
	}
	if r.Event = bytes.TrimSpace(r.Event); len(r.Event) == 0 || r.Event[0] != '{' {
		return hub.Receipt{}, badFormat("its event is not a JSON object")
	}
	again, err := canonicalJSON(r)
	if err != nil {
		return hub.Receipt{}, badFormat("it cannot be written again").Because(err)
	}
	if !bytes.Equal(again, b) {
		return hub.Receipt{}, badFormat("byte %d is not that of the canonical encoding", firstDifference(again, b))
	}
	return r, nil
}

func badFormat(format string, args ...any) *hub.Fault {
	return hub.Faultf(hub.Invalid, "receipt.format", "the receipt is refused: "+format, args...).
		WithHint("pass the file on as it was served; editors and formatters change it")
}

// firstDifference returns the first index at which a and b differ.
func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// canonicalJSON returns the RFC 8785 (JCS) form of v.
func canonicalJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, err
	}
	return value, nil
}

// Pending is the cause of the fault that Receipt returns for an event that is recorded and not yet anchored.
type Pending struct {
	Seq hub.Seq
	// ExpectedAt is when the receipt should be there; it may be past when a ledger is slow or down.
	ExpectedAt time.Time
}

// Error implements error.
func (p *Pending) Error() string {
	return fmt.Sprintf("event %d is pending until about %s", p.Seq, p.ExpectedAt.UTC().Format(time.RFC3339))
}

// Reader gives out what a log has committed. It changes nothing, so that any number of them may read beside the process that
// seals. Leaves must give leaf hashes of Hash.
type Reader struct {
	Key     VerifierKey
	Hash    Hash
	Leaves  Leaves
	Journal Journal
}

// errNotAnchored says that no committed checkpoint covers an event yet.
var errNotAnchored = errors.New("no committed checkpoint covers the event")

// Receipt is [Log.Receipt]; it does not say when a receipt that is not there yet may be expected.
func (l Reader) Receipt(ctx context.Context, seq hub.Seq, by ...string) (hub.Receipt, error) {
	event, err := l.Leaves.EventAt(ctx, seq)
	if err != nil {
		return hub.Receipt{}, fmt.Errorf("read event %d: %w", seq, err)
	}
	sealed, ok, err := l.covering(ctx, seq, by)
	if err != nil {
		return hub.Receipt{}, err
	}
	if !ok {
		return hub.Receipt{}, hub.Faultf(hub.Unavailable, "receipt.pending", "event %d waits to be anchored", seq).Because(errNotAnchored)
	}
	c := sealed.Checkpoint
	proof, err := ProveInclusion(ctx, l.Hash, l.Journal, uint64(seq), c.Size)
	if err != nil {
		return hub.Receipt{}, err
	}
	// What is handed out is checked first: a receipt that does not verify would be our own contradiction in writing.
	if err := VerifyInclusion(l.Hash, proof, l.Hash.Leaf(event.Leaf.Bytes()), c.Root); err != nil {
		return hub.Receipt{}, fmt.Errorf("prove event %d: %w", seq, err)
	}
	if hub.Sum(event.Body) != event.Leaf.Event {
		return hub.Receipt{}, fmt.Errorf("prove event %d: its body is not the one that the log commits to", seq)
	}
	return hub.Receipt{
		Type: hub.ReceiptType, Event: stdjson.RawMessage(event.Body), Leaf: event.Leaf, Proof: proof,
		Checkpoint: string(c.Note), Key: l.Key.String(), Ledger: sealed.Evidence,
	}, nil
}

// reader returns the reader of the log.
func (l *Log) reader() Reader {
	return Reader{Key: l.Key(), Hash: l.opts.Hash, Leaves: l.opts.Leaves, Journal: l.opts.Journal}
}

// Receipt returns the receipt of the event at seq against the smallest committed checkpoint that covers it and that all
// ledgers named by have witnessed. Its proof and checkpoint are the same for ever; evidence of ledgers beyond the quorum
// that come later is added. Faults: NotFound if there is no such event, Unavailable with a [Pending] cause if it is not
// anchored yet.
func (l *Log) Receipt(ctx context.Context, seq hub.Seq, by ...string) (hub.Receipt, error) {
	r, err := l.reader().Receipt(ctx, seq, by...)
	if errors.Is(err, errNotAnchored) {
		return hub.Receipt{}, l.pending(ctx, seq)
	}
	return r, err
}

// Consistency is [Reader.Consistency].
func (l *Log) Consistency(ctx context.Context, from, to uint64) (hub.Consistency, error) {
	return l.reader().Consistency(ctx, from, to)
}

// covering returns the smallest committed checkpoint that covers seq and bears evidence of the ledgers named by. Only the
// newest can be uncommitted.
func (l Reader) covering(ctx context.Context, seq hub.Seq, by []string) (Sealed, bool, error) {
	from, page := uint64(seq)+1, 1
	for {
		sealed, err := l.Journal.SealedFrom(ctx, from, page)
		if err != nil {
			return Sealed{}, false, fmt.Errorf("find checkpoint of event %d: %w", seq, err)
		}
		for _, s := range sealed {
			if s.State == StateCommitted && witnessedBy(s, by) {
				return s, true, nil
			}
			from = s.Checkpoint.Size + 1
		}
		if len(sealed) < page || len(by) == 0 {
			return Sealed{}, false, nil
		}
		page = lookBack
	}
}

// witnessedBy reports whether s bears evidence of all ledgers named by.
func witnessedBy(s Sealed, by []string) bool {
	for _, name := range by {
		if !hasEvidence(s, name) {
			return false
		}
	}
	return true
}

// pending explains when the receipt of seq is to be expected.
func (l *Log) pending(ctx context.Context, seq hub.Seq) error {
	recorded, err := l.opts.Leaves.RecordedAt(ctx, seq)
	if err != nil {
		return fmt.Errorf("read age of event %d: %w", seq, err)
	}
	s := l.snapshot()
	wait := l.opts.MaxAge
	if l.opts.TargetCost > 0 {
		wait = max(wait, l.opts.MaxDelay)
	}
	p := &Pending{Seq: seq, ExpectedAt: recorded.Add(wait + l.opts.Poll + s.commitTook)}
	f := hub.Faultf(hub.Unavailable, "receipt.pending", "the event is recorded and waits to be anchored").Because(p)
	f.MessageZh = "事件已记录,正在等待锚定"
	f.Hint, f.HintZh = "ask again then", "请稍后再试"
	switch {
	case s.alarm != nil:
		f.Hint, f.HintZh = "anchoring has stopped; the operator must act", "锚定已停止,需运维人员处理"
	case s.lastErr != nil:
		f.Hint, f.HintZh = "the ledger does not answer at present; nothing is lost", "账本暂不可用,数据不会丢失"
	}
	return f
}

// Consistency returns the checkpoints of the given sizes, both committed, and the proof that the larger extends the
// smaller. A fault of kind NotFound says which there is not.
func (l Reader) Consistency(ctx context.Context, from, to uint64) (hub.Consistency, error) {
	var notes [2]string
	for i, size := range []uint64{from, to} {
		sealed, err := l.Journal.SealedFrom(ctx, size, 1)
		if err != nil {
			return hub.Consistency{}, fmt.Errorf("read checkpoint %d: %w", size, err)
		}
		if size == 0 || len(sealed) == 0 || sealed[0].Checkpoint.Size != size || sealed[0].State != StateCommitted {
			return hub.Consistency{}, hub.Faultf(hub.NotFound, "anchor.unknown", "no checkpoint of size %d is anchored", size).
				WithHint("they are listed at /v1/anchors")
		}
		notes[i] = string(sealed[0].Checkpoint.Note)
	}
	hashes, err := ProveConsistency(ctx, l.Hash, l.Journal, from, to)
	if err != nil {
		return hub.Consistency{}, err
	}
	return hub.Consistency{From: notes[0], To: notes[1], Hashes: append([]hub.Digest{}, hashes...)}, nil
}
