package mqtt_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	"github.com/suyuan-io/suyuan/connectors/mqtt"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// An edge box that was away for a day empties its store. The line breaks twice on the way, so it repeats what it has no
// answer for; the hub is away for a part of it.
func TestEdgeBoxComesBackAfterADay(t *testing.T) {
	up := openMosquitto(t, t.TempDir()).(*mosquitto)
	want := make([]string, 1440) // one a minute
	for i := range want {
		want[i] = fmt.Sprintf(`{"scan":%d,"code":"same"}`, i)
	}
	box := connectDevice(t, up.address, "box")
	send := func(from, to int) {
		for _, text := range want[from:to] {
			box.publish(t, "plant/7/scans", text)
		}
	}
	cut := func() { box.disconnect(t); box = connectDevice(t, up.address, "box") }
	stream := &connectortest.Stream{}
	send(0, 400)
	h := connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}})
	if err := h.Apply(t.Context(), []*connectors.Instance{up.Instance(t)}); err != nil {
		t.Fatal(err)
	}
	cut()
	send(380, 900) // 20 were not answered for
	h.Close()
	cut()
	send(890, 1440)
	box.disconnect(t)
	h = connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}})
	t.Cleanup(h.Close)
	if err := h.Apply(t.Context(), []*connectors.Instance{up.Instance(t)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	connectortest.WaitFor(t, "everything arrives", func() bool {
		seen := map[hub.RecordID]bool{}
		got = nil
		for _, r := range stream.Records() {
			if !seen[r.ID] {
				seen[r.ID] = true
				got = append(got, string(r.Body))
			}
		}
		return len(got) >= len(want)
	}, func() any { st, _ := h.Status("kit"); return fmt.Sprintf("%d: %+v", len(got), st) })
	if !slices.Equal(got, want) {
		t.Error("by their ids the records are not those that the box sent, once and in order")
	}
}

func next(t *testing.T, src connectors.Source) connectors.Item {
	t.Helper()
	for {
		item, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return item
	}
}

func place(t *testing.T, text string) (p broker.Place) {
	t.Helper()
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIdentity(t *testing.T) {
	up := openMosquitto(t, t.TempDir()).(*mosquitto)
	o := up.options()
	o.ID, o.Sequence = place(t, "property:scanId"), place(t, "json:/seq")
	src, err := o.Open(t.Context(), connectors.Env{Connector: "kit", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	d := connectDevice(t, up.address, "box")
	defer d.disconnect(t)
	d.publish(t, "plant/1/scans", `{"seq":1}`, "scanId", "S-1")
	d.publish(t, "plant/1/scans", `{"seq":1}`)
	d.publish(t, "plant/1/scans", `{"seq":1}`)
	d.publish(t, "plant/2/scans", `{"seq":1}`)
	var ids []string
	for range 4 {
		item := next(t, src)
		ids = append(ids, item.ID)
		if item.ContentType != "text/plain" {
			t.Errorf("content type %q", item.ContentType)
		}
	}
	if ids[0] != "S-1" || ids[1] != ids[2] || ids[1] == ids[3] || len(ids[1]) != 64 {
		t.Errorf("ids %q", ids)
	}
}

// A topic that left the instance file is still in the session.
func TestFormerTopicIsNotRead(t *testing.T) {
	up := openMosquitto(t, t.TempDir()).(*mosquitto)
	o := up.options()
	o.Topics = []string{"packing/#"}
	src, err := o.Open(t.Context(), connectors.Env{Connector: "kit", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	d := connectDevice(t, up.address, "box")
	defer d.disconnect(t)
	for i := range 30 { // more than the window: the others must have been acknowledged
		d.publish(t, "plant/1/scans", fmt.Sprint(i))
	}
	d.publish(t, "packing", "parcel")
	if item := next(t, src); string(item.Body) != "parcel" {
		t.Errorf("got %q of %s", item.Body, item.Origin)
	}
}

func TestFaults(t *testing.T) {
	up := openMosquitto(t, t.TempDir()).(*mosquitto)
	for name, c := range map[string]struct {
		change func(*mqtt.Options)
		want   hub.Kind
	}{
		"wrong password": {func(o *mqtt.Options) { o.Password = strictyaml.NewSecret("${env:X}", "wrong") }, hub.Unauthorized},
		"nobody there":   {func(o *mqtt.Options) { o.URL = "mqtt://" + brokertest.Loopback(brokertest.Port(t)) }, hub.Unavailable},
		"no TLS there":   {func(o *mqtt.Options) { o.URL = "mqtts://" + up.address }, hub.Unavailable},
	} {
		o := up.options()
		c.change(o)
		_, err := o.Open(t.Context(), connectors.Env{Connector: "other", Now: time.Now})
		if hub.KindOf(err) != c.want {
			t.Errorf("%s: %v is %v", name, err, hub.KindOf(err))
		}
	}
}
