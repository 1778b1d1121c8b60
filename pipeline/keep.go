package pipeline

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// keeper removes from the raw stream what every partition has processed and whose time is over, or whose space is needed.
// JetStream's own limits cannot be used for that: they do not know what is processed. What is not processed is never
// removed; a stream that is full of it refuses new frames.
type keeper struct {
	cfg     Config
	link    *link
	now     func() time.Time
	log     *zap.Logger
	metrics *metrics
	nudged  chan struct{}
}

const (
	keepInterval = 5 * time.Second
	// keepHigh and keepLow are the parts of MaxBytes at which removal begins and to which it goes, in percent.
	keepHigh, keepLow = 90, 80
)

// run looks after the stream until ctx is done. Several processes may do so at once.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		if err := k.tidy(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("cannot tidy the raw stream", zap.Error(err))
		}
		select {
		case <-tick.C:
		case <-k.nudged:
		case <-ctx.Done():
			return
		}
	}
}

// nudge makes run look now.
func (k *keeper) nudge() {
	select {
	case k.nudged <- struct{}{}:
	default:
	}
}

// tidy removes once. A crash during it leaves more in the stream than needed, and the next round removes it.
func (k *keeper) tidy(ctx context.Context) error {
	info, err := k.link.stream.Info(ctx)
	if err != nil {
		return err
	}
	floor, err := k.processed(ctx, info.State.LastSeq)
	if err != nil || info.State.Msgs == 0 {
		return err
	}
	last := max(k.crowded(info.State), k.expired(ctx, info.State, floor))
	if last = min(last, floor); last < info.State.FirstSeq {
		return nil
	}
	return k.link.stream.Purge(ctx, jetstream.WithPurgeSequence(last+1))
}

// processed returns the sequence up to which every partition's consumer has acknowledged everything. newest is the
// stream's last sequence as read before: a consumer with nothing left has processed at least that.
func (k *keeper) processed(ctx context.Context, newest uint64) (floor uint64, err error) {
	floor = newest
	list := k.link.stream.ListConsumers(ctx)
	for c := range list.Info() {
		if !strings.HasPrefix(c.Name, consumerName("")) {
			continue // a reader of Raw
		}
		lag := c.NumPending + uint64(c.NumAckPending)
		if lag > 0 {
			floor = min(floor, c.AckFloor.Stream)
		}
		if c.Name == consumerName(k.cfg.Partition) {
			k.metrics.lag.Set(float64(lag))
		}
	}
	return floor, list.Err()
}

// crowded returns the last sequence that must go for the stream to be below its bound again, by its average frame.
func (k *keeper) crowded(s jetstream.StreamState) uint64 {
	limit := uint64(k.cfg.MaxBytes)
	if limit == 0 || s.Bytes < limit/100*keepHigh {
		return 0
	}
	excess := s.Bytes - limit/100*keepLow
	return s.FirstSeq + excess*s.Msgs/s.Bytes
}

// expired returns the last sequence whose time is over, found by bisection over the frames' times, or 0. It lets a
// hundredth of the time pass before it looks again.
func (k *keeper) expired(ctx context.Context, s jetstream.StreamState, floor uint64) uint64 {
	edge := k.now().Add(-k.cfg.Retain)
	if k.cfg.Retain < 0 || s.FirstTime.After(edge.Add(-k.cfg.Retain/100)) {
		return 0
	}
	lo, hi := s.FirstSeq, floor+1 // what is below lo is over; hi is not known to be
	for lo < hi {
		mid := lo + (hi-lo)/2
		m, err := k.link.stream.GetMsg(ctx, mid)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound), err == nil && m.Time.Before(edge):
			lo = mid + 1
		case err != nil:
			return lo - 1
		default:
			hi = mid
		}
	}
	return lo - 1
}
