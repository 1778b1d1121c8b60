package epcis_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/epcis"
	core "github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

const event = `{"type":"ObjectEvent","eventTime":"2019-05-01T10:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE",` +
	`"bizStep":"shipping","epcList":["https://id.gs1.org/01/07613035982949/21/TEXT"]}`

type sender struct{}

func (sender) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "plant", Provider: "plant", Kind: "epcis", Options: &epcis.Options{}, Splitter: epcis.Splitter{},
		Limits: connectors.Limits{InFlight: 1000, Record: 1 << 20, Body: 16 << 20},
	}
}

func (sender) Request(_ testing.TB, text string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/in/plant", strings.NewReader(strings.Replace(event, "TEXT", text, 1)))
	r.Header.Set("Content-Type", "application/ld+json")
	return r
}

func (sender) Forged(testing.TB) *http.Request { return nil }

func TestConformance(t *testing.T) {
	if !(&epcis.Options{}).NeedsKey() {
		t.Error("nobody authenticates the sender")
	}
	connectortest.Receiver(t, sender{}, time.Now)
}

func post(t *testing.T, contentType, body string) ([]hub.Envelope, error) {
	t.Helper()
	stream := &connectortest.Stream{}
	h := connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}})
	t.Cleanup(h.Close)
	if err := h.Apply(t.Context(), []*connectors.Instance{sender{}.Instance(t)}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/in/plant", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	err := h.ServeIn(httptest.NewRecorder(), r, "plant")
	return stream.Envelopes(), err
}

func TestDocumentIsCutIntoEventsThatReadAlone(t *testing.T) {
	doc := `{"@context":["https://ref.gs1.org/standards/epcis/epcis-context.jsonld",{"ex":"https://example.test/"}],` +
		`"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2019-05-01T12:00:00Z","epcisBody":{"eventList":[` +
		event + ",\n" + strings.Replace(event, `"action"`, `"ex:box":"7","action"`, 1) + `]}}`
	envelopes, err := post(t, "application/json; charset=utf-8", doc)
	if err != nil || len(envelopes) != 1 || len(envelopes[0].Records) != 2 {
		t.Fatalf("%+v, %v", envelopes, err)
	}
	for _, r := range envelopes[0].Records {
		if _, err := core.ParseRecord(envelopes[0].Preamble, r.Body); err != nil {
			t.Errorf("record %s does not read alone: %v", r.ID, err)
		}
	}
	if r := envelopes[0].Records[1]; r.Line != 2 || r.Column != 1 || !strings.HasSuffix(string(r.ID), "#2") {
		t.Errorf("second record %+v", r)
	}
}

func TestMediaTypeIsChecked(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "application/json;;"} {
		if _, err := post(t, contentType, event); hub.KindOf(err) != hub.Unsupported {
			t.Errorf("%q: %v", contentType, err)
		}
	}
}

// TestSamplesOfTheStandardAreTaken posts every valid sample document and reads each of its events alone.
func TestSamplesOfTheStandardAreTaken(t *testing.T) {
	root := vectors.Path(t, "epcis", "samples", "EPCIS")
	n := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || d.IsDir() || !strings.Contains(path, "JSON") || ext != ".json" && ext != ".jsonld" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), "eventList") {
			return err
		}
		envelopes, err := post(t, "application/ld+json", string(data))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		for _, env := range envelopes {
			for _, r := range env.Records {
				n++
				if _, err := core.ParseRecord(env.Preamble, r.Body); err != nil {
					t.Errorf("%s, %s: %v", path, r.ID, err)
				}
			}
		}
		return nil
	})
	if err != nil || n < 10 {
		t.Errorf("%d events read, %v", n, err)
	}
}
