package relational

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/body"
)

// Append implements pipeline.Appender. A crash before the commit leaves nothing of the batch; after it everything is
// there, and the same batch appended again is Repeated throughout.
func (s *Store) Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	verdicts := make([]hub.Verdict, len(outcomes))
	var a appender
	err := s.inOne(ctx, "append outcomes", func(tx *Tx) error {
		if err := s.head(ctx, tx); err != nil {
			return err
		}
		a = appender{s: s, tx: tx, ctx: ctx, at: s.recordTime(), before: s.size, blocks: worthBlocks(outcomes)}
		var err error
		if a.found, err = s.index.Begin(ctx, tx); err != nil {
			return err
		}
		if err := a.load(outcomes); err != nil {
			return err
		}
		if a.rows, err = s.dialect.Writer(ctx, tx); err != nil {
			return err
		}
		defer a.rows.Close()
		for i := range outcomes {
			v, err := a.one(&outcomes[i], a.recorded.keys[i])
			if err != nil {
				return fmt.Errorf("%s: %w", outcomes[i].Record, err)
			}
			verdicts[i] = v
		}
		return a.finish()
	}, func() {
		a.found.Done()
		s.leaves.add(a.before, a.leaves)
	})
	if err != nil {
		return nil, err
	}
	return verdicts, nil
}

// head brings what is remembered to the truth where other processes append as well.
func (s *Store) head(ctx context.Context, tx *Tx) (err error) {
	if s.dialect.Head != nil {
		s.size, s.last, err = s.dialect.Head(ctx, tx)
	}
	return err
}

// finish inserts what is still to be inserted.
func (a *appender) finish() error {
	if err := a.flushBlock(); err != nil {
		return err
	}
	if err := a.rows.Flush(); err != nil {
		return err
	}
	if err := a.found.Flush(); err != nil {
		return err
	}
	a.s.last = a.at
	if a.s.dialect.Advance == nil || a.s.size == a.before {
		return nil
	}
	return a.s.dialect.Advance(a.ctx, a.tx, a.s.size, a.at)
}

// recordTime is the time of a transaction's events. It never goes back, even where the clock does, so that the order of
// record times is the order of the log.
func (s *Store) recordTime() time.Time {
	now := s.config.Now().UTC().Truncate(time.Millisecond)
	if now.Before(s.last) {
		return s.last
	}
	return now
}

// appender is one transaction of Append.
type appender struct {
	s   *Store
	tx  *Tx
	ctx context.Context //nolint:containedctx // lives as long as the call that made it
	at  time.Time
	// before is the size of the log when the transaction began.
	before uint64

	// recorded is what the store knows of the batch's records and events; it grows as the batch is appended.
	recorded recorded
	rows     Writer
	found    Additions
	// leaves are the leaf hashes of what was appended.
	leaves []hub.Digest
	// room is where the keys of the index's entries live.
	room []int64
	// leaf, slots, seqs and entry are room for what is made for one outcome.
	leaf  []byte
	slots []slot
	seqs  []hub.Seq
	entry Entry
	// traits are those of the event that was inserted last.
	traits traits

	// blocks is true when the events go into blocks.
	blocks bool
}

// known is what the records table says of a record.
type known struct {
	hash    int64 // its record's key
	key     int64 // where it is, or where it goes
	found   bool
	raw     hub.Digest
	verdict hub.Verdict
	dead    hub.DeadLetterID
}

// one decides on one outcome: first by the record's id, then by the events' keys.
func (a *appender) one(o *hub.Outcome, key int64) (hub.Verdict, error) {
	ids := a.recorded.ids[:len(o.Events)]
	a.recorded.ids = a.recorded.ids[len(ids):]
	k, err := a.lookup(o.Record, key)
	if err != nil {
		return 0, err
	}
	if k.found && k.verdict == hub.Recorded {
		if k.raw == o.RawDigest || o.Attempt > 0 {
			return hub.Repeated, nil
		}
		return a.conflict(o, recordConflict(o), k)
	}
	if k.found && k.raw != o.RawDigest && o.Attempt == 0 {
		return a.conflict(o, recordConflict(o), k)
	}
	if o.Dead != nil {
		return a.bury(o, k)
	}
	slots, repeated, clash := a.match(o, ids)
	if clash != nil {
		d := *o
		d.Dead = deadFrom(o, clash)
		if _, err := a.bury(&d, k); err != nil {
			return 0, err
		}
		return hub.Conflicting, nil
	}
	if err := a.record(o, k, slots); err != nil {
		return 0, err
	}
	if repeated {
		return hub.Repeated, nil
	}
	return hub.Recorded, nil
}

