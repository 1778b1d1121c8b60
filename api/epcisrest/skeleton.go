package epcisrest

import (
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// skeleton copies a JSON document that is written to it, without the events of its eventList: what the schema of
// documents judges, and what states the document's master data. It is lenient: whoever reads the events checks the syntax.
type skeleton struct {
	out []byte
	max int
	// path is the names of the open members, "" for an array's element or before a name is known.
	path  []string
	array []bool
	// name collects a string; last is the last whole one.
	name           []byte
	last           string
	inText, escape bool
	// cut is the depth of the eventList that is being left out, 0 for none.
	cut int
	err error
}

// maxNesting bounds the depth that is tracked.
const maxNesting = 512

func newSkeleton(limit int) *skeleton { return &skeleton{max: limit} }

// Write implements [io.Writer]. It fails only when the document without its events is too large.
func (s *skeleton) Write(p []byte) (int, error) {
	for _, c := range p {
		s.step(c)
		if s.err != nil {
			return 0, s.err
		}
	}
	return len(p), nil
}

func (s *skeleton) put(c byte) {
	if s.cut > 0 {
		return
	}
	if len(s.out) >= s.max {
		s.err = hub.Faultf(hub.TooLarge, "capture.header", "the document besides its events is larger than %d bytes", s.max)
		return
	}
	s.out = append(s.out, c)
}

func (s *skeleton) step(c byte) {
	if s.inText {
		s.text(c)
		return
	}
	switch c {
	case '"':
		s.inText, s.name = true, s.name[:0]
		s.put(c)
	case '{', '[':
		s.put(c)
		s.open(c == '[')
	case '}', ']':
		s.close()
		s.put(c)
	case ':':
		if n := len(s.path); n > 0 && !s.array[n-1] {
			s.path[n-1] = s.last
		}
		s.put(c)
	default:
		s.put(c)
	}
}

// maxName is how much of a string is kept: more than any name that is looked for.
const maxName = 64

func (s *skeleton) text(c byte) {
	s.put(c)
	switch {
	case s.escape:
		s.escape = false
	case c == '\\':
		s.escape = true
	case c == '"':
		s.inText, s.last = false, string(s.name)
	default:
		if len(s.name) < maxName && s.cut == 0 {
			s.name = append(s.name, c)
		}
	}
}

func (s *skeleton) open(array bool) {
	if s.cut == 0 && array && s.isEventList() {
		s.cut = len(s.path) + 1
	}
	if len(s.path) >= maxNesting {
		s.err = hub.Faultf(hub.Invalid, "epcis.json.depth", "arrays and objects nest deeper than %d levels", maxNesting)
		return
	}
	s.path, s.array = append(s.path, ""), append(s.array, array)
}

func (s *skeleton) close() {
	if len(s.path) == 0 {
		return
	}
	if s.cut == len(s.path) {
		s.cut = 0
	}
	s.path, s.array = s.path[:len(s.path)-1], s.array[:len(s.array)-1]
}

func (s *skeleton) isEventList() bool {
	switch strings.Join(s.path, "/") {
	case "epcisBody/eventList", "epcisBody/queryResults/resultsBody/eventList":
		return true
	}
	return false
}
