//go:build !fault

package main

import "time"

// now is the hub's clock. A build with the tag fault has one that test/fault can set wrong (clock_fault.go).
func now() time.Time { return time.Now() }