func (a *appender) lookup(ref hub.RecordRef, hash int64) (known, error) {
	for key := hash; ; key++ {
		row, ok, err := a.recorded.record(a.ctx, a.tx, key, key == hash)
		if err != nil {
			return known{}, fmt.Errorf("find record: %w", err)
		}
		if !ok {
			raw, implied := a.recorded.isImplied(hash, ref)
			return known{hash: hash, key: key, found: implied, raw: raw, verdict: hub.Recorded}, nil
		}
		if row.ref == ref {
			return known{hash: hash, key: key, found: true, raw: row.raw, verdict: row.verdict, dead: row.dead}, nil
		}
	}
}

// slot says whether an event of an outcome is recorded already, and where; id is the key of its id.
type slot struct {
	seq hub.Seq
	old bool
	id  int64
}

// match looks up the events' keys. It reports repeated when every event is recorded already, and a fault when one key is
// recorded with another body.
func (a *appender) match(o *hub.Outcome, ids []int64) (slots []slot, repeated bool, clash *hub.Fault) {
	slots, repeated = a.slots[:0], len(o.Events) > 0
	var inRecord map[hub.EventKey]hub.Content
	if len(o.Events) > 1 {
		inRecord = make(map[hub.EventKey]hub.Content, len(o.Events))
	}
	for i := range o.Events {
		e := &o.Events[i]
		if inRecord != nil {
			content := hub.Content{Body: e.Leaf.Event, Hash: e.Hash}
			if before, ok := inRecord[e.Key]; ok && !before.Same(content, e.Key) {
				return nil, false, eventConflict(e)
			}
			inRecord[e.Key] = content
		}
		sl, same := a.find(e, ids[i])
		if sl.old && !same {
			return nil, false, eventConflict(e)
		}
		repeated = repeated && sl.old
		slots = append(slots, sl)
	}
	a.slots = slots
	return slots, repeated, nil
}

// find looks for the event and reports whether what is recorded is the same.
func (a *appender) find(e *hub.Event, id int64) (sl slot, same bool) {
	for row := range a.recorded.eventsOf(id, e.Key.ID) {
		if row.declared == micros(e.Key.DeclaredAt) {
			return slot{row.seq, true, id}, row.content.Same(hub.Content{Body: e.Leaf.Event, Hash: e.Hash}, e.Key)
		}
	}
	return slot{id: id}, false
}

// record appends what is new of a good outcome and notes the record. A dead letter of the same record is resolved.
func (a *appender) record(o *hub.Outcome, k known, slots []slot) error {
	seqs := a.seqs[:0]
	implied := len(slots) > 0 && !k.found
	first := firstOf(len(slots))
	for i, sl := range slots {
		e := &o.Events[i]
		if !first(e.Key) { // the same event twice in one record counts once
			continue
		}
		implied = implied && !sl.old
		if !sl.old {
			sl.seq = hub.Seq(a.s.size)
			if err := a.insert(e, o, sl, k); err != nil {
				return err
			}
			a.recorded.addEvent(sl.id, e, sl.seq)
			a.s.size++
		}
		seqs = append(seqs, sl.seq)
	}
	a.seqs = seqs
	for i := range o.Master {
		if err := a.state(&o.Master[i]); err != nil {
			return err
		}
	}
	if k.found && k.dead != 0 {
		if _, err := a.tx.ExecContext(a.ctx, `UPDATE dead_letters SET state = ? WHERE id = ? AND state <> ?`,
			hub.DeadResolved, k.dead, hub.DeadDropped); err != nil {
			return fmt.Errorf("resolve dead letter: %w", err)
		}
	}
	if implied { // the events say it all: whose they are, and what the record's bytes were
		a.recorded.imply(k.hash, o.Record, o.RawDigest)
		return nil
	}
	return a.note(o, k, hub.Recorded, joinSeqs(seqs))
}

// firstOf returns what reports whether a key, one of n, is met for the first time.
func firstOf(n int) func(hub.EventKey) bool {
	if n < 2 {
		return func(hub.EventKey) bool { return true }
	}
	met := make(map[hub.EventKey]bool, n)
	return func(key hub.EventKey) bool {
		if met[key] {
			return false
		}
		met[key] = true
		return true
	}
}

func joinSeqs(seqs []hub.Seq) string {
	text := make([]string, len(seqs))
	for i, seq := range seqs {
		text[i] = strconv.FormatUint(uint64(seq), 10)
	}
	return strings.Join(text, ",")
}

