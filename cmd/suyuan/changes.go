package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// texts are the files that an instance is made from, by path: its own, its mapping, and the mapping's tables.
type texts map[string]string

// change is what a new state of the folder does to one instance.
type change struct {
	ID     hub.ConnectorID
	Action action
	// Files are those that are not as before.
	Files []string
}

// action is what happens to a changed instance.
type action string

const (
	start   action = "start"
	restart action = "restart" // its own file changed: stopped, drained, started at its position
	remap   action = "remap"   // only its mapping or a table changed: the next record is read with it
	stop    action = "stop"
)

// String tells a change to the operator.
func (c change) String() string {
	if len(c.Files) == 0 {
		return fmt.Sprintf("%-8s %s", c.Action, c.ID)
	}
	return fmt.Sprintf("%-8s %-24s %s", c.Action, c.ID, strings.Join(c.Files, ", "))
}

// changesOf compares what instances are made from. Contents are compared, not names: a moved file is no change.
func changesOf(before, after map[hub.ConnectorID]texts, own map[hub.ConnectorID]string) []change {
	var out []change
	for _, id := range slices.Sorted(maps.Keys(after)) {
		was, runs := before[id]
		if !runs {
			out = append(out, change{ID: id, Action: start, Files: []string{own[id]}})
			continue
		}
		old := slices.Collect(maps.Values(was))
		c := change{ID: id, Action: remap}
		for _, name := range slices.Sorted(maps.Keys(after[id])) {
			if slices.Contains(old, after[id][name]) {
				continue
			}
			if c.Files = append(c.Files, name); name == own[id] {
				c.Action = restart
			}
		}
		if len(c.Files) > 0 || len(was) != len(after[id]) {
			out = append(out, c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[id]; !ok {
			out = append(out, change{ID: id, Action: stop})
		}
	}
	return out
}
