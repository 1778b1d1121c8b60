package mapping

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// yamlText writes a tree as YAML, in the order in which people read an event: what, when, which, where, why, how.
func yamlText(v any) string {
	var b strings.Builder
	writeYAML(&b, v, 0, false)
	return b.String()
}

// readingOrder ranks the fields of an event; others follow by name.
func readingOrder(key string) int {
	order := []string{"@context", "type", "eventID", "eventTime", "eventTimeZoneOffset", "action", "parentID", "transformationID", "epcList", "childEPCs",
		"quantityList", "childQuantityList", "inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList", "epcClass", "quantity", "uom",
		"bizStep", "disposition", "persistentDisposition", "readPoint", "bizLocation", "id", "bizTransactionList", "bizTransaction", "sourceList", "source",
		"destinationList", "destination", "sensorElementList", "ilmd"}
	if i := slices.Index(order, key); i >= 0 {
		return i
	}
	return len(order)
}

func readingKeys(m map[string]any) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(a, b string) int { return readingOrder(a) - readingOrder(b) })
	return keys
}

// writeYAML writes v at an indent of blanks; inline is true after "- ", where the first key stands on the same line.
func writeYAML(b *strings.Builder, v any, indent int, inline bool) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case map[string]any:
		for i, k := range readingKeys(v) {
			if i > 0 || !inline {
				b.WriteString(pad)
			}
			b.WriteString(scalarYAML(k) + ":")
			writeMember(b, v[k], indent)
		}
	case []any:
		for i, item := range v {
			if i > 0 || !inline {
				b.WriteString(pad)
			}
			b.WriteString("- ")
			if nested(item) {
				writeYAML(b, item, indent+2, true)
			} else {
				b.WriteString(leafYAML(item) + "\n")
			}
		}
	default:
		b.WriteString(pad + leafYAML(v) + "\n")
	}
}

func writeMember(b *strings.Builder, v any, indent int) {
	if !nested(v) {
		b.WriteString(" " + leafYAML(v) + "\n")
		return
	}
	b.WriteByte('\n')
	writeYAML(b, v, indent+2, false)
}

// nested reports whether v takes lines of its own.
func nested(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func leafYAML(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return string(v)
	case int:
		return strconv.Itoa(v)
	case string:
		return scalarYAML(v)
	case []any:
		return "[]"
	}
	return "{}"
}

// scalarYAML quotes what YAML would not read back as the same text.
func scalarYAML(s string) string {
	if s == "" || s != strings.TrimSpace(s) || strings.ContainsAny(s[:1], "!&*-?|>@`%{}[]#,'\"=:\\~.+0123456789") || strings.ContainsAny(s, "\"\\#{}[],") ||
		strings.Contains(s, ": ") || strings.HasSuffix(s, ":") || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0xfeff }) {
		return jsonText(s)
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return jsonText(s)
	}
	return s
}

// jsonText quotes s as JSON does, which YAML reads too, without escaping < > and &.
func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
