package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

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

func noteHint(open bool) (hint, hintZh string) {
	if open {
		return "JSON has no comments: remove the field, or keep it as an extension with a prefix that @context defines, such as \"example:comment\"",
			"JSON 没有注释：请删除该字段，或加上 @context 中定义的前缀作为扩展字段，例如 \"example:comment\""
	}
	return "JSON has no comments: remove the field", "JSON 没有注释：请删除该字段"
}

// exampleOf returns how a field of EPCIS is usually written, as JSON, or "".
func exampleOf(name string) string {
	switch name {
	case "@context":
		return `"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"`
	case "action":
		return `"OBSERVE"`
	case "eventTime", "creationDate", "declarationTime":
		return `"2026-01-31T08:30:00+08:00"`
	case "eventTimeZoneOffset":
		return `"+08:00"`
	case "schemaVersion":
		return `"2.0"`
	case "epcisBody":
		return `{"eventList": [ … ]}`
	case "eventList":
		return `[ {"type": "ObjectEvent", … } ]`
	case "bizTransactionList":
		return `[ {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:…"} ]`
	case "sensorReport":
		return `[ {"type": "Temperature", "value": 4.5, "uom": "CEL"} ]`
	case "epcClass":
		return `"urn:epc:class:lgtin:…"`
	case "parentID":
		return `"urn:epc:id:sscc:…"`
	}
	return ""
}

// exampleFrom makes an example from the schema of a value, or returns "".
func exampleFrom(raw map[string]any) string {
	if c, ok := raw["const"]; ok {
		return marshal(c)
	}
	for _, key := range []string{"examples", "enum"} {
		if list, ok := raw[key].([]any); ok && len(list) > 0 {
			return marshal(list[0])
		}
	}
	if d, ok := raw["default"]; ok {
		return marshal(d)
	}
	switch raw["format"] {
	case "date-time":
		return `"2026-01-31T08:30:00+08:00"`
	case "date":
		return `"2026-01-31"`
	case "uri":
		return `"https://id.gs1.org/…"`
	}
	return ""
}
