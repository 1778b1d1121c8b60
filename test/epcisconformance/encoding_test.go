package epcisconformance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func packed(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return packedText(t, string(text))
}

func packedText(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A packed body is what it stands for, bounded by what it unpacks to; what cannot be unpacked is refused.
func TestPackedBodies(t *testing.T) {
	c := &client{base: start(t, t.TempDir(), limits).URL + "/epcis", key: "plant", run: "packed"}
	const zip = "Content-Encoding: gzip"
	j, err := c.capture(packed(t, document(c.event(map[string]any{"eventID": c.id("doc")}))), zip)
	if err != nil || !*j.Success {
		t.Errorf("job %+v, %v", j, err)
	}
	_, err1 := c.want(http.StatusCreated, http.MethodPost, "/events", packed(t, bare(c.event(map[string]any{"eventID": c.id("one")}))), zip)
	query := map[string]any{"name": "packed", "query": map[string]any{"EQ_action": []string{"OBSERVE"}}}
	_, err2 := c.want(http.StatusCreated, http.MethodPost, "/queries", packed(t, query), "Content-Encoding: x-gzip")
	err3 := c.finds("EQ_eventID="+esc(c.id("doc")+"|"+c.id("one")), "doc", "one")

	large := document(c.event(map[string]any{"eventID": c.id("large")}))
	large["example:padding"] = strings.Repeat("x", int(limits.MaxBytes))
	bomb, event := packed(t, large), bare(c.event(map[string]any{"example:padding": strings.Repeat("x", 1<<20)}))
	if len(bomb) > int(limits.MaxBytes)/100 {
		t.Fatalf("%d bytes are no bomb", len(bomb))
	}
	whole := packed(t, document(c.event(nil)))
	// Members with nothing in them unpack to nothing, so that no bound on what is unpacked would ever end them.
	hollow := bytes.Repeat(packedText(t, ""), 10_000)
	if err := first(err1, err2, err3,
		c.refused(http.StatusRequestEntityTooLarge, "CaptureLimitExceededException", http.MethodPost, "/capture", bomb, zip),
		c.refused(http.StatusRequestEntityTooLarge, "CaptureLimitExceededException", http.MethodPost, "/events", packed(t, event), zip),
		c.refused(http.StatusBadRequest, "ValidationException", http.MethodPost, "/capture", document(c.event(nil)), zip),
		c.refused(http.StatusBadRequest, "ValidationException", http.MethodPost, "/capture", "", zip),
		c.refused(http.StatusBadRequest, "ValidationException", http.MethodPost, "/capture", whole[:len(whole)-5], zip),
		c.refused(http.StatusBadRequest, "ValidationException", http.MethodPost, "/capture", append(hollow, whole...), zip),
		c.refused(http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", http.MethodPost, "/capture", whole, "Content-Encoding: br"),
		c.refused(http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", http.MethodPost, "/events", whole, "Content-Encoding: gzip, gzip"),
		c.finds("EQ_eventID="+esc(c.id("large")))); err != nil {
		t.Error(err)
	}
}

func TestAMethodThatIsNotAllowedIsCalledSo(t *testing.T) {
	c := &client{base: start(t, t.TempDir(), limits).URL + "/epcis", key: "plant", run: "method"}
	r, err := c.want(http.StatusMethodNotAllowed, http.MethodDelete, "/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.problem("ImplementationException"); err != nil {
		t.Error(err)
	}
	if title, allow := r.json()["title"], r.header.Get("Allow"); title != "Method not allowed" || allow != "OPTIONS, GET, HEAD, POST" {
		t.Errorf("title %q, Allow %q", title, allow)
	}
}
