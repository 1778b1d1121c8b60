package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// unknownFields reports the first of the fields that the object at p should not have.
func (x *explainer) unknownFields(e *jsonschema.ValidationError, p place, names []string) {
	unknown := make(map[string]bool, len(names))
	for _, name := range names {
		unknown[name] = true
	}
	reported := 0
	for _, m := range p.node.members {
		if unknown[m.name] && reported < maxFaults {
			x.unknownField(e, p, m)
			delete(unknown, m.name)
			reported++
		}
	}
}

// unknownField reports a field that the object does not have.
func (x *explainer) unknownField(e *jsonschema.ValidationError, p place, m member) {
	name, raw := m.name, x.texts.at(e.SchemaURL)
	known := slices.Compact(slices.Sorted(slices.Values(x.evaluated(e.SchemaURL, 0))))
	f := &hub.Fault{Kind: hub.Invalid, Code: "schema.unknown-field"}
	owner, ownerZh := ownerOf(p)
	f.Message = fmt.Sprintf("%q is not a field of %s", name, owner)
	f.MessageZh = fmt.Sprintf("%q 不是%s的字段", name, ownerZh)
	if len(known) > 0 && len(known) <= 8 {
		f.Message += ", which has " + quoteList(known)
		f.MessageZh += "，可用字段：" + quoteList(known)
	}
	meant := spelling.Nearest(name, known, spelling.Coded)
	if meant == "" {
		meant = shortFor(name, known)
	}
	if p.node.get(meant) != nil {
		meant = "" // the known field is there beside it
	}
	open := isOpen(raw)
	switch {
	case meant != "":
		f.Hint, f.HintZh = fmt.Sprintf("did you mean %q?", meant), fmt.Sprintf("是否指 %q？", meant)
	case isNote(name):
		f.Hint, f.HintZh = x.noteHint(open, isEPCIS(e.SchemaURL))
	default:
		f.Hint, f.HintZh = x.elsewhere(e.SchemaURL, name, open)
		wordsOf(raw).advise(f, name)
	}
	at := p
	at.pointer += "/" + escapeToken(name)
	x.add(finding{offset: m.start, fault: f, object: p.pointer, meant: meant}, at)
}

// shortFor returns the one known field whose name ends in name, as "epcisBody" does in "body", or "".
func shortFor(name string, known []string) string {
	found := ""
	for _, k := range known {
		if len(name) >= 4 && len(k) > len(name) && strings.EqualFold(k[len(k)-len(name):], name) {
			if found != "" {
				return ""
			}
			found = k
		}
	}
	return found
}

// elsewhere says where a field that is unknown here could stand.
func (x *explainer) elsewhere(schemaURL, name string, open bool) (hint, hintZh string) {
	if owners := x.eventsWith(schemaURL, name); len(owners) > 0 {
		list := strings.Join(owners, ", ")
		return fmt.Sprintf("%q is a field of %s; check the event's type, or remove the field", name, list),
			fmt.Sprintf("%q 是 %s 的字段；请检查事件的 type，或删除该字段", name, list)
	}
	if open {
		own, ownZh := x.ownName(name)
		return "remove it, or " + own, "请删除，或" + ownZh
	}
	return "remove it; this object takes no fields of your own", "请删除；这个对象不能带自定义字段"
}

// ownName says how a field of the sender's own is named, with the prefix that the document declares where it does.
func (x *explainer) ownName(name string) (own, ownZh string) {
	context := x.doc.root.get("@context")
	if context == nil { // an event whose document is not in sight
		return fmt.Sprintf("keep it under a namespace prefix that @context defines: \"example:%s\"", name),
			fmt.Sprintf("加上 @context 中定义的命名空间前缀：\"example:%s\"", name)
	}
	if prefix := ownPrefix(context); prefix != "" {
		return fmt.Sprintf("rename it %q, with the prefix that @context declares", prefix+":"+name),
			fmt.Sprintf("改名为 %q，使用 @context 中已声明的前缀", prefix+":"+name)
	}
	return fmt.Sprintf("rename it \"example:%s\" and add {\"example\": \"https://…/\"} to \"@context\"", name),
		fmt.Sprintf("改名为 \"example:%s\" 并在 \"@context\" 中加上 {\"example\": \"https://…/\"}", name)
}

// ownPrefix returns the first prefix that an @context declares beside those of the standard, or "".
func ownPrefix(context *node) string {
	parts := []*node{context}
	if context.kind == arrayKind {
		parts = context.items
	}
	for _, part := range parts {
		for _, m := range part.members {
			if m.value.kind == stringKind && !slices.Contains(standardPrefixes(), m.name) && schemeLength(m.name+":") > 0 {
				return m.name
			}
		}
	}
	return ""
}

// isEPCIS reports whether a schema is one of EPCIS.
func isEPCIS(schemaURL string) bool { return strings.HasPrefix(schemaURL, baseURL+"epcis/") }

// eventsWith returns the event types of EPCIS that have a field called name, when schemaURL is one of EPCIS.
func (x *explainer) eventsWith(schemaURL, name string) []string {
	const prefix = baseURL + "epcis/"
	if !strings.HasPrefix(schemaURL, prefix) || !strings.Contains(schemaURL, "-event.json#") {
		return nil
	}
	var owners []string
	for _, t := range eventTypes() {
		raw := x.texts.at(baseURL + "epcis/" + Version + "/" + t.file + "#")
		if slices.Contains(fieldsOf(raw), name) {
			owners = append(owners, t.name)
		}
	}
	return owners
}

