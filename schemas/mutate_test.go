package schemas_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/suyuan-io/suyuan/schemas"
)

// shared is one registry for all tests: compiling the schemas costs more than most tests do.
var shared = sync.OnceValues(schemas.Open)

func open(tb testing.TB) *schemas.Registry {
	tb.Helper()
	reg, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return reg
}

// mutate returns data with one or two changes, each a mistake that a sender could make. Data that is not JSON is
// returned as it is.
func mutate(tb testing.TB, data []byte, r *rand.Rand) []byte {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return data
	}
	for range 1 + r.IntN(2) {
		v = mutateValue(v, r)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// mutateValue walks down a random path and changes what it finds at its end.
func mutateValue(v any, r *rand.Rand) any {
	switch c := v.(type) {
	case map[string]any:
		if len(c) > 0 && r.IntN(6) != 0 {
			name := pick(r, slices.Sorted(maps.Keys(c)))
			c[name] = mutateValue(c[name], r)
			return c
		}
		return mutateObject(c, r)
	case []any:
		if len(c) > 0 && r.IntN(6) != 0 {
			i := r.IntN(len(c))
			c[i] = mutateValue(c[i], r)
			return c
		}
		return mutateList(c, r)
	}
	if old, ok := v.(string); ok && r.IntN(2) == 0 {
		return kin(old, r)
	}
	return value(r)
}

// kin returns a text that looks like old, and so is likely to be valid in its place.
func kin(old string, r *rand.Rand) string {
	alike := slices.DeleteFunc(texts(), func(s string) bool {
		return strings.Contains(s, ":") != strings.Contains(old, ":") || (s != "" && old != "") && digit(s[0]) != digit(old[0]) ||
			strings.Contains(s, "_") != strings.Contains(old, "_")
	})
	if len(alike) == 0 {
		return old
	}
	return pick(r, alike)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func mutateObject(c map[string]any, r *rand.Rand) any {
	names := slices.Sorted(maps.Keys(c))
	switch n := r.IntN(8); {
	case n < 3 && len(names) > 0:
		delete(c, pick(r, names))
	case n == 3 && len(names) > 0:
		old := pick(r, names)
		v := c[old]
		delete(c, old)
		c[pick(r, fieldNames())] = v
	case n < 7:
		c[pick(r, fieldNames())] = value(r)
	default:
		return value(r)
	}
	return c
}

func mutateList(c []any, r *rand.Rand) any {
	switch n := r.IntN(5); {
	case n == 0:
		return []any{}
	case n == 1 && len(c) > 0:
		return append(c, c[r.IntN(len(c))])
	case n == 2 && len(c) > 0:
		i := r.IntN(len(c))
		return append(c[:i:i], c[i+1:]...)
	case n == 3:
		return append(c, value(r))
	}
	return value(r)
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func fieldNames() []string {
	return []string{
		"@context", "type", "id", "eventID", "eventTime", "eventTimeZoneOffset", "recordTime", "certificationInfo",
		"errorDeclaration", "action", "bizStep", "disposition", "persistentDisposition", "readPoint", "bizLocation",
		"bizTransactionList", "sourceList", "destinationList", "sensorElementList", "epcList", "quantityList", "parentID",
		"childEPCs", "childQuantityList", "inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList",
		"transformationID", "ilmd", "set", "unset", "uom", "quantity", "epcClass", "source", "destination", "sensorReport",
		"sensorMetadata", "value", "component", "time", "exception", "hexBinaryValue", "booleanValue", "reason",
		"correctiveEventIDs", "declarationTime", "schemaVersion", "creationDate", "epcisBody", "eventList", "queryResults",
		"queryName", "resultsBody", "vocabularyList", "attributes", "children", "attribute",
		"example:colour", "http://ns.example.com/colour", "example:not a uri", "comment", "", "ünïcode", "a:b:c", "1:b", "%zz:x",
	}
}

// value returns a fresh value: the ordinary, the borderline and the absurd.
func value(r *rand.Rand) any {
	if r.IntN(3) > 0 {
		return pick(r, texts())
	}
	switch r.IntN(12) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return json.Number(pick(r, []string{"0", "-1", "1.5", "200", "1e3", "-0", "1E-400", "123456789012345678901234567890"}))
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{value(r), value(r)}
	case 6:
		return map[string]any{pick(r, fieldNames()): value(r)}
	case 7:
		return map[string]any{"id": "urn:epc:id:sgln:0614141.00777.0"}
	case 8:
		return map[string]any{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": json.Number("2")}
	case 9:
		return []any{"urn:epc:id:sscc:0614141.1234567890", "urn:epc:id:sscc:0614141.1234567890"}
	case 10:
		return []any{map[string]any{"type": pick(r, texts()), "bizTransaction": pick(r, texts())}}
	}
	return map[string]any{"set": []any{pick(r, texts())}}
}

func texts() []string {
	return []string{
		"", " ", "x", "ADD", "OBSERVE", "DELETE", "add", "ObjectEvent", "AggregationEvent", "TransactionEvent",
		"TransformationEvent", "AssociationEvent", "EPCISDocument", "EPCISQueryDocument", "example:OwnEvent", "OwnEvent",
		"shipping", "commissioning", "in_transit", "active", "po", "desadv", "owning_party", "location", "did_not_occur",
		"Temperature", "ALARM_CONDITION", "x", "latitude", "urn:epcglobal:cbv:bizstep:shipping",
		"urn:epcglobal:cbv:disp:active", "https://ns.gs1.org/cbv/BizStep-shipping", "http://ns.gs1.org/cbv/Disp-active",
		"https://gs1.org/voc/Temperature", "http://www.gs1.org/voc/Temperature", "https://ref.gs1.org/cbv/BizStep-shipping",
		"gs1:Temperature", "example:own", "urn:epc:id:sgtin:0614141.107346.2018", "https://id.gs1.org/01/09521321000013/21/9",
		"https://example.com/a b", "https://例.example/x", "https://example.com/%zz", "https://example.com/%20", "abc:", "abc:/",
		"urn:x#a#b", "https://[::1]:80/x", "https://[::g]/", "https://u@h:1/?q#f", "https://h:port/", "1abc:x",
		"2026-01-31T08:30:00+08:00", "2026-01-31T08:30:00Z", "2026-02-30T08:30:00Z", "2026-01-31 08:30:00Z",
		"2026-01-31T08:30:00", "2026-01-31t08:30:00.123456789z", "2016-12-31T23:59:60Z", "2016-12-31T23:58:60Z",
		"2017-01-01T07:59:60+08:00", "2026-01-31T24:00:00Z", "2026-01-31T08:30:00.Z", "2026-01-31T08:30:00+0800",
		"+08:00", "-13:59", "+14:00", "-14:00", "+14:01", "+14:30", "08:00", "Z", "+8:00", "KGM", "KG", "K", "kgm", "KGMM",
		"2.0", "2", "2.", ".2", "2..0", "v2", "f0F0", "f0g0", "quote\"backslash\\slash/", "line\nbreak", "tab\t", "汉字", "\u2028",
	}
}
