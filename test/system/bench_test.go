package system

import (
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// Both clients of the benchmark send everything, to the hub and to the floor, and no other is known.
func TestBenchClients(t *testing.T) {
	for _, client := range []string{"own", "net/http"} {
		code, out, errs := hubtest.CLI(t, "bench", "ingest", "--records", "300", "--connections", "4", "--floor", "--client", client, "--dir", t.TempDir())
		if code != 0 || !strings.Contains(out, "accepted = recorded = anchored = 300") || !strings.Contains(out, "× bare HTTP") {
			t.Errorf("%s: %d\n%s%s", client, code, out, errs)
		}
	}
	if code, out, errs := hubtest.CLI(t, "bench", "ingest", "--client", "curl"); code != 2 {
		t.Errorf("client curl: %d\n%s%s", code, out, errs)
	}
}