// forbidden reports a value where the schema allows none: an unevaluated field, or one ruled out by name.
func (x *explainer) forbidden(e *jsonschema.ValidationError, p place) {
	n := len(e.InstanceLocation)
	if n == 0 || x.find(e.InstanceLocation[:n-1]).node.kind != objectKind {
		f := newFault("schema.refused", "%s is not allowed here", "此处不允许 %s", quote(p.node))
		x.add(finding{offset: p.offset, fault: f, value: true}, p)
		return
	}
	up, name := x.find(e.InstanceLocation[:n-1]), e.InstanceLocation[n-1]
	if owner, ok := strings.CutSuffix(e.SchemaURL, "/unevaluatedProperties"); ok {
		if slices.Contains(x.evaluated(owner, 0), name) {
			return // it is known; what failed is elsewhere, and reported there, or else is unexplained
		}
		of := *e
		of.SchemaURL = owner
		x.unknownFields(&of, up, []string{name})
		return
	}
	f := newFault("schema.unknown-field", "the field %q is not allowed here", "此处不允许字段 %q", name)
	f.Hint, f.HintZh = "remove it", "请删除"
	x.add(finding{offset: nameOffset(up.node, name), fault: f}, p)
}

// unexplained reports what failed where nothing says why: a field that the schema knows, but only beside a value that it
// does not have here.
func (x *explainer) unexplained(e *jsonschema.ValidationError) {
	p := x.find(e.InstanceLocation)
	f := newFault("schema.refused", "%s is not allowed here", "此处不允许 %s", quote(p.node))
	f.Hint, f.HintZh = "remove it, or correct it together with the fields beside it", "请删除，或连同旁边的字段一起更正"
	x.add(finding{offset: p.offset, fault: f, value: true}, p)
}

// evaluated returns the fields that the schema at url defines, itself or by what it is put together from.
func (x *explainer) evaluated(url string, depth int) []string {
	raw := x.texts.at(url)
	fields := fieldsOf(raw)
	if depth > 8 {
		return fields
	}
	if _, ok := raw["$ref"]; ok {
		target, _ := x.texts.resolve(url, raw)
		fields = append(fields, x.evaluated(target, depth+1)...)
	}
	for _, part := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := raw[part].([]any)
		for i := range list {
			fields = append(fields, x.evaluated(url+"/"+part+"/"+strconv.Itoa(i), depth+1)...)
		}
	}
	for _, part := range []string{"then", "else"} {
		if _, ok := raw[part]; ok {
			fields = append(fields, x.evaluated(url+"/"+part, depth+1)...)
		}
	}
	return fields
}

// eventType is an event type of EPCIS and the file of its schema.
type eventType struct{ name, file string }

func eventTypes() []eventType {
	return []eventType{
		{"ObjectEvent", "object-event.json"},
		{"AggregationEvent", "aggregation-event.json"},
		{"TransactionEvent", "transaction-event.json"},
		{"TransformationEvent", "transformation-event.json"},
		{"AssociationEvent", "association-event.json"},
	}
}

// fieldsOf returns the names of the fields that the schema raw defines, sorted.
func fieldsOf(raw map[string]any) []string {
	properties, _ := raw["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// isOpen reports whether the schema raw takes extension fields.
func isOpen(raw map[string]any) bool {
	patterns, _ := raw["patternProperties"].(map[string]any)
	_, ok := patterns[":"]
	return ok
}

// ownerOf says in words what the object at p is: its declared type, or what its schema is called.
func ownerOf(p place) (en, zh string) {
	if t := p.node.get("type").str(); strings.HasSuffix(t, "Event") || strings.HasSuffix(t, "Document") {
		return t, " " + t + " "
	}
	if p.pointer == "" {
		return "this object", "该对象"
	}
	tokens := strings.Split(p.pointer, "/")
	last := tokens[len(tokens)-1]
	if !isDigits(last) {
		return fmt.Sprintf("%q", last), fmt.Sprintf(" %q ", last)
	}
	list := tokens[len(tokens)-2]
	if list == "" || isDigits(list) {
		return "this object", "该对象"
	}
	return fmt.Sprintf("an entry of %q", list), fmt.Sprintf(" %q 条目", list)
}

// isNote reports whether a field name looks like a remark of its author.
func isNote(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "//") || strings.HasPrefix(name, "#") ||
		strings.Contains(lower, "comment") || lower == "note" || lower == "notes" || lower == "remark"
}

func (x *explainer) noteHint(open, epcis bool) (hint, hintZh string) {
	switch {
	case open && epcis: // rdfs is a prefix of the standard's own context
		return "JSON has no comments: remove the field, or rename it \"rdfs:comment\"", "JSON 没有注释：请删除该字段，或改名为 \"rdfs:comment\""
	case open:
		own, ownZh := x.ownName("comment")
		return "JSON has no comments: remove the field, or " + own, "JSON 没有注释：请删除该字段，或" + ownZh
	}
	return "JSON has no comments: remove the field", "JSON 没有注释：请删除该字段"
}
