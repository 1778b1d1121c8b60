package decode

import "sync"

// Picker is a [Decoder] that can leave out of a tree what nobody reads. Records of legacy systems have tens of members, of
// which a mapping reads a few.
type Picker interface {
	Decoder
	// Pick is Decode for a reader who looks at no members of the record but those of these names. Everything is checked as
	// Decode checks it, and what Decode refuses is refused alike; the other members may be left out of the tree. Its Locate
	// is nil: to explain a fault decode the record anew.
	Pick(preamble, body []byte, names *Names) (Tree, error)
}

// Names are names of a record's members.
type Names struct {
	list []string
	// lengths has bit n%64 set for a name of n bytes: most names of a record are told from these by their length.
	lengths uint64
	index   map[string]string // of many
	trees   sync.Pool         // of empty maps
}

// tree returns an empty object for what is picked.
func (n *Names) tree() map[string]any {
	if value, ok := n.trees.Get().(map[string]any); ok {
		return value
	}
	return make(map[string]any, len(n.list))
}

// fewNames is how many names are faster to compare than to look up.
const fewNames = 8

// NewNames returns the set of names.
func NewNames(names []string) *Names {
	n := &Names{list: names}
	for _, name := range names {
		n.lengths |= 1 << (len(name) % 64)
	}
	if len(names) > fewNames {
		n.index = make(map[string]string, len(names))
		for _, name := range names {
			n.index[name] = name
		}
	}
	return n
}

// find returns the name that b spells, so that nothing is allocated for it.
func find[S string | []byte](n *Names, b S) (string, bool) {
	if n.lengths&(1<<(len(b)%64)) == 0 {
		return "", false
	}
	if n.index != nil {
		name, ok := n.index[string(b)]
		return name, ok
	}
	for _, name := range n.list {
		if name == string(b) {
			return name, true
		}
	}
	return "", false
}
