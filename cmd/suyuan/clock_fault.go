//go:build fault

package main

import (
	"os"
	"strings"
	"time"
)

// now is the system's clock, wrong by the duration that the file named in SUYUAN_FAULT_CLOCK says, such as "-90m". It is the
// seam of test/fault: a program with a vDSO clock cannot be given another one from outside. Without the tag it is not built.
func now() time.Time {
	b, err := os.ReadFile(os.Getenv("SUYUAN_FAULT_CLOCK"))
	if err != nil {
		return time.Now()
	}
	wrong, err := time.ParseDuration(strings.TrimSpace(string(b)))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(wrong)
}
