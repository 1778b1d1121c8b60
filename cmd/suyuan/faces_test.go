package main

import (
	"errors"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
)

// What is made up for later does not take a process out of a load balancer; what hinders it does, an alarm above all.
func TestWhatIsMadeUpForLaterLeavesTheHubReady(t *testing.T) {
	failing := hub.Faultf(hub.Unavailable, "anchor.failing", "the ledger is down")
	alarm := hub.Faultf(hub.Conflict, "anchor.fork", "the ledger holds another root")
	away := errors.New("connection refused")
	for _, test := range []struct {
		roles []string
		check string
		err   error
		want  bool
	}{
		{nil, "anchor", failing, true},
		{nil, "anchor", alarm, false},
		{nil, "store", away, false},
		{nil, "stream", away, false},
		{[]string{roleIngest}, "store", away, true},
		{[]string{roleIngest}, "stream", away, false},
		{[]string{roleIngest, roleWeb}, "store", away, false},
		{[]string{rolePipeline}, "store", away, false},
	} {
		c := Config{Roles: test.roles}
		if got := c.later(test.check, test.err); got != test.want {
			t.Errorf("roles %v, %s, %v: %v", test.roles, test.check, test.err, got)
		}
	}
}
