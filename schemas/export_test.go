package schemas

import "github.com/suyuan-io/suyuan/hub"

// FastEvent reports whether the fast path calls data a valid event.
func (r *Registry) FastEvent(data []byte) bool {
	valid, _ := r.fast.onlyEvent(data, nil)
	return valid
}

// FastDocument reports whether the fast path calls data a valid document or event with a context.
func (r *Registry) FastDocument(data []byte) bool {
	valid, _ := r.fast.isRoot(data, nil)
	return valid
}

// FastNeedsNoRules reports whether the fast path calls data a valid event that breaks none of the rules.
func (r *Registry) FastNeedsNoRules(data []byte) bool {
	valid, look := r.fast.onlyEvent(data, nil)
	return valid && !look
}

// SchemaEvent and SchemaDocument are the verdicts of the schema alone.
func (r *Registry) SchemaEvent(data []byte) bool { return r.schemaSays(r.event, data) }

func (r *Registry) SchemaDocument(data []byte) bool { return r.schemaSays(r.root, data) }

func (r *Registry) schemaSays(s *schema, data []byte) bool {
	doc, fault := parse(data)
	return fault == nil && s.compiled.Validate(doc.root.value()) == nil
}

// RulesOfEvent returns what the rules say of data, whatever the fast path does.
func (r *Registry) RulesOfEvent(data []byte) error {
	doc, fault := parse(data)
	if fault != nil {
		return fault
	}
	x := newExplainer(doc)
	(&Rules{persistent: r.persistent}).event(x, doc.root, "")
	return x.report().Err()
}

var (
	IsURI      = isURI[string]
	IsDateTime = isDateTime[string]
)

// ParseJSON reads data as the package reads all JSON.
func ParseJSON(data []byte) (any, *hub.Fault) {
	doc, fault := parse(data)
	if fault != nil {
		return nil, fault
	}
	return doc.root.value(), nil
}
