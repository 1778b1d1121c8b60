package main

import (
	"bytes"
	"context"
	"testing"
)

// Ctrl-C is no fault of the hub: it is answered with one calm line, whatever it cut off.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"demo", "--once", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, stdio{out: &out, err: &errs})
	if code != exitFailed || errs.String() != "suyuan: interrupted\n" {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
