package postgres_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/store/storetest"
)

func TestALeaseIsHeldByOneAndHandedOver(t *testing.T) {
	url := database(t)
	var leading atomic.Int32
	var wg sync.WaitGroup
	defer wg.Wait()
	compete := func(name string) (began <-chan struct{}, stop context.CancelFunc) {
		s := openAt(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		ch := make(chan struct{})
		wg.Go(func() {
			s.Lease(ctx, name, func(lead context.Context) {
				if n := leading.Add(1); n > 1 {
					t.Errorf("%d hold the lease at once", n)
				}
				close(ch)
				<-lead.Done()
				leading.Add(-1)
			})
		})
		return ch, cancel
	}
	first, stopFirst := compete("a")
	await(t, first)
	second, stopSecond := compete("a")
	defer stopSecond()
	other := make(chan struct{}) // another name is another lease
	ctx, stopOther := context.WithCancel(t.Context())
	s := openAt(t, url)
	wg.Go(func() { s.Lease(ctx, "b", func(lead context.Context) { close(other); <-lead.Done() }) })
	await(t, other)
	stopOther()
	select {
	case <-second:
		t.Fatal("two hold the lease")
	default:
	}
	stopFirst()
	await(t, second)
	stopSecond()
}

func await(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(2 * time.Minute):
		t.Fatal("waited in vain")
	}
}

func TestALeaseEndsWithTheServerAndIsTakenAgain(t *testing.T) {
	own := postgrestest.Require(t)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: own.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	began, ended := make(chan struct{}, 8), make(chan struct{}, 8)
	var wg sync.WaitGroup
	wg.Go(func() {
		s.Lease(ctx, "a", func(lead context.Context) {
			began <- struct{}{}
			<-lead.Done()
			ended <- struct{}{}
		})
	})
	await(t, began)
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, ended)
	if err := own.Restart(); err != nil {
		t.Fatal(err)
	}
	await(t, began)
	stop()
	wg.Wait()
}

// A connection that is never answered, as behind a firewall that forgot it, keeps no process from asking for the lease again.
func TestALeaseIsAskedForAgainWhereNobodyAnswers(t *testing.T) {
	var silent atomic.Bool
	unanswered := make(chan struct{}, 8)
	s := openAt(t, behind(t, database(t), func(client net.Conn, server string) {
		if silent.Load() {
			unanswered <- struct{}{} // and it stays open
			return
		}
		relay(client, server)
	}))
	silent.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	began := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { s.Lease(ctx, "a", func(lead context.Context) { close(began); <-lead.Done() }) })
	await(t, unanswered)
	silent.Store(false)
	await(t, began)
	stop()
	wg.Wait()
}

// A process that is frozen, or whose machine lost its power, closes no connection. What it had locked is free all the same after a
// while, which is short here: its lease, and the end of the log.
func TestAProcessThatIsFrozenKeepsNobodyWaiting(t *testing.T) {
	at := database(t)
	var freezes, frozen atomic.Bool
	s := openAt(t, behind(t, at+"&idle_session_timeout=3s&idle_in_transaction_session_timeout=1s", func(client net.Conn, server string) {
		relayUntilFrozen(client, server, &freezes, &frozen)
	}))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	lead := func(s *postgres.Store) <-chan struct{} {
		leading := make(chan struct{}, 8)
		wg.Go(func() { s.Lease(ctx, "a", func(lead context.Context) { leading <- struct{}{}; <-lead.Done() }) })
		return leading
	}
	await(t, lead(s))
	freezes.Store(true)
	wg.Go(func() { _, _ = s.Append(ctx, []hub.Outcome{storetest.Outcome(t, 1, "S")}) }) // which is never answered
	for !frozen.Load() {
		time.Sleep(time.Millisecond)
	}
	other := openAt(t, at)
	appends(t, other, 1, 10, hub.Recorded)
	await(t, lead(other))
}

// relayUntilFrozen copies between a client and a server until one of them ends. When freezes is set, an append is stopped after it has
// locked the log; from then on nothing passes on any connection, and all of them stay open.
func relayUntilFrozen(client net.Conn, server string, freezes, frozen *atomic.Bool) {
	conn, err := net.Dial("tcp", server)
	if err != nil {
		_ = client.Close()
		return
	}
	pass := func(to, from net.Conn) {
		b := make([]byte, 1<<16)
		for {
			n, err := from.Read(b)
			if freezes.Load() && bytes.Contains(b[:n], []byte("FROM filters")) { // what it asks next
				frozen.Store(true)
			}
			if frozen.Load() {
				return
			}
			if _, writing := to.Write(b[:n]); err != nil || writing != nil {
				_, _ = to.Close(), from.Close()
				return
			}
		}
	}
	go pass(conn, client)
	pass(client, conn)
}

// behind is the URL of a database behind a listener, whose connections serve is called with.
func behind(t *testing.T, database string, serve func(client net.Conn, server string)) string {
	t.Helper()
	at, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	server := at.Host
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go serve(client, server)
		}
	}()
	at.Host = l.Addr().String()
	return at.String()
}

// relay copies between a client and a server until one of them ends.
func relay(client net.Conn, server string) {
	defer client.Close()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(conn, client); _ = conn.Close() }()
	_, _ = io.Copy(client, conn)
}
