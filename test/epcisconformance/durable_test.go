package epcisconformance_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/hub"
)

func partner(h *embedded, key string) *client {
	return &client{base: h.URL + "/epcis", key: key, run: "x"}
}

func TestAPartySeesItsOwn(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	plant, other, audit, blind := partner(h, "plant"), partner(h, "other"), partner(h, "audit"), partner(h, "blind")
	epc := plant.epc("shared")
	mine := plant.event(map[string]any{
		"eventID": plant.id("mine"), "epcList": []string{epc}, "bizStep": "https://example.com/secret-step", "bizLocation": map[string]any{"id": plant.place("secret")},
	})
	theirs := plant.event(map[string]any{"eventID": plant.id("theirs"), "epcList": []string{epc, plant.epc("only-theirs")}})
	j, err := plant.capture(document(mine))
	if err != nil || !*j.Success {
		t.Fatal(j, err)
	}
	if err := first(other.captured(theirs), plant.define("q", map[string]any{"MATCH_anyEPC": []string{epc}}),
		plant.finds("MATCH_anyEPC="+esc(epc), "mine"), other.finds("MATCH_anyEPC="+esc(epc), "theirs"), audit.finds("MATCH_anyEPC="+esc(epc), "mine", "theirs"),
		other.refused(404, "NoSuchNameException", http.MethodGet, "/events/"+pathEsc(plant.id("mine")), nil),
		other.refused(404, "NoSuchNameException", http.MethodGet, "/capture/"+j.CaptureID, nil),
		other.refused(404, "NoSuchNameException", http.MethodGet, "/queries/q", nil),
		other.refused(404, "NoSuchNameException", http.MethodDelete, "/queries/q", nil),
		other.refused(404, "NoSuchNameException", http.MethodGet, "/bizLocations/"+pathEsc(plant.place("secret")), nil),
		plant.refused(404, "NoSuchNameException", http.MethodGet, "/epcs/"+pathEsc(plant.epc("only-theirs")), nil),
		blind.refused(403, "SecurityException", http.MethodGet, "/events", nil),
		audit.refused(403, "SecurityException", http.MethodPost, "/capture", document(mine)),
	); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/bizSteps", "/bizLocations", "/capture", "/queries", "/epcs", "/events"} {
		r, err := other.want(http.StatusOK, http.MethodGet, path, nil)
		if err != nil || strings.Contains(string(r.body), "secret") || strings.Contains(string(r.body), j.CaptureID) || strings.Contains(string(r.body), `"mine`) {
			t.Errorf("%s shows another party's: %s, %v", path, r.body, err)
		}
	}
	if err := plant.lists("/epcs", "https://id.gs1.org/01/10614141073464/21/xshared"); err != nil {
		t.Error(err)
	}
	if err := other.lists("/epcs", "https://id.gs1.org/01/10614141073464/21/xshared", "https://id.gs1.org/01/10614141073464/21/xonly-theirs"); err != nil {
		t.Error(err)
	}
}

