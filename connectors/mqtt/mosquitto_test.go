package mqtt_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	"github.com/suyuan-io/suyuan/connectors/mqtt"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const password = "mosquitto-password-in-tests"

// mosquitto is an upstream for the conformance kit.
type mosquitto struct{ address string }

func openMosquitto(tb testing.TB, dir string) connectortest.Upstream {
	tb.Helper()
	m := &mosquitto{}
	m.address = brokertest.Address(tb, dir, func() string {
		address := startMosquitto(tb, dir)
		// The session begins with the first connection: what comes before it is nobody's.
		m.address = address
		src, err := m.options().Open(tb.Context(), connectors.Env{Connector: "kit", Now: time.Now})
		if err != nil {
			tb.Fatal(err)
		}
		if err := src.Close(); err != nil {
			tb.Fatal(err)
		}
		return address
	})
	return m
}

func startMosquitto(tb testing.TB, dir string, settings ...string) string {
	tb.Helper()
	program := brokertest.Program(tb, "/usr/sbin/mosquitto", "mosquitto")
	users := filepath.Join(dir, "users")
	out, err := exec.CommandContext(tb.Context(), brokertest.Program(tb, "mosquitto_passwd", "mosquitto"), "-b", "-c", users, "suyuan", password).CombinedOutput()
	if err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	address := brokertest.Loopback(brokertest.Port(tb))
	_, port, _ := net.SplitHostPort(address)
	config := filepath.Join(dir, "mosquitto.conf")
	lines := append([]string{
		"user root", "persistence false", "max_queued_messages 20000", "listener " + port + " 127.0.0.1",
		"allow_anonymous false", "password_file " + users,
	}, settings...)
	if err := os.WriteFile(config, brokertest.Lines(lines...), 0o600); err != nil {
		tb.Fatal(err)
	}
	brokertest.Run(tb, exec.CommandContext(context.WithoutCancel(tb.Context()), program, "-c", config))
	brokertest.Await(tb, address, time.Minute)
	return address
}

func (m *mosquitto) options() *mqtt.Options {
	return &mqtt.Options{
		URL: "mqtt://" + m.address, Topics: []string{"plant/+/scans"}, User: "suyuan",
		Password: strictyaml.NewSecret("${env:MQTT_PASSWORD}", password), Session: time.Hour, Prefetch: 20,
	}
}

func (m *mosquitto) Instance(testing.TB) *connectors.Instance {
	return brokertest.Instance("mqtt", m.options())
}

func (m *mosquitto) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	d := connectDevice(tb, m.address, "device")
	for _, text := range texts {
		d.publish(tb, "plant/1/scans", text)
	}
	d.disconnect(tb)
}

// device publishes as an edge box does.
type device struct {
	client *paho.Client
	conn   net.Conn
}

func connectDevice(tb testing.TB, address, id string) *device {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	d := &device{paho.NewClient(paho.ClientConfig{Conn: conn}), conn}
	_, err = d.client.Connect(tb.Context(), &paho.Connect{
		ClientID: id, KeepAlive: 30, CleanStart: true, Username: "suyuan", UsernameFlag: true, Password: []byte(password), PasswordFlag: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func (d *device) publish(tb testing.TB, topic, text string, properties ...string) {
	tb.Helper()
	p := &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(text), Properties: &paho.PublishProperties{ContentType: "text/plain"}}
	for i := 0; i < len(properties); i += 2 {
		p.Properties.User.Add(properties[i], properties[i+1])
	}
	if _, err := d.client.Publish(tb.Context(), p); err != nil {
		tb.Fatal(fmt.Errorf("publish %q: %w", text, err))
	}
}

func (d *device) disconnect(tb testing.TB) {
	tb.Helper()
	if err := d.client.Disconnect(&paho.Disconnect{}); err != nil {
		tb.Fatal(err)
	}
	<-d.client.Done()
}

func TestConformance(t *testing.T) {
	connectortest.Source(t, openMosquitto, connectortest.Traits{Remembers: true, Secrets: []string{password}})
}
