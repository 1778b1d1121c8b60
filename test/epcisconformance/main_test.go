package epcisconformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }

// serve runs the built command as an operator does, and returns its address and the key of a partner that may capture and
// query.
func serve(t *testing.T) (url, key string) {
	t.Helper()
	site := hubtest.NewSite(t, map[string]string{"suyuan.yaml": fmt.Sprintf(`listen: 127.0.0.1:0
data: data
anchor: { origin: test.example/log, maxAge: 100ms }
log: { level: error }
stream: { minFree: 1MiB }
epcis: { gcpLength: 7, maxEvents: %d, maxBytes: %d }
`, limits.MaxEvents, limits.MaxBytes)})
	if err := os.Mkdir(site.Path("connectors"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := site.Start()
	status, body := p.Do(http.MethodPost, "/v1/keys", []byte(`{"provider":"plant","scopes":["capture","query"]}`),
		http.Header{"Content-Type": {"application/json"}})
	var made struct{ Secret string }
	if err := json.Unmarshal(body, &made); err != nil || made.Secret == "" {
		t.Fatalf("the key: %d %s, %v", status, body, err)
	}
	t.Cleanup(func() {
		if code := p.Stop(); code != 0 {
			t.Errorf("the hub ended with %d:\n%s", code, p.Log)
		}
	})
	return p.URL, made.Secret
}
