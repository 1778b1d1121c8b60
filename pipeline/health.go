package pipeline

import (
	"context"

	"github.com/suyuan-io/suyuan/hub"
)

// Stats is where the pipeline stands.
type Stats struct {
	// Frames and Bytes are what the raw stream holds, FirstSeq and LastSeq its ends.
	Frames, Bytes     uint64
	FirstSeq, LastSeq uint64
	// Processed is the sequence up to which everything of the partition is recorded.
	Processed uint64
	// Lag is how many frames of the partition wait; InFlight how many are handed out and not acknowledged.
	Lag      uint64
	InFlight int
}

// Stats asks the raw stream where it stands.
func (p *Pipeline) Stats(ctx context.Context) (Stats, error) {
	info, err := p.link.stream.Info(ctx)
	if err != nil {
		return Stats{}, unreadable(err)
	}
	consumer, err := p.link.stream.Consumer(ctx, consumerName(p.cfg.Partition))
	if err != nil {
		return Stats{}, unreadable(err)
	}
	s, c := info.State, consumer.CachedInfo()
	processed := c.AckFloor.Stream
	if c.NumPending == 0 && c.NumAckPending == 0 {
		processed = s.LastSeq // read before the consumer was asked
	}
	return Stats{
		Processed: processed,
		Frames:    s.Msgs, Bytes: s.Bytes, FirstSeq: s.FirstSeq, LastSeq: s.LastSeq,
		Lag: c.NumPending, InFlight: c.NumAckPending,
	}, nil
}

// Ready returns nil when records are accepted and recorded, or [hub.Faults] with every reason why not: the raw stream
// does not answer, the disk is full, appends fail.
func (p *Pipeline) Ready(ctx context.Context) error {
	var fs hub.Faults
	if p.embedded != nil && p.embedded.full.Load() {
		fs = append(fs, p.cfg.diskFull(p.cfg.Dir))
	}
	if _, err := p.Stats(ctx); err != nil {
		fs = append(fs, hub.AsFault(err))
	}
	if g := p.group.Load(); g != nil {
		if err := g.currentTrouble(); err != nil {
			fault := hub.Faultf(hub.Unavailable, "pipeline.append", "appends fail and are tried again").Because(err)
			fs = append(fs, fault)
		}
	}
	return fs.Err()
}
