package nats_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	"github.com/suyuan-io/suyuan/connectors/nats"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const password = "nats-password-in-tests"

// stream is an upstream for the conformance kit.
type stream struct{ address string }

func openStream(tb testing.TB, dir string) connectortest.Upstream {
	tb.Helper()
	return &stream{brokertest.Address(tb, dir, func() string { return startServer(tb, dir) })}
}

// startServer runs a server with an empty stream.
func startServer(tb testing.TB, dir string) string {
	tb.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: filepath.Join(dir, "jetstream"), NoSigs: true, NoLog: true,
		Username: "suyuan", Password: password,
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		tb.Fatal("the server does not start")
	}
	with(tb, s.Addr().String(), func(js jetstream.JetStream) {
		_, err := js.CreateStream(tb.Context(), jetstream.StreamConfig{Name: "SHIPMENTS", Subjects: []string{"shipments.>"}})
		if err != nil {
			tb.Fatal(err)
		}
	})
	return s.Addr().String()
}

// with opens a connection of the other side.
func with(tb testing.TB, address string, work func(jetstream.JetStream)) {
	tb.Helper()
	conn, err := natsgo.Connect("nats://"+address, natsgo.UserInfo("suyuan", password))
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		tb.Fatal(err)
	}
	work(js)
}

func (s *stream) options() *nats.Options {
	return &nats.Options{
		URL: "nats://" + s.address, User: "suyuan", Password: strictyaml.NewSecret("${env:NATS_PASSWORD}", password),
		Stream: "SHIPMENTS", From: "first", Prefetch: 20, AckWait: time.Second,
	}
}

func (s *stream) Instance(testing.TB) *connectors.Instance {
	return brokertest.Instance("nats", s.options())
}

func (s *stream) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	with(tb, s.address, func(js jetstream.JetStream) {
		for _, text := range texts {
			if _, err := js.Publish(tb.Context(), "shipments.cn", []byte(text)); err != nil {
				tb.Fatal(err)
			}
		}
	})
}

func TestConformance(t *testing.T) {
	connectortest.Source(t, openStream, connectortest.Traits{Remembers: true, Secrets: []string{password}})
}
