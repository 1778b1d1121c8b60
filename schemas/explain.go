package schemas

import (
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/suyuan-io/suyuan/hub"
)

// maxFaults is how many faults one call reports at most: nobody reads more, and the first ones usually cause the others.
const maxFaults = 20

// maxFindings is how many findings are collected before the first of them are chosen. Only a value with more mistakes
// than this may have its first ones left out.
const maxFindings = 50 * maxFaults

// explainer collects what is wrong with a document. From the tree of a validator's errors it takes the few that tell a
// reader what to change.
type explainer struct {
	doc   *document
	found []finding
	// events are the events of the document when they are judged one by one.
	events events
	// valid says that the fast path accepts the document: there is nothing for a schema to explain, only for the rules.
	valid bool

	// root is the value being judged, base its pointer in the document, texts the schema that judges it.
	root  *node
	base  string
	texts *texts
}

// events are the items of a document's event list.
type events struct {
	items []*node
	base  string
}

func (e events) pointer(i int) string { return e.base + "/" + strconv.Itoa(i) }

func newExplainer(doc *document) *explainer { return &explainer{doc: doc} }

// judge is explain for a document that may be known to be valid.
func (x *explainer) judge(s *schema, n *node, base string) {
	if !x.valid {
		x.explain(s, n, base)
	}
}

// explain validates n, which stands at base, against s and notes what is wrong.
func (x *explainer) explain(s *schema, n *node, base string) {
	err := s.compiled.Validate(n.value())
	if err == nil {
		return
	}
	x.root, x.base, x.texts = n, base, s.texts
	var verr *jsonschema.ValidationError
	if !asFault(err, &verr) {
		x.add(finding{fault: hub.Faultf(hub.Internal, "schema.failed", "the value cannot be validated").Because(err)}, place{})
		return
	}
	before := len(x.found)
	if x.walk(verr, nil); len(x.found) == before && before < maxFindings {
		eachLeaf(verr, x.unexplained)
	}
}

// finding is one fault before it is put in order; the fields below fault serve to drop what another finding explains.
type finding struct {
	offset  int
	fault   *hub.Fault
	object  string // pointer of the object that lacks or has the field
	missing string // the field that is missing
	meant   string // the known field that an unknown one resembles
	value   bool   // the fault is of the value at the place itself: one a place is enough
}

// walk descends through errors that only pass on what others found. parents are the errors above, outermost first.
func (x *explainer) walk(e *jsonschema.ValidationError, parents []*jsonschema.ValidationError) {
	if len(x.found) >= maxFindings {
		return
	}
	raw := x.texts.at(e.SchemaURL)
	if words := wordsOf(raw); words.speaks() {
		x.say(e, words, parents)
		return
	}
	below := append(slices.Clip(parents), e)
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			x.walk(cause, below)
		}
	case *kind.AnyOf:
		x.alternatives(e, below)
	case *kind.OneOf:
		if k.Subschemas == nil {
			x.alternatives(e, below)
			return
		}
		x.leaf(e, raw)
	default:
		x.leaf(e, raw)
	}
}

// alternatives explains a failed anyOf or oneOf by the branch that its sender most likely meant.
func (x *explainer) alternatives(e *jsonschema.ValidationError, below []*jsonschema.ValidationError) {
	if merged := mergeAlike(e); merged != nil {
		x.leaf(merged, x.texts.at(merged.SchemaURL))
		return
	}
	var best *jsonschema.ValidationError
	bestScore, tie := 0, false
	for _, cause := range e.Causes {
		score := closeness(cause, len(e.InstanceLocation))
		switch {
		case best == nil || score > bestScore:
			best, bestScore, tie = cause, score, false
		case score == bestScore:
			tie = true
		}
	}
	if d := discriminator(e); d != nil && bestScore < 0 {
		x.leaf(d, nil)
		return
	}
	if best == nil || tie && len(e.Causes) > 2 {
		x.leaf(e, x.texts.at(e.SchemaURL))
		return
	}
	x.walk(best, below)
}

// closeness says how well a failed branch fits: the further inside it failed, the better, and a wrong type or a wrong
// constant near the top means that another branch was meant.
func closeness(e *jsonschema.ValidationError, base int) int {
	depth := len(e.InstanceLocation) - base
	switch e.ErrorKind.(type) {
	case *kind.Type, *kind.FalseSchema:
		if depth == 0 {
			return -100
		}
		return depth
	case *kind.Const, *kind.Enum:
		if depth <= 1 {
			return -50
		}
		return depth
	}
	if len(e.Causes) == 0 {
		return depth
	}
	if _, ok := e.ErrorKind.(*kind.AnyOf); ok {
		best := closeness(e.Causes[0], base)
		for _, cause := range e.Causes[1:] {
			best = max(best, closeness(cause, base))
		}
		return best
	}
	worst := closeness(e.Causes[0], base)
	for _, cause := range e.Causes[1:] {
		worst = min(worst, closeness(cause, base))
	}
	return worst
}

