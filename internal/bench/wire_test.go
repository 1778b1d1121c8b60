package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Both ways to send read every form of answer that HTTP has, send headers and body whole, and connect anew where a connection ended.
func TestPosters(t *testing.T) {
	var asked int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != fmt.Sprint("body ", asked) || r.Header.Get("X-N") != fmt.Sprint(asked) || r.URL.Path != "/base/in/x" {
			t.Errorf("request %d: %s %q %q %v", asked, r.URL.Path, body, r.Header.Get("X-N"), err)
		}
		asked++
		switch asked {
		case 1: // with a length
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte("small"))
		case 2: // in chunks
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write(bytes.Repeat([]byte("large"), 10_000))
		case 3: // and no more on this connection
			w.Header().Set("Connection", "close")
		case 4:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer s.Close()
	w, err := newWire(t.Context(), s.URL+"/base")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	posters := map[string]poster{"own": w, "net/http": &plain{t.Context(), client(1), s.URL + "/base"}}
	for name, p := range posters {
		asked = 0
		for i, want := range []reply{{202, false}, {429, true}, {200, false}, {204, false}, {200, false}} {
			got, err := p.post("/in/x", http.Header{"X-N": {fmt.Sprint(i)}}, fmt.Append(nil, "body ", i))
			if err != nil || got != want {
				t.Fatalf("%s, request %d: %v %v, want %v", name, i, got, err, want)
			}
		}
	}
	s.Close()
	for name, p := range posters {
		if _, err := p.post("/in/x", nil, nil); err == nil {
			t.Errorf("%s: a dead server answers", name)
		}
	}
	if _, err := newWire(t.Context(), "https://x"); err == nil {
		t.Error("https is loaded")
	}
}

func TestBodies(t *testing.T) {
	var batch struct{ Records []map[string]any }
	if err := json.Unmarshal(Body("123456789", 8, 3, true), &batch); err != nil || len(batch.Records) != 3 {
		t.Fatal(err)
	}
	one := Body("123456789", 61, 1, false)
	var record map[string]any
	if err := json.Unmarshal(one, &record); err != nil || len(one) < 650 || len(one) > 850 || record["code"] != Serial("123456789", 61) ||
		record["code"] != "456789000000061" || record["madeOn"] != "2026-11-06 13:01:01" || record["operator"] != "op-0061" {
		t.Errorf("%d bytes: %s %v", len(one), one, err)
	}
}
