package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// A store that cannot be read is asked again before a record dies of it, and what it said is good for a while only.
func TestMasterDataIsFreshAndWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name, asked := "one", 0
		var down bool
		m := &masterData{now: time.Now, statements: func(context.Context, hub.StatementKind, ...string) ([]hub.Statement, error) {
			if asked++; down || asked == 1 {
				return nil, hub.Faultf(hub.Unavailable, "test.down", "down")
			}
			return []hub.Statement{{Provider: "brand", Attributes: map[string]string{"name": name}}}, nil
		}}
		look := func(by hub.ProviderID) (string, error) {
			found, err := m.lookup(hub.AboutProduct, "x", by)
			return found["name"], err
		}
		for _, step := range []struct {
			by   hub.ProviderID
			want string
		}{{"brand", "one"}, {"other", ""}, {"brand", "one"}} {
			if got, err := look(step.by); got != step.want || err != nil {
				t.Errorf("%s: %q, %v", step.by, got, err)
			}
		}
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
		name = "two"
		time.Sleep(masterFresh)
		if got, err := look("brand"); got != "two" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		time.Sleep(masterFresh)
		down = true
		began := time.Now()
		if got, err := look("brand"); hub.KindOf(err) != hub.Unavailable && err == nil {
			t.Errorf("%q, %v", got, err)
		}
		if took := time.Since(began); took > masterWait {
			t.Errorf("a record waited %s", took)
		}
	})
}
