package schemas

// nameTable finds the fields of an object by their names. It knows the names beforehand, so that a few of a name's bytes tell which
// one it can be: a map's hash of every name was a tenth of what checking an event costs.
type nameTable struct {
	names []string
	// at holds, by hash, one more than the place of a name, 0 for none; no two names have one hash.
	at   []uint8
	seed uint32
}

func newNameTable(names []string) nameTable {
	t := nameTable{names: names}
	for size := 64; ; size *= 2 {
		for t.seed = 1; t.seed < 4096; t.seed++ {
			if t.at = make([]uint8, size); t.fill() {
				return t
			}
		}
		if size > 1<<12 { // names that differ in none of the bytes that are looked at
			panic("schemas: the names of an object's fields cannot be told apart")
		}
	}
}

// fill reports whether no two names have one hash.
func (t *nameTable) fill() bool {
	for i, name := range t.names {
		slot := &t.at[t.hash([]byte(name))]
		if *slot != 0 {
			return false
		}
		*slot = uint8(i + 1)
	}
	return true
}

// hash looks at the length of a name and at five of its bytes.
func (t *nameTable) hash(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	h := uint32(name[0]) | uint32(name[n/2])<<8 | uint32(name[n*3/4])<<16 | uint32(name[n-1])<<24
	return (h ^ (uint32(n)+uint32(name[min(1, n-1)])<<8)*0x9e3779b9) * (t.seed*2 + 0x85ebca6b) >> 20 & uint32(len(t.at)-1)
}

// find returns the place of a name, -1 where it is none of the fields'.
func (t *nameTable) find(name []byte) int {
	if i := int(t.at[t.hash(name)]) - 1; i >= 0 && t.names[i] == string(name) {
		return i
	}
	return -1
}
