// Package epcisconformance drives a hub over HTTP through every line of the EPCIS 2.0 REST checklist (docs/epcis-conformance.md)
// and prints a table of lines and verdicts. It tests the built command, or the hub that SUYUAN_EPCIS_URL names (its address,
// without /epcis) with the API key SUYUAN_EPCIS_KEY, which must have the scopes capture and query. What a client cannot see,
// such as a crash, is tested on the binding in this process.
package epcisconformance_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/api/epcisrest"
)

// line is one line of the checklist.
type line struct {
	id, says string
	check    func(c *client) error
}

// limits are those of the hubs that tests start, so small that a test can pass them.
var limits = epcisrest.Config{MaxEvents: 500, MaxBytes: 2 << 20}

// waiting are the lines that wait for the clock, each for seconds. They begin first, and the others go on beside them.
var waiting = []string{"S4", "S6"}

func TestChecklist(t *testing.T) {
	base, key := os.Getenv("SUYUAN_EPCIS_URL"), os.Getenv("SUYUAN_EPCIS_KEY")
	if base == "" {
		base, key = serve(t)
	}
	c := &client{base: strings.TrimSuffix(base, "/") + "/epcis", key: key, run: strconv.FormatInt(time.Now().UnixNano(), 36)}
	var table strings.Builder
	var all []line
	for _, part := range [][]line{discovery(), capturing(), querying(), matching(), resources(), standing(), refusing()} {
		all = append(all, part...)
	}
	verdicts := map[string]func() error{}
	for _, l := range all {
		if slices.Contains(waiting, l.id) {
			own := *c
			own.run += l.id
			outcome := make(chan error, 1)
			go func() { outcome <- l.check(&own) }()
			verdicts[l.id] = func() error { return <-outcome }
		} else {
			verdicts[l.id] = func() error { return l.check(c) }
		}
	}
	for _, l := range all {
		verdict := "pass"
		if err := verdicts[l.id](); err != nil {
			verdict = "FAIL"
			t.Errorf("%s %s: %v", l.id, l.says, err)
		}
		fmt.Fprintf(&table, "| %-4s | %-4s | %s |\n", l.id, verdict, l.says)
	}
	t.Logf("EPCIS REST conformance of %s\n%s", c.base, table.String())
	if path := os.Getenv("SUYUAN_EPCIS_REPORT"); path != "" {
		if err := os.WriteFile(path, []byte(table.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