// A party whose last key is revoked gets nothing any more, neither by what it subscribed to before nor on a connection that it holds.
func TestARevokedKeyEndsWhatWasMadeWithIt(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	plant, audit, blind := partner(h, "plant"), partner(h, "audit"), partner(h, "blind")
	theirs, auditors := newReceiver(), newReceiver()
	defer theirs.Close()
	defer auditors.Close()
	for c, r := range map[*client]*receiver{plant: theirs, audit: auditors} {
		if err := c.define("q", map[string]any{"EQ_bizStep": []string{"shipping"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.want(http.StatusCreated, http.MethodPost, "/queries/q/subscriptions", map[string]any{"dest": r.URL, "stream": true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := plant.captured(plant.event(map[string]any{"eventID": plant.id("before")})); err != nil {
		t.Fatal(err)
	}
	if err := first(theirs.wait(func() bool { return theirs.count() == 1 }), auditors.wait(func() bool { return auditors.count() == 1 })); err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), plant.base+"/queries/q/events?stream=true",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer plant"}}})
	if err != nil {
		t.Fatal(err)
	}
	h.revoked.Store("plant", true)
	if err := first(audit.define("gone", map[string]any{}), audit.remove("/queries/gone")); err != nil { // has the hub look at once
		t.Fatal(err)
	}
	if _, data, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the connection goes on: %s, %v", data, err)
	}
	h.restart()
	blind.base = h.URL + "/epcis"
	j, err := blind.capture(document(blind.event(map[string]any{"eventID": blind.id("after")})))
	if err != nil || !*j.Success {
		t.Fatal(j, err)
	}
	if err := auditors.wait(func() bool { return auditors.count() == 2 }); err != nil {
		t.Fatal(err)
	}
	if theirs.count() != 1 {
		t.Error("a party without a key got what was recorded after its key was revoked")
	}
}

func TestAStopLosesNoDelivery(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	c := partner(h, "plant")
	r := newReceiver()
	defer r.Close()
	if err := c.define("q", map[string]any{"EQ_bizStep": []string{"shipping"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.want(http.StatusCreated, http.MethodPost, "/queries/q/subscriptions", map[string]any{"dest": r.URL, "stream": true}); err != nil {
		t.Fatal(err)
	}
	if err := c.captured(c.event(map[string]any{"eventID": c.id("1")})); err != nil {
		t.Fatal(err)
	}
	if err := r.wait(func() bool { return r.count() == 1 }); err != nil {
		t.Fatal(err)
	}
	next, err := c.want(http.StatusOK, http.MethodGet, "/events?perPage=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.fail = 1 << 30 // the destination is down
	r.mu.Unlock()
	if err := c.captured(c.event(map[string]any{"eventID": c.id("2")}), c.event(map[string]any{"eventID": c.id("3")})); err != nil {
		t.Fatal(err)
	}
	h.restart()
	r.mu.Lock()
	r.fail = 0
	r.mu.Unlock()
	if err := r.wait(func() bool { return len(r.ids()) >= 3 }); err != nil {
		t.Fatal(err)
	}
	if got, want := r.ids(), []string{c.id("1"), c.id("2"), c.id("3")}; !slices.Equal(got, want) {
		t.Fatalf("delivered %v, want %v", got, want)
	}
	if link := nextLink(next); link != "" {
		t.Errorf("one event makes a second page: %s", link)
	}
}

func TestAnInterruptedJobGoesOn(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	c := partner(h, "plant")
	h.stop()
	// What a crash leaves between the job's row and its end.
	var events []string
	for i := range 50 {
		events = append(events, fmt.Sprintf(`{"type":"ObjectEvent","eventID":%q,"eventTime":"2024-03-01T10:00:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":[%q]}`,
			c.id(fmt.Sprint(i)), c.epc(fmt.Sprint(i))))
	}
	doc := `{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","type":"EPCISDocument","schemaVersion":"2.0",
		"creationDate":"2024-03-01T10:00:00Z","epcisBody":{"eventList":[` + strings.Join(events, ",") + `]}}`
	if err := os.WriteFile(filepath.Join(h.dir, "capture", "j.doc"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	if err := h.store.PutJob(t.Context(), hub.CaptureJob{
		ID: "j", Provider: "plant", Connector: epcisrest.ConnectorID("plant"), ContentType: "application/json", File: "j.doc", Events: 50,
		Running: true, Success: true, CreatedAt: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	h.restart()
	c = partner(h, "plant")
	j, err := c.finished("/epcis/capture/j")
	if err != nil || !*j.Success {
		t.Fatal(j, err)
	}
	n, err := h.store.LogSize(t.Context())
	if err != nil || n != 50 {
		t.Fatalf("%d events, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "capture", "j.doc")); !os.IsNotExist(err) {
		t.Errorf("the document is still there: %v", err)
	}
}

func TestTokensOutliveARestart(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	c := partner(h, "plant")
	if err := c.captured(c.event(nil), c.event(nil), c.event(nil)); err != nil {
		t.Fatal(err)
	}
	r, err := c.want(http.StatusOK, http.MethodGet, "/events?perPage=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	link := strings.TrimPrefix(nextLink(r), h.URL+"/epcis")
	h.restart()
	c = partner(h, "plant")
	r, err = c.want(http.StatusOK, http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	if events, err := r.eventList(); err != nil || len(events) != 1 {
		t.Fatalf("%d events on the last page, %v", len(events), err)
	}
}

func TestProceedTellsOfInvalidEventsToo(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	c := partner(h, "plant")
	bad := c.event(map[string]any{"eventID": c.id("bad"), "action": "THROW"})
	doc := document(c.event(map[string]any{"eventID": c.id("a")}), bad, c.event(map[string]any{"eventID": c.id("b")}))
	j, err := c.capture(doc, "GS1-Capture-Error-Behaviour: proceed")
	if err != nil || *j.Success || len(j.Errors) != 1 || j.Errors[0]["eventID"] != c.id("bad") || j.Errors[0]["type"] != "epcisException:ValidationException" {
		t.Fatalf("job %+v, %v", j, err)
	}
	if err := first(c.finds("GE_eventTime=2000-01-01T00:00:00Z", "a", "b"),
		c.refused(400, "ValidationException", http.MethodPost, "/capture", document(bad), "GS1-Capture-Error-Behaviour: proceed")); err != nil {
		t.Fatal(err)
	}
}

func TestADocumentThatContradictsItselfIsRolledBack(t *testing.T) {
	h := start(t, t.TempDir(), limits)
	c := partner(h, "plant")
	one := c.event(map[string]any{"eventID": c.id("twice")})
	other := mapsClone(one)
	other["bizStep"] = "packing"
	j, err := c.capture(document(one, c.event(nil), other))
	if err != nil || *j.Success || len(j.Errors) != 1 {
		t.Fatalf("job %+v, %v", j, err)
	}
	j, err = c.capture(document(one, one))
	if err != nil || !*j.Success {
		t.Fatalf("the same statement twice: %+v, %v", j, err)
	}
	if n, err := h.store.LogSize(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d events, %v", n, err)
	}
}
