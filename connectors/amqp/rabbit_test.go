package amqp_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/amqp"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const user, password = "suyuan", "rabbit-password-in-tests"

// envAddress tells the processes of the crash check where the broker is; a broker that runs already may be named so too.
const envAddress = "SUYUAN_TEST_AMQP"

// startRabbit runs one broker for all tests of t, since it takes seconds to come up, with a port mapper of its own.
func startRabbit(t *testing.T) string {
	t.Helper()
	if known := os.Getenv(envAddress); known != "" {
		return known
	}
	program := brokertest.Program(t, "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
	mapper := brokertest.Program(t, "epmd", "rabbitmq-server")
	dir, address, mapperPort := t.TempDir(), brokertest.Loopback(brokertest.Port(t)), brokertest.Port(t)
	_, port, _ := net.SplitHostPort(address)
	write := func(name string, lines ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, brokertest.Lines(lines...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("rabbitmq.conf", "listeners.tcp.1 = "+address, "disk_free_limit.absolute = 50MB",
		"default_user = "+user, "default_pass = "+password)
	env := append(os.Environ(),
		"HOME="+dir, "ERL_EPMD_ADDRESS=127.0.0.1", fmt.Sprintf("ERL_EPMD_PORT=%d", mapperPort),
		"RABBITMQ_NODENAME=suyuan"+port+"@localhost", "RABBITMQ_NODE_PORT="+port, "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", brokertest.Port(t)), "RABBITMQ_CONFIG_FILE="+config,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+write("plugins", "[]."), "RABBITMQ_CONF_ENV_FILE="+write("env"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"))
	ctx := context.WithoutCancel(t.Context())
	for _, cmd := range []*exec.Cmd{exec.CommandContext(ctx, mapper), exec.CommandContext(ctx, program)} {
		cmd.Env, cmd.Dir = env, dir
		brokertest.Run(t, cmd)
	}
	brokertest.Await(t, address, 5*time.Minute) // Erlang takes its time on a busy machine
	t.Setenv(envAddress, address)
	return address
}

// queue is an upstream for the conformance kit.
type queue struct{ address, name string }

// open returns upstreams whose queue is of a type, "classic" or "quorum"; a queue belongs to a folder.
func open(address, kind string) func(testing.TB, string) connectortest.Upstream {
	return func(tb testing.TB, dir string) connectortest.Upstream {
		tb.Helper()
		q := &queue{address, brokertest.Address(tb, dir, func() string { return kind + " " + dir })}
		q.with(tb, func(ch *amqp091.Channel) {
			if _, err := ch.QueueDeclare(q.name, true, false, false, false, amqp091.Table{"x-queue-type": kind}); err != nil {
				tb.Fatal(err)
			}
		})
		return q
	}
}

// with opens a connection of the other side.
func (q *queue) with(tb testing.TB, work func(*amqp091.Channel)) {
	tb.Helper()
	conn, err := amqp091.Dial("amqp://" + user + ":" + password + "@" + q.address + "/")
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		tb.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		tb.Fatal(err)
	}
	work(ch)
}

// publish returns when the broker has the message.
func (q *queue) publish(tb testing.TB, ch *amqp091.Channel, m amqp091.Publishing) {
	tb.Helper()
	m.DeliveryMode = amqp091.Persistent
	done, err := ch.PublishWithDeferredConfirmWithContext(tb.Context(), "", q.name, true, false, m)
	if err != nil {
		tb.Fatal(err)
	}
	if ok, err := done.WaitContext(tb.Context()); !ok || err != nil {
		tb.Fatalf("not confirmed: %v", err)
	}
}

func (q *queue) options() *amqp.Options {
	return &amqp.Options{
		URL: "amqp://" + q.address + "/", User: user, Password: strictyaml.NewSecret("${env:RABBIT_PASSWORD}", password),
		Queue: q.name, Prefetch: 20,
	}
}

func (q *queue) Instance(testing.TB) *connectors.Instance {
	return brokertest.Instance("amqp", q.options())
}

func (q *queue) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	q.with(tb, func(ch *amqp091.Channel) {
		for _, text := range texts {
			id := text[:min(len(text), 10)] // the kit's mark
			q.publish(tb, ch, amqp091.Publishing{MessageId: id, ContentType: "text/plain", Body: []byte(text)})
		}
	})
}

func TestConformance(t *testing.T) {
	address := startRabbit(t)
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			connectortest.Source(t, open(address, kind), connectortest.Traits{Remembers: true, Secrets: []string{password}})
		})
	}
}