func (a *appender) insert(e *hub.Event, o *hub.Outcome, sl slot, k known) error {
	a.leaf = e.Leaf.Append(a.leaf[:0])
	leaf := a.s.config.LeafHash(a.leaf)
	a.leaves = append(a.leaves, leaf)
	insert := a.insertRow
	if a.blocks {
		insert = a.enblock
	}
	if err := insert(e, o, sl.seq, leaf); err != nil {
		return fmt.Errorf("insert event: %w", err)
	}
	e.Record = o.Record
	alike := a.traits.of(&e.Facets, o.Provider)
	a.entry = entry(e, sl.seq, &a.traits, append(a.keys(2+len(e.Facets.Things)), k.hash, sl.id))
	if err := a.found.Add(&a.entry); err != nil {
		return fmt.Errorf("index event: %w", err)
	}
	if alike { // what its like stated is known
		return nil
	}
	return a.s.know(a.ctx, a.tx, a.s.unknown(nil, &e.Facets, o.Provider, a.traits.stems))
}

// keys returns room for n keys of an entry.
func (a *appender) keys(n int) []int64 {
	const most = 1024
	if cap(a.room)-len(a.room) < n {
		a.room = make([]int64, 0, max(most, n))
	}
	at := len(a.room)
	a.room = a.room[:at+n]
	return a.room[at : at : at+n]
}

// insertRow inserts an event as a row of events.
func (a *appender) insertRow(e *hub.Event, o *hub.Outcome, seq hub.Seq, leaf hub.Digest) error {
	terms := [4]int64{}
	for i, text := range []string{e.Facets.Type, e.Facets.BizStep, string(o.Provider), string(o.Record.Connector)} {
		id, err := a.s.term(a.ctx, a.tx, text)
		if err != nil {
			return err
		}
		terms[i] = id
	}
	id, hash := any(e.Key.ID), any(e.Hash)
	if a.s.dialect.Bytes {
		id, hash = compactID(e.Key.ID), compactHash(e.Hash)
	}
	return a.rows.Add(Events, []any{
		int64(seq), id, micros(e.Key.DeclaredAt),
		micros(e.Facets.EventTime), micros(a.at), micros(time.Time(e.Leaf.ReceivedAt)), terms[0], terms[1], terms[2], terms[3],
		string(o.Record.ID), hash, e.Leaf.Raw[:], e.Leaf.Salt[:], leaf[:], body.Pack(e.Body),
	})
}

// note stores what became of the record.
func (a *appender) note(o *hub.Outcome, k known, v hub.Verdict, seqs string) error {
	connector, err := a.s.term(a.ctx, a.tx, string(o.Record.Connector))
	if err != nil {
		return err
	}
	provider, err := a.s.term(a.ctx, a.tx, string(o.Provider))
	if err != nil {
		return err
	}
	raw := o.RawDigest
	if k.found { // an edited replay: what the sender sent stays what a resend is compared with
		raw = k.raw
	}
	values := []any{k.key, connector, string(o.Record.ID), provider, raw[:], micros(o.ReceivedAt), int64(v), seqs, int64(k.dead)}
	if k.found {
		err = a.rows.Replace(values)
	} else {
		err = a.rows.Add(Records, values)
	}
	if err != nil {
		return fmt.Errorf("note record: %w", err)
	}
	a.s.noteKey(k.key)
	a.recorded.records[k.key] = recordRow{ref: o.Record, raw: raw, verdict: v, dead: k.dead}
	return nil
}

func recordConflict(o *hub.Outcome) *hub.Fault {
	f := hub.Faultf(hub.Conflict, "record.conflict", "record id %q was received before with other content", o.Record.ID).
		WithHint("send changed content under a new id; the same id means the same content")
	f.MessageZh = fmt.Sprintf("记录编号 %q 之前已收到过，但内容不同", o.Record.ID)
	f.HintZh = "内容有变化时请使用新的编号；相同编号表示相同内容"
	return f
}

func eventConflict(e *hub.Event) *hub.Fault {
	f := hub.Faultf(hub.Conflict, "event.conflict", "event %q is recorded already with another content", e.Key.ID).
		WithHint("to correct an event, send it again with an errorDeclaration, or send a new event with a new eventID")
	f.MessageZh = fmt.Sprintf("事件 %q 已存在且内容不同", e.Key.ID)
	f.HintZh = "如需更正，请以 errorDeclaration 重新声明该事件，或使用新的 eventID 发送新事件"
	f.Where = hub.Where{Pointer: "/eventID"}
	return f
}
