package mapping

import "github.com/suyuan-io/suyuan/hub"

// Branch is a part of a mapping that a record may or may not reach.
type Branch struct {
	// Where is its place in the mapping file.
	Where hub.Where
	// Kind is "event", "when", "each", "leaf", "skip" or "master".
	Kind string
	// Target is the field that it makes.
	Target string
}
