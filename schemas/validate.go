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
}

// Validator validates with fixed options. It is safe for concurrent use.
type Validator struct {
	registry *Registry
	rules    *Rules
}

// With returns a validator with these options.
func (r *Registry) With(o ValidateOptions) Validator {
	v := Validator{registry: r}
	if o.Rules {
		v.rules = &Rules{CheckDigits: o.CheckDigits}
	}
	return v
}

// ValidateEvent is [Registry.ValidateEvent] with the validator's options.
func (v Validator) ValidateEvent(data []byte) error {
	doc, fault := parse(data)
	if fault != nil {
		return hub.Faults{fault}
	}
	return v.registry.event.explain(doc, doc.root).Err()
}

// ValidateDocument is [Registry.ValidateDocument] with the validator's options.
func (v Validator) ValidateDocument(data []byte) error {
	doc, fault := parse(data)
	if fault != nil {
		return hub.Faults{fault}
	}
	return v.registry.root.explain(doc, doc.root).Err()
}

// asFault is errors.As under a name that reads well here.
func asFault[T error](err error, target *T) bool { return errors.As(err, target) }
