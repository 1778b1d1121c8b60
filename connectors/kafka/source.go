package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

const (
	// commitInterval is how long a settled record may wait for its commit; what is committed late is at most read again.
	commitInterval = time.Second
	// probeInterval is how often a quiet cluster is asked whether it is still there: the client would retry for ever.
	probeInterval = 10 * time.Second
	// fetchWait is how long the cluster may hold an answer back while there are no records.
	fetchWait = 500 * time.Millisecond
	// page is how many records are taken from the client at once.
	page = 500
)

// source is one opening of an instance.
type source struct {
	options *Options
	client  *kgo.Client
	now     func() time.Time
	heardAt time.Time
	// at is the position of fixed partitions, nil in a group.
	at      offsets
	records []*kgo.Record
}

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	s := &source{options: o, now: env.Now, heardAt: env.Now()}
	if len(o.Partitions) > 0 {
		at, err := decodeOffsets(env.Position)
		if err != nil {
			return nil, err
		}
		s.at = at
	}
	client, err := o.client(env, s.at)
	if err != nil {
		return nil, err
	}
	s.client = client
	if err := o.probe(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for len(s.records) == 0 {
		if err := s.poll(ctx); err != nil {
			return connectors.Item{}, err
		}
	}
	r := s.records[0]
	s.records = s.records[1:]
	return s.item(r)
}

// poll waits for records. It returns io.EOF when none came for a while.
func (s *source) poll(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, broker.Quiet)
	defer cancel()
	fetches := s.client.PollRecords(waiting, page)
	s.records = fetches.Records()
	if len(s.records) > 0 {
		s.heardAt = s.now()
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return s.options.fault("read", e.Topic, e.Err)
		}
	}
	if s.now().Sub(s.heardAt) >= probeInterval {
		if err := s.options.probe(ctx, s.client); err != nil {
			return err
		}
		s.heardAt = s.now()
	}
	return io.EOF
}

func (s *source) item(r *kgo.Record) (connectors.Item, error) {
	item := connectors.Item{
		ID: fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset), Origin: fmt.Sprintf("%s/%d", r.Topic, r.Partition),
		Body: r.Value, Token: r,
	}
	for _, h := range r.Headers {
		if h.Key == "content-type" {
			item.ContentType = string(h.Value)
		}
	}
	if s.at == nil {
		return item, nil
	}
	var err error
	item.Position, err = s.at.pass(r)
	return item, err
}

// Settle implements [connectors.Source]: it marks the record's offset for the next commit, as fixed partitions need not.
// A refused record is passed as well.
func (s *source) Settle(_ context.Context, item connectors.Item, _ error) error {
	r, ok := item.Token.(*kgo.Record)
	if !ok {
		return hub.Faultf(hub.Internal, "kafka.token", "the item has another source's token")
	}
	s.client.MarkCommitRecords(r)
	return nil
}

// Close implements [connectors.Source]. It commits what was settled.
func (s *source) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), broker.Timeout)
	defer cancel()
	err := s.client.CommitMarkedOffsets(ctx)
	s.client.Close()
	if err != nil {
		return broker.Unavailable("commit", err)
	}
	return nil
}
