package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

// options reads the options of an instance file.
func options(t testing.TB, text string) *webhook.Options {
	t.Helper()
	o, ok := webhook.Kind().Options().(*webhook.Options)
	if !ok {
		t.Fatal("not the options of this kind")
	}
	lookup := func(_, name string) (string, error) { return name, nil }
	if err := strictyaml.Decode("x.yaml", []byte(text), o, strictyaml.Options{Lookup: lookup}).Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

func receiver(t testing.TB, text string) connectors.Receiver {
	t.Helper()
	r, err := options(t, text).Listen(connectors.Env{Connector: "in", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const tokenYAML = "preset: token\nsecrets: ['${env:t0ken}']\n"

func request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/in/carrier", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer t0ken")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestIDComesFromTheSenderOrTheBody(t *testing.T) {
	in := receiver(t, tokenYAML+"id: json:/event/id\n")
	for name, tc := range map[string]struct {
		r    *http.Request
		want string
	}{
		"in the body":     {request(`{"event":{"id":"e-1"}}`), "e-1"},
		"a number":        {request(`{"event":{"id":12345678901234567890}}`), "12345678901234567890"},
		"idempotency key": {request(`{}`, "Idempotency-Key", "k-1"), "k-1"},
		"digest":          {request(`{}`), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
	} {
		got, err := in.Receive(tc.r)
		if err != nil || len(got.Items) != 1 || got.Items[0].ID != tc.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestRecipeOfOnesOwn(t *testing.T) {
	in := receiver(t, `
verify:
  location: query:sign
  algorithm: md5
  signed: "{header:X-App}{body}{timestamp}{secret}"
  timestamp: query:ts
  timestampFormat: unix-millis
tolerance: 1m
secrets: ["${env:salt}"]
payload: json:/data
answer: { status: 200, contentType: text/plain, body: ok }
`)
	r := request(`{"data":"payload"}`, "X-App", "app")
	r.URL.RawQuery = url.Values{"ts": {"1700000000000"}, "sign": {"4f6fc19cdd7dbdfb3a3e17a6ae0f4be5"}}.Encode()
	_, err := in.Receive(r)
	if hub.AsFault(err).Code != "webhook.signature" {
		t.Fatalf("a wrong sign gives %v", err)
	}
	// The digest of the spelled-out text, made independently of the code under test.
	r = request(`{"data":"payload"}`, "X-App", "app")
	r.URL.RawQuery = url.Values{"ts": {"1700000000000"}, "sign": {md5Hex(`app{"data":"payload"}1700000000000salt`)}}.Encode()
	got, err := in.Receive(r)
	if err != nil || string(got.Items[0].Body) != "payload" || string(got.Answer.Body) != "ok" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestKuaidi100FormAndAcknowledgement(t *testing.T) {
	in := receiver(t, "preset: kuaidi100\nsecrets: ['${env:salt}']\n")
	param := `{"status":"polling","lastResult":{"nu":"V030344422"}}`
	form := url.Values{"param": {param}, "sign": {strings.ToUpper(md5Hex(param + "salt"))}}
	got, err := in.Receive(request(form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
	if err != nil || string(got.Items[0].Body) != param {
		t.Fatalf("%+v, %v", got, err)
	}
	var ack struct {
		Result     bool
		ReturnCode string
	}
	if err := json.Unmarshal(got.Answer.Body, &ack); err != nil || !ack.Result || ack.ReturnCode != "200" || got.Answer.Status != 200 {
		t.Errorf("acknowledgement %s", got.Answer.Body)
	}
	form.Add("param", "{}") // which one was signed?
	if _, err := in.Receive(request(form.Encode(), "Content-Type", "application/x-www-form-urlencoded")); hub.KindOf(err) != hub.Unauthorized {
		t.Errorf("two params: %v", err)
	}
}

func TestCloudEventsHandshake(t *testing.T) {
	in := receiver(t, tokenYAML+"allowedOrigins: [events.example.test]\n")
	ask := func(origin string) (connectors.Reception, error) {
		r := httptest.NewRequest(http.MethodOptions, "/in/carrier", nil)
		if origin != "" {
			r.Header.Set("WebHook-Request-Origin", origin)
		}
		r.Header.Set("WebHook-Request-Rate", "120")
		return in.Receive(r)
	}
	got, err := ask("events.example.test")
	if err != nil || got.Answer.Status != http.StatusNoContent || got.Answer.Header.Get("WebHook-Allowed-Origin") != "events.example.test" ||
		got.Answer.Header.Get("WebHook-Allowed-Rate") != "*" || len(got.Items) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ask("other.example.test"); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("another origin: %v", err)
	}
	for _, origin := range []string{"a\r\nSet-Cookie: x", strings.Repeat("a", 300)} {
		if _, err := ask(origin); err == nil {
			t.Errorf("origin %q is granted", origin)
		}
	}
	var refusal *connectors.Refusal
	if _, err := ask(""); !errors.As(err, &refusal) || refusal.Status != http.StatusMethodNotAllowed {
		t.Errorf("no origin: %v", err)
	}
	if _, err := in.Receive(httptest.NewRequest(http.MethodGet, "/in/carrier", nil)); !errors.As(err, &refusal) {
		t.Errorf("GET: %v", err)
	}
}

func TestCloudEventsModes(t *testing.T) {
	structured := `{"specversion":"1.0","type":"t","id":"1","source":"/s","data":{"a":1}}`
	for name, tc := range map[string]struct {
		mode    string
		r       *http.Request
		ids     []string
		bodies  []string
		refused bool
	}{
		"structured": {"event", request(structured, "Content-Type", "application/cloudevents+json; charset=utf-8"),
			[]string{"/s|1"}, []string{structured}, false},
		"structured, data only": {"data", request(structured, "Content-Type", "application/cloudevents+json"),
			[]string{"/s|1"}, []string{`{"a":1}`}, false},
		"binary": {"event", request(`{"a": 1.50}`, "Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Id", "1",
			"Ce-Source", "/s", "Ce-Subject", `"a \"b\" %E5%90%AF"`),
			[]string{"/s|1"}, []string{`{"datacontenttype":"application/json","id":"1","source":"/s","specversion":"1.0","subject":"a \"b\" 启","type":"t","data":{"a": 1.50}}`}, false},
		"binary, data only": {"data", request(`<a/>`, "Content-Type", "text/xml", "Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Id", "1", "Ce-Source", "/s"),
			[]string{"/s|1"}, []string{`<a/>`}, false},
		"batch": {"event", request("["+structured+", "+strings.Replace(structured, `"1"`, `"2"`, 1)+"]", "Content-Type", "application/cloudevents-batch+json"),
			[]string{"/s|1", "/s|2"}, []string{structured, strings.Replace(structured, `"1"`, `"2"`, 1)}, false},
		"empty batch":      {"event", request("[]", "Content-Type", "application/cloudevents-batch+json"), nil, nil, false},
		"off":              {"off", request(structured, "Content-Type", "application/cloudevents+json", "Idempotency-Key", "k"), []string{"k"}, []string{structured}, false},
		"no id":            {"event", request(`{"specversion":"1.0","type":"t","source":"/s"}`, "Content-Type", "application/cloudevents+json"), nil, nil, true},
		"version 2":        {"event", request(`{"specversion":"2.0"}`, "Content-Type", "application/cloudevents+json"), nil, nil, true},
		"avro":             {"event", request(`x`, "Content-Type", "application/cloudevents+avro"), nil, nil, true},
		"data twice":       {"event", request(`{"specversion":"1.0","type":"t","id":"1","source":"/s","data":1,"data_base64":"AA=="}`, "Content-Type", "application/cloudevents+json"), nil, nil, true},
		"bad base64":       {"event", request(`{"specversion":"1.0","type":"t","id":"1","source":"/s","data_base64":"?"}`, "Content-Type", "application/cloudevents+json"), nil, nil, true},
		"bad percent":      {"event", request(`{}`, "Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Id", "%zz", "Ce-Source", "/s"), nil, nil, true},
		"not a CloudEvent": {"event", request(`{"specversion":"1.0"}`, "Content-Type", "application/json", "Idempotency-Key", "k"), []string{"k"}, []string{`{"specversion":"1.0"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := receiver(t, tokenYAML+"cloudEvents: '"+tc.mode+"'\n").Receive(tc.r)
			if tc.refused {
				if k := hub.KindOf(err); k != hub.Invalid && k != hub.Unsupported {
					t.Errorf("got %v", err)
				}
				return
			}
			var ids, bodies []string
			for _, i := range got.Items {
				ids, bodies = append(ids, i.ID), append(bodies, string(i.Body))
			}
			if diff := cmp.Diff(tc.ids, ids) + cmp.Diff(tc.bodies, bodies); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

// TestCloudEventsVectors reads the conformance scenarios of the specification's repository: the HTTP feature file, and the
// minimal events in binary mode.
func TestCloudEventsVectors(t *testing.T) {
	feature, err := os.ReadFile(vectors.Path(t, "webhooks", "cloudevents", "http-protocol-binding.feature"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s)Scenario Outline: (\w+) .*?"""\n(.*?)\n\s*"""`).FindAllStringSubmatch(string(feature), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d scenarios", len(blocks))
	}
	types := map[string][]string{
		"Binary":     {"application/json", "application/json; charset=utf-8"},
		"Structured": {"application/cloudevents+json", "application/cloudevents+json; charset=utf-8"},
	}
	for _, block := range blocks {
		for _, contentType := range types[block[1]] {
			t.Run(block[1]+" "+contentType, func(t *testing.T) {
				text := strings.ReplaceAll(block[2], "<contentType>", contentType)
				head, body, _ := strings.Cut(text, "\n\n")
				h := http.Header{}
				for line := range strings.Lines(head) {
					if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
						h.Set(name, value)
					}
				}
				events, err := webhook.ParseCloudEvents(h, []byte(body))
				if err != nil || len(events) != 1 {
					t.Fatal(events, err)
				}
				want := map[string]string{
					"id": "1234-1234-1234", "specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext/subcontext",
					"time": "2018-04-05T03:56:24Z", "datacontenttype": "application/json",
				}
				if block[1] == "Binary" {
					want["datacontenttype"] = contentType
				}
				var data bytes.Buffer
				if err := json.Compact(&data, events[0].Data); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, events[0].Attributes) + cmp.Diff(`{"message":"Hello World!"}`, data.String()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestCloudEventsMinimalVectors(t *testing.T) {
	f, err := os.Open(vectors.Path(t, "webhooks", "cloudevents", "v1_minimum.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for d := yaml.NewDecoder(f); ; n++ {
		var event struct {
			ContextAttributes map[string]string `yaml:"ContextAttributes"`
			Data              string            `yaml:"Data"`
		}
		if err := d.Decode(&event); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for name, value := range event.ContextAttributes {
			h.Set("ce-"+name, value)
		}
		h.Del("ce-datacontenttype")
		h.Set("Content-Type", event.ContextAttributes["datacontenttype"])
		if event.ContextAttributes["specversion"] == "1.0" || event.ContextAttributes["specversion"] == "1" {
			h.Set("ce-specversion", "1.0")
		}
		binary, err := webhook.ParseCloudEvents(h, []byte(event.Data))
		if err != nil || len(binary) != 1 || string(binary[0].Data) != event.Data {
			t.Fatalf("%d: %v, %v", n, binary, err)
		}
		// What was made of it in structured mode must say the same.
		again, err := webhook.ParseCloudEvents(http.Header{"Content-Type": {"application/cloudevents+json"}}, binary[0].Event)
		if err != nil || len(again) != 1 {
			t.Fatal(again, err)
		}
		if diff := cmp.Diff(binary[0].Attributes, again[0].Attributes); diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
	}
	if n < 6 {
		t.Errorf("%d events", n)
	}
}

// TestThroughTheHost posts a signed webhook through the whole host, twice.
func TestThroughTheHost(t *testing.T) {
	stream := &connectortest.Stream{}
	h := connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}, Now: func() time.Time { return at }})
	defer h.Close()
	err := h.Apply(t.Context(), []*connectors.Instance{{
		ID: "carrier", Provider: "carrier", Kind: "webhook", Splitter: connectortest.Whole{},
		Options: options(t, "preset: standard-webhooks\nsecrets: ['${env:"+secret+"}']\n"),
		Limits:  connectors.Limits{InFlight: 10, Record: 1 << 20, Body: 1 << 20},
	}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := verifier(t, "standard-webhooks", secret).Sign([]byte(`{"a":1}`), "application/json", "msg_1", at)
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/in/carrier", bytes.NewReader(signed.Body))
		r.Header = signed.Header
		w := httptest.NewRecorder()
		if err := h.ServeIn(w, r, "carrier"); err != nil || w.Code != http.StatusAccepted {
			t.Fatal(w.Code, err)
		}
		answers = append(answers, w.Body.String())
	}
	if answers[0] != answers[1] || stream.Records()[0].ID != "msg_1" {
		t.Errorf("%v", answers)
	}
	signed.Header.Set("webhook-id", "msg_2")
	r := httptest.NewRequest(http.MethodPost, "/in/carrier", bytes.NewReader(signed.Body))
	r.Header = signed.Header
	if err := h.ServeIn(httptest.NewRecorder(), r, "carrier"); hub.KindOf(err) != hub.Unauthorized || len(stream.Records()) != 2 {
		t.Errorf("a stolen signature: %v", err)
	}
}

func FuzzCloudEvents(f *testing.F) {
	f.Add("application/cloudevents+json", "1.0", []byte(`{"specversion":"1.0","type":"t","id":"1","source":"/s","data":{"a":1}}`))
	f.Add("application/cloudevents-batch+json", "", []byte(`[{"data_base64":"AA=="}]`))
	f.Add("text/plain", "1.0", []byte("x\xff"))
	f.Fuzz(func(t *testing.T, contentType, version string, body []byte) {
		h := http.Header{"Content-Type": {contentType}, "Ce-Id": {"i"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}}
		if version != "" {
			h.Set("Ce-Specversion", version)
		}
		events, err := webhook.ParseCloudEvents(h, body)
		if err != nil {
			return
		}
		for _, e := range events {
			if !json.Valid(e.Event) || e.ID() == "|" {
				t.Errorf("event %q of id %q", e.Event, e.ID())
			}
		}
	})
}
