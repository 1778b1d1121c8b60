package kafka

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

// offsets are, by topic and partition, the next offsets to read: the position of fixed partitions.
type offsets map[string]map[int32]int64

func decodeOffsets(p hub.Position) (offsets, error) {
	out := offsets{}
	if p == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(p), &out); err != nil {
		return nil, badPosition(err)
	}
	if out == nil {
		return nil, badPosition(errors.New("it is null"))
	}
	return out, nil
}

func badPosition(err error) error {
	return connectors.BadPosition("kafka.position", `{"orders":{"0":4711}}`, err)
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error {
	if len(o.Partitions) == 0 {
		return connectors.NoPosition("the brokers keep the group's offsets; set them there, as with kafka-consumer-groups --reset-offsets",
			"消费组的位移由服务端保存，请在服务端重设，例如 kafka-consumer-groups --reset-offsets")
	}
	at, err := decodeOffsets(p)
	if err != nil {
		return err
	}
	for topic, partitions := range at {
		for partition, offset := range partitions {
			if !slices.Contains(o.Topics, topic) || !slices.Contains(o.Partitions, int(partition)) || offset < 0 {
				return badPosition(fmt.Errorf("topic %q, partition %d, offset %d is nothing that is read", topic, partition, offset))
			}
		}
	}
	return nil
}

// pass notes that a record was handed out and returns the position after it.
func (o offsets) pass(r *kgo.Record) (hub.Position, error) {
	if o[r.Topic] == nil {
		o[r.Topic] = map[int32]int64{}
	}
	o[r.Topic][r.Partition] = r.Offset + 1
	text, err := json.Marshal(o)
	return hub.Position(text), err
}

// client builds the client; it does not connect yet.
func (o *Options) client(env connectors.Env, at offsets) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID("suyuan-" + string(env.Connector)), kgo.DialTimeout(broker.Timeout),
		kgo.FetchMaxBytes(16 << 20), kgo.FetchMaxWait(fetchWait), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}
	start := kgo.NewOffset().AtStart()
	if o.From == "new" {
		start = kgo.NewOffset().AtEnd()
	}
	if o.TLS != nil {
		secure, err := o.TLS.Config(env.Dir)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(secure))
	}
	if o.SASL != nil {
		opts = append(opts, kgo.SASL(o.SASL.mechanism()))
	}
	if len(o.Partitions) > 0 {
		opts = append(opts, kgo.ConsumePartitions(o.fixed(at, start)))
	} else {
		// A static member takes its partitions up at once when it comes back, also from kill -9: nobody has to wait until
		// the group has missed it.
		opts = append(opts, kgo.ConsumeTopics(o.Topics...), kgo.ConsumeStartOffset(start),
			kgo.ConsumerGroup(cmp.Or(o.Group, "suyuan-"+string(env.Connector))), kgo.InstanceID("suyuan-"+string(env.Connector)),
			kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitInterval))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "kafka.options", "the client does not take the options").Because(err)
	}
	return client, nil
}

func (o *Options) fixed(at offsets, start kgo.Offset) map[string]map[int32]kgo.Offset {
	out := map[string]map[int32]kgo.Offset{}
	for _, topic := range o.Topics {
		out[topic] = map[int32]kgo.Offset{}
		for _, p := range o.Partitions {
			out[topic][int32(p)] = start
		}
		for p, offset := range maps.All(at[topic]) {
			if _, read := out[topic][p]; read {
				out[topic][p] = kgo.NewOffset().At(offset)
			}
		}
	}
	return out
}

func (s *SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case "scram-sha-256":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism()
	default:
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()
	}
}

// probe asks for the topics: a cluster that does not answer, refuses the user or lacks a topic shows here and not as
// silence.
func (o *Options) probe(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, broker.Timeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range o.Topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = new(topic)
		req.Topics = append(req.Topics, t)
	}
	answer, err := req.RequestWith(ctx, client)
	if err != nil {
		return o.fault("connect", "", err)
	}
	for _, topic := range answer.Topics {
		name := ""
		if topic.Topic != nil {
			name = *topic.Topic
		}
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return o.fault("find the topic", name, err)
		}
		for _, p := range o.Partitions {
			if p >= len(topic.Partitions) {
				return broker.Missing("partition", name, nil)
			}
		}
	}
	return nil
}

// fault classifies an error of the client.
func (o *Options) fault(doing, topic string, err error) error {
	for _, refusal := range []error{
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.TopicAuthorizationFailed,
		kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	} {
		if errors.Is(err, refusal) {
			return broker.Unauthorized("to "+doing, err)
		}
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.InvalidTopicException) {
		return broker.Missing("topic", topic, err)
	}
	return broker.Unavailable(doing, err)
}
