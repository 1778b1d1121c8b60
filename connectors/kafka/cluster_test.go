package kafka_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	"github.com/suyuan-io/suyuan/connectors/kafka"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const password = "kafka-password-in-tests"

// cluster is an upstream for the conformance kit: the client library's own broker, which speaks the protocol over TCP.
type cluster struct {
	address    string
	partitions []int
}

func open(partitions ...int) func(testing.TB, string) connectortest.Upstream {
	return func(tb testing.TB, dir string) connectortest.Upstream {
		tb.Helper()
		return &cluster{brokertest.Address(tb, dir, func() string { return startCluster(tb) }), partitions}
	}
}

func startCluster(tb testing.TB) string {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-256", "suyuan", password))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func (c *cluster) options() *kafka.Options {
	return &kafka.Options{
		Brokers: []string{c.address}, Topics: []string{"orders"}, Partitions: c.partitions, From: "first",
		SASL: &kafka.SASL{
			Mechanism: "scram-sha-256", User: "suyuan", Password: strictyaml.NewSecret("${env:KAFKA_PASSWORD}", password),
		},
	}
}

func (c *cluster) Instance(testing.TB) *connectors.Instance {
	return brokertest.Instance("kafka", c.options())
}

// producer is the other side. It puts each record into the partition that it names.
func (c *cluster) producer(tb testing.TB) *kgo.Client {
	tb.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.SASL(scram.Auth{User: "suyuan", Pass: password}.AsSha256Mechanism()), kgo.ProducerLinger(time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func (c *cluster) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	p := c.producer(tb)
	defer p.Close()
	for i, text := range texts {
		r := &kgo.Record{Topic: "orders", Partition: int32(i % 2), Value: []byte(text)}
		if err := p.ProduceSync(tb.Context(), r).FirstErr(); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestConformanceInAGroup(t *testing.T) {
	connectortest.Source(t, open(), connectortest.Traits{Remembers: true, Secrets: []string{password}})
}

func TestConformanceOfFixedPartitions(t *testing.T) {
	connectortest.Source(t, open(0, 1), connectortest.Traits{Remembers: true, Secrets: []string{password}})
}
