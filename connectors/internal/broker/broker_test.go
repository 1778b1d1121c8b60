package broker_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

func TestPlace(t *testing.T) {
	header := func(name string) string { return map[string]string{"x-id": "H"}[name] }
	for _, c := range []struct{ place, body, want string }{
		{"header:x-id", "", "H"}, {"header:none", "", ""},
		{"json:/id", `{"id":"A"}`, "A"}, {"json:/id", `{"x":{"id":"B"},"id":12345678901234567890.10}`, "12345678901234567890.10"},
		{"json:/a/1/b", `{"a":[{"b":"C"},{"b":"D"}]}`, "D"}, {"json:/a~1b/c~0d", `{"a/b":{"c~d":"E"}}`, "E"},
		{"json:/1", `["F","G"]`, "G"}, {"json:/id", `{"id":{"id":"no"}}`, ""}, {"json:/id", `{"id":null}`, ""},
		{"json:/id", `{"id":`, ""}, {"json:/id", `not json`, ""}, {"json:/id", ``, ""}, {"json:/", `{"":"H"}`, "H"},
	} {
		var p broker.Place
		if err := p.UnmarshalText([]byte(c.place)); err != nil {
			t.Fatal(err)
		}
		if got := p.Value([]byte(c.body), header); got != c.want {
			t.Errorf("%s of %s: %q", c.place, c.body, got)
		}
	}
	for _, text := range []string{"", "json:", "json:id", "header:", "id"} {
		if err := new(broker.Place).UnmarshalText([]byte(text)); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("/a/0", `{"a":["x"]}`)
	f.Add("/a", strings.Repeat(`{"a":`, 2000))
	f.Fuzz(func(t *testing.T, pointer, body string) {
		broker.Place{In: "json", Name: "/" + pointer}.Value([]byte(body), nil)
	})
}

func TestDigestKeepsPartsApart(t *testing.T) {
	if broker.Digest([]byte("a"), []byte("bc")) == broker.Digest([]byte("ab"), []byte("c")) {
		t.Error("the same digest for other parts")
	}
}

func TestAwait(t *testing.T) {
	messages, ended := make(chan int, 2), make(chan error, 1)
	messages <- 1
	ended <- errors.New("gone")
	if m, err := broker.Await(t.Context(), messages, ended); m != 1 || err != nil {
		t.Errorf("what is there goes first: %d, %v", m, err)
	}
	if _, err := broker.Await(t.Context(), messages, ended); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("gone: %v", err)
	}
	if _, err := broker.Await(t.Context(), messages, ended); !errors.Is(err, io.EOF) {
		t.Errorf("quiet: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := broker.Await(ctx, messages, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	close(messages)
	if _, err := broker.Await(t.Context(), messages, ended); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("closed: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	for text, good := range map[string]bool{
		"mqtt://host": true, "mqtts://host:8883": true,
		"host:1883": false, "http://host": false, "mqtt://": false, "mqtt://user:secret@host": false, "::": false,
	} {
		f := broker.CheckURL(text, "mqtt", "mqtts")
		if (f == nil) != good {
			t.Errorf("%q: %v", text, f)
		}
		if f != nil && strings.Contains(f.Error(), "secret") {
			t.Errorf("the secret shows in %v", f)
		}
	}
}
