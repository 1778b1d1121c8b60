package schemas

import (
	"errors"

	"github.com/suyuan-io/suyuan/hub"
)

// ValidateEvent checks one event as it stands in a document's eventList: @context is allowed but not demanded. It
// returns nil or a [hub.Faults] in the order of their places.
func (r *Registry) ValidateEvent(data []byte) error {
	return r.With(ValidateOptions{}).ValidateEvent(data)
}

// ValidateDocument checks whatever may be posted or shipped on its own: an EPCISDocument, an EPCISQueryDocument, or one
// event that brings its own @context. It returns nil or a [hub.Faults] in the order of their places.
func (r *Registry) ValidateDocument(data []byte) error {
	return r.With(ValidateOptions{}).ValidateDocument(data)
}

// ValidateOptions says what a [Validator] checks beyond the schema.
type ValidateOptions struct {
	// Rules adds what the standard states and no schema can; see [Rules].
	Rules bool
	// CheckDigits, with Rules, judges every identifier of an event, such as an EPC URN or a GS1 Digital Link. It returns
	// nil for what it does not know.
	CheckDigits func(id string) error
	// Advice adds to what [Validator.ValidateDocument] says of a document what is no fault but better mended: names with a
	// prefix that no @context declares.
	Advice bool
}

// Validator validates with fixed options. It is safe for concurrent use.
type Validator struct {
	registry *Registry
	rules    *Rules
	advice   bool
}

// With returns a validator with these options.
func (r *Registry) With(o ValidateOptions) Validator {
	v := Validator{registry: r, advice: o.Advice}
	if o.Rules {
		v.rules = &Rules{CheckDigits: o.CheckDigits, persistent: r.persistent}
	}
	return v
}

// ValidateEvent is [Registry.ValidateEvent] with the validator's options.
func (v Validator) ValidateEvent(data []byte) error {
	valid, look := v.registry.fast.onlyEvent(data, v.hook())
	if valid && (v.rules == nil || !look) {
		return nil
	}
	doc, fault := parse(data)
	if fault != nil {
		return hub.Faults{fault}
	}
	x := newExplainer(doc)
	x.valid = valid
	x.judge(v.registry.event, doc.root, "")
	if v.rules != nil {
		v.rules.event(x, doc.root, "")
	}
	return x.report().Err()
}

// ValidateDocument is [Registry.ValidateDocument] with the validator's options.
func (v Validator) ValidateDocument(data []byte) error {
	valid, look := v.registry.fast.isRoot(data, v.hook())
	if valid && (v.rules == nil || !look) && !v.advice {
		return nil
	}
	doc, fault := parse(data)
	if fault != nil {
		return hub.Faults{fault}
	}
	x := newExplainer(doc)
	x.valid = valid
	v.envelope(x)
	for i, event := range x.events.items {
		if len(x.found) >= maxFaults {
			break
		}
		v.eventOf(x, event, x.events.pointer(i))
	}
	if v.advice {
		advise(x, doc.root)
	}
	return x.report().Err()
}

// envelope explains the document without its events, which are judged one by one: most of them are valid, and a schema
// costs far more than the fast path.
func (v Validator) envelope(x *explainer) {
	list, pointer := eventList(x.doc.root)
	if list == nil {
		x.judge(v.registry.root, x.doc.root, "")
		if v.rules != nil && !isDocument(x.doc.root) {
			v.rules.event(x, x.doc.root, "")
		}
		return
	}
	x.events = events{items: list.items, base: pointer}
	list.items = nil
	x.judge(v.registry.root, x.doc.root, "")
	list.items = x.events.items
	if v.rules != nil {
		v.rules.names(x, x.doc.root, list, "")
	}
}

// eventOf explains one event of a document.
func (v Validator) eventOf(x *explainer, event *node, pointer string) {
	if !x.valid && !v.registry.fast.isEvent(x.doc.data, event.start, nil) {
		x.explain(v.registry.event, event, pointer)
	}
	if v.rules != nil {
		v.rules.event(x, event, pointer)
	}
}

func (v Validator) hook() func(string) error {
	if v.rules == nil {
		return nil
	}
	return v.rules.CheckDigits
}

func isDocument(n *node) bool {
	t := n.get("type").str()
	return t == "EPCISDocument" || t == "EPCISQueryDocument"
}

// eventList returns the list of events of a document and its pointer, or nil.
func eventList(root *node) (*node, string) {
	body := root.get("epcisBody")
	switch root.get("type").str() {
	case "EPCISDocument":
		if list := body.get("eventList"); list != nil && list.kind == arrayKind {
			return list, "/epcisBody/eventList"
		}
	case "EPCISQueryDocument":
		if list := body.get("queryResults").get("resultsBody").get("eventList"); list != nil && list.kind == arrayKind {
			return list, "/epcisBody/queryResults/resultsBody/eventList"
		}
	}
	return nil, ""
}

// asFault is errors.As under a name that reads well here.
func asFault[T error](err error, target *T) bool { return errors.As(err, target) }