// discriminator returns one error for the field whose value was to choose among the branches of e and chooses none.
func discriminator(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var found *jsonschema.ValidationError
	var want []any
	collect := func(leaf *jsonschema.ValidationError) {
		var values []any
		switch k := leaf.ErrorKind.(type) {
		case *kind.Const:
			values = []any{k.Want}
		case *kind.Enum:
			values = k.Want
		default:
			return
		}
		if len(leaf.InstanceLocation) != len(e.InstanceLocation)+1 || found != nil && !slices.Equal(found.InstanceLocation, leaf.InstanceLocation) {
			return
		}
		found, want = leaf, append(want, values...)
	}
	for _, cause := range e.Causes {
		eachLeaf(cause, collect)
	}
	if found == nil {
		return nil
	}
	merged := *found
	merged.ErrorKind = &kind.Enum{Want: want}
	return &merged
}

// eachLeaf calls f with every error below e that has no causes.
func eachLeaf(e *jsonschema.ValidationError, f func(*jsonschema.ValidationError)) {
	if len(e.Causes) == 0 {
		f(e)
	}
	for _, cause := range e.Causes {
		eachLeaf(cause, f)
	}
}

// mergeAlike returns one error in place of alternatives that all failed in the same simple way, or nil.
func mergeAlike(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var wantTypes []string
	var wantValues []any
	for _, cause := range e.Causes {
		leaf := onlyLeaf(cause)
		if leaf == nil || len(leaf.InstanceLocation) != len(e.InstanceLocation) {
			return nil
		}
		switch k := leaf.ErrorKind.(type) {
		case *kind.Type:
			wantTypes = append(wantTypes, k.Want...)
		case *kind.Enum:
			wantValues = append(wantValues, k.Want...)
		case *kind.Const:
			wantValues = append(wantValues, k.Want)
		default:
			return nil
		}
	}
	merged := *e
	merged.Causes = nil
	switch {
	case len(wantTypes) > 0 && len(wantValues) == 0:
		merged.ErrorKind = &kind.Type{Want: wantTypes}
	case len(wantValues) > 0 && len(wantTypes) == 0:
		merged.ErrorKind = &kind.Enum{Want: wantValues}
	default:
		return nil
	}
	return &merged
}

// onlyLeaf returns the single error at the end of a chain of references, or nil.
func onlyLeaf(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) == 1 {
		e = e.Causes[0]
	}
	if len(e.Causes) > 0 {
		return nil
	}
	return e
}

// say reports e as a whole in the words that its schema carries.
func (x *explainer) say(e *jsonschema.ValidationError, w words, parents []*jsonschema.ValidationError) {
	p := x.find(e.InstanceLocation)
	f := finding{offset: p.offset, value: true, object: p.pointer}
	if w.code == codeCBV {
		f.fault = cbvFault(p.node.str(), x.wordsBeside(parents))
	} else {
		f.fault = w.fault(p.node)
	}
	x.add(f, p)
}

// wordsBeside returns the bare words of the vocabulary whose "then" led to the innermost of parents.
func (x *explainer) wordsBeside(parents []*jsonschema.ValidationError) []string {
	for _, parent := range slices.Backward(parents) {
		if vocabulary, ok := strings.CutSuffix(parent.SchemaURL, "/then"); ok {
			other, _ := x.texts.at(vocabulary)["else"].(map[string]any)
			return stringsOf(other["enum"])
		}
	}
	return nil
}

// find returns the place at path from the value being judged.
func (x *explainer) find(path []string) place {
	p := find(x.root, path)
	p.pointer = x.base + p.pointer
	return p
}

// note adds a fault of the value at path from the value being judged.
func (x *explainer) note(f *hub.Fault, path []string) {
	p := x.find(path)
	x.add(finding{offset: p.offset, fault: f}, p)
}

func (x *explainer) add(f finding, p place) {
	f.fault.Where.Pointer = p.pointer
	x.found = append(x.found, f)
}

// report drops findings that another one explains, puts the rest in order and cuts them to a readable number.
func (x *explainer) report() hub.Faults {
	slices.SortStableFunc(x.found, func(a, b finding) int {
		return a.offset - b.offset
	})
	type field struct{ object, name string }
	renamed, seen := map[field]bool{}, map[string]bool{}
	for _, f := range x.found {
		if f.meant != "" {
			renamed[field{f.object, f.meant}] = true
		}
	}
	var faults hub.Faults
	for _, f := range x.found {
		if f.missing != "" && renamed[field{f.object, f.missing}] {
			continue
		}
		key := f.fault.Where.Pointer
		if !f.value {
			key += "\x00" + f.fault.Message
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		pointer := f.fault.Where.Pointer
		f.fault.Where = lineColumn(x.doc.data, f.offset)
		f.fault.Where.Pointer = pointer
		faults = append(faults, f.fault)
		if len(faults) == maxFaults {
			break
		}
	}
	return faults
}
