package schemas

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/suyuan-io/suyuan/hub"
)

// missing reports a required field that is not there.
func (x *explainer) missing(e *jsonschema.ValidationError, p place, name, because string) {
	f := &hub.Fault{
		Kind: hub.Invalid, Code: "schema.required",
		Message:   fmt.Sprintf("the field %q is missing", name),
		MessageZh: fmt.Sprintf("缺少字段 %q", name),
	}
	if because != "" {
		f.Message += fmt.Sprintf("; it is required beside %q", because)
		f.MessageZh += fmt.Sprintf("；有 %q 时必须提供", because)
	}
	f.Hint, f.HintZh = x.addField(e.SchemaURL, name)
	wordsOf(x.texts.at(e.SchemaURL)).advise(f, name)
	x.add(finding{offset: p.offset, fault: f, object: p.pointer, missing: name}, p)
}

// addField says how the missing field is written, from the schema of its value.
func (x *explainer) addField(schemaURL, name string) (hint, hintZh string) {
	properties, _ := x.texts.at(schemaURL)["properties"].(map[string]any)
	property, _ := properties[name].(map[string]any)
	_, property = x.texts.resolve(schemaURL, property)
	example := exampleFrom(property)
	if strings.HasPrefix(schemaURL, baseURL) {
		if usual := exampleOf(name); usual != "" {
			example = usual
		}
	}
	if example == "" {
		return fmt.Sprintf("add %q", name), fmt.Sprintf("请加上 %q", name)
	}
	return fmt.Sprintf("add it, for example %q: %s", name, example), fmt.Sprintf("请加上，例如 %q: %s", name, example)
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
