package pipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// body700 is a JSON record of about 700 bytes that differs from call to call as real ones do.
func body700(i int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":"evt-%08d","time":"2019-11-08T08:%02d:%02d+08:00","carrier":"sf","items":[`, i, i%60, i/60%60)
	for n := 0; b.Len() < 640; n++ {
		fmt.Fprintf(&b, `{"sgtin":"0107613035982949%d%d","qty":%d},`, i*7919, n, n)
	}
	return []byte(b.String() + `{}],"status":"signed"}`)
}

// BenchmarkPublish measures how many durable single-record publishes a second concurrent callers get.
func BenchmarkPublish(b *testing.B) {
	for _, d := range []pipeline.Durability{pipeline.Strict, pipeline.Relaxed} {
		for _, callers := range []int{1, 8, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", d, callers), func(b *testing.B) {
				h := open(b, pipeline.Config{Durability: d}, newMemory())
				spread(b, callers, func(ctx context.Context, i int) error {
					return h.Publish(ctx, hub.Envelope{
						Connector: "shop", Provider: "acme", ReceivedAt: time.Now().UTC(),
						Records: []hub.Record{{ID: hub.RecordID(strconv.Itoa(i)), Body: body700(i)}},
					})
				})
				if s, err := h.Stats(b.Context()); err == nil {
					b.ReportMetric(float64(b.N)/float64(s.Frames), "records/frame")
					b.ReportMetric(float64(s.Bytes)/float64(b.N), "B-disk/record")
				}
			})
		}
	}
}

// BenchmarkPublishBatches measures callers that publish 100 records a call.
func BenchmarkPublishBatches(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			h := open(b, pipeline.Config{}, newMemory())
			spread(b, callers, func(ctx context.Context, i int) error {
				e := hub.Envelope{Connector: "shop", Provider: "acme", ReceivedAt: time.Now().UTC()}
				for j := range 100 {
					e.Records = append(e.Records, hub.Record{ID: hub.RecordID(strconv.Itoa(i*100 + j)), Body: body700(i*100 + j)})
				}
				return h.Publish(ctx, e)
			})
			b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkAtomicBatch is the alternative to frames: the calls that wait are published as one atomic batch of JetStream
// messages, one message a record, with one sync at its commit. BenchmarkPublish is to be compared with it.
func BenchmarkAtomicBatch(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			p := newBatchPublisher(b)
			spread(b, callers, func(ctx context.Context, i int) error { return p.publish(body700(i)) })
		})
	}
}

// spread runs op b.N times over callers goroutines.
func spread(b *testing.B, callers int, op func(ctx context.Context, i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > b.N {
					return
				}
				if err := op(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

type waiting struct {
	body []byte
	done chan error
}

type batchPublisher struct {
	nc    *nats.Conn
	queue chan waiting
}

func newBatchPublisher(b *testing.B) *batchPublisher {
	b.Helper()
	srv, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: filepath.Join(b.TempDir(), "js"), SyncAlways: true, NoSigs: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	srv.Start()
	srv.ReadyForConnections(10 * time.Second)
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: "RAW", Subjects: []string{"raw.>"}, AllowAtomicPublish: true,
	}); err != nil {
		b.Fatal(err)
	}
	p := &batchPublisher{nc: nc, queue: make(chan waiting, 1024)}
	ended := make(chan struct{})
	go func() { defer close(ended); p.commit() }()
	b.Cleanup(func() {
		close(p.queue)
		<-ended
		nc.Close()
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return p
}

func (p *batchPublisher) publish(body []byte) error {
	w := waiting{body, make(chan error, 1)}
	p.queue <- w
	return <-w.done
}

func (p *batchPublisher) commit() {
	for w := range p.queue {
		group := []waiting{w}
		for len(group) < 1000 && len(p.queue) > 0 {
			group = append(group, <-p.queue)
		}
		err := p.send(group)
		for _, w := range group {
			w.done <- err
		}
	}
}

func (p *batchPublisher) send(group []waiting) error {
	id := nuid.Next()
	for i, w := range group {
		msg := nats.NewMsg("raw.0.shop")
		msg.Data = w.body
		msg.Header.Set("Nats-Batch-Id", id)
		msg.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < len(group)-1 {
			if err := p.nc.PublishMsg(msg); err != nil {
				return err
			}
			continue
		}
		msg.Header.Set("Nats-Batch-Commit", "1")
		answer, err := p.nc.RequestMsg(msg, 10*time.Second)
		if err != nil {
			return err
		}
		if strings.Contains(string(answer.Data), `"error"`) {
			return fmt.Errorf("batch: %s", answer.Data)
		}
	}
	return nil
}

// BenchmarkFrame measures the codec alone.
func BenchmarkFrame(b *testing.B) {
	e := hub.Envelope{Connector: "shop", Provider: "acme", ReceivedAt: time.Now().UTC()}
	for j := range 100 {
		e.Records = append(e.Records, hub.Record{ID: hub.RecordID(strconv.Itoa(j)), Body: body700(j)})
	}
	frame := pipeline.EncodeFrame([]hub.Envelope{e})
	b.Run("encode/records=100", func(b *testing.B) {
		for b.Loop() {
			pipeline.EncodeFrame([]hub.Envelope{e})
		}
	})
	b.Run("decode/records=100", func(b *testing.B) {
		for b.Loop() {
			if _, err := pipeline.DecodeFrame(frame, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkConsume measures the way from the stream to the store without normalising: frames of 100 records.
func BenchmarkConsume(b *testing.B) {
	h := open(b, pipeline.Config{Durability: pipeline.Relaxed}, newMemory())
	for i := range (b.N + 99) / 100 {
		e := hub.Envelope{Connector: "shop", Provider: "acme", ReceivedAt: time.Now().UTC()}
		for j := range 100 {
			e.Records = append(e.Records, hub.Record{ID: hub.RecordID(strconv.Itoa(i*100 + j)), Body: body700(j)})
		}
		h.publish(b, e)
	}
	b.ResetTimer()
	h.run(b)
	h.store.await(b, "all records", recorded((b.N+99)/100*100))
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	h.stop()
}
