package main

import (
	"bytes"
	"context"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

// bare runs the load against a server that only checks signatures.
func (b *benchRun) bare(ctx context.Context) (bench.Result, error) {
	return b.against(ctx, "bare HTTP", bench.Nothing)
}

func (b *benchRun) against(ctx context.Context, name string, keep func([]byte) error) (bench.Result, error) {
	url, stop, err := bench.Floor(benchSecret, keep)
	if err != nil {
		return bench.Result{}, err
	}
	defer func() { _ = stop() }()
	return bench.Run(ctx, name, b.load, bench.Target{URL: url, Path: "/"}, nil)
}

// raw runs the load against a server that cuts batches without reading them and publishes each to JetStream, unsynced.
func (b *benchRun) raw(ctx context.Context) (r bench.Result, err error) {
	dir, err := os.MkdirTemp(b.dir, "suyuan-bench-raw-")
	if err != nil {
		return r, hub.Faultf(hub.Unavailable, "bench.folder", "cannot make a folder to work in").Because(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, MaxPayload: 8 << 20})
	if err != nil {
		return r, err
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(30 * time.Second) {
		return r, hub.Faultf(hub.Unavailable, "bench.raw", "JetStream did not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return r, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return r, err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw"}}); err != nil {
		return r, err
	}
	return b.against(ctx, "raw split", bench.Split(func(records [][]byte) error {
		_, err := js.Publish(ctx, "raw", bytes.Join(records, []byte{'\n'}))
		return err
	}))
}
