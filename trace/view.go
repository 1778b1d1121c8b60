package trace

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// View is what a trace and a page read of an event's body beyond its facets.
type View struct {
	// EventTimeZoneOffset is as stated, such as "+08:00".
	EventTimeZoneOffset string
	// Transactions are the business transaction ids by type; the type may be empty.
	Transactions []Typed
	// Master is the event's instance or lot master data (ilmd) by local name, without prefixes.
	Master map[string]string
	// Extensions are the event's own extension values by local name, without prefixes.
	Extensions map[string]string
	// Declaration is true for an error declaration.
	Declaration bool
}

// Typed is a value with its CBV type.
type Typed struct{ Type, Value string }

// body is the part of an EPCIS event that a view reads.
type body struct {
	Offset       string                     `json:"eventTimeZoneOffset"`
	Transactions []transaction              `json:"bizTransactionList"`
	ILMD         map[string]json.RawMessage `json:"ilmd"`
	Declaration  json.RawMessage            `json:"errorDeclaration"`
}

type transaction struct {
	Type  string `json:"type"`
	Value string `json:"bizTransaction"`
}

// ViewOf reads an event's body. A body that the store holds parses; if it does not, the view is empty.
func ViewOf(e hub.Event) View {
	var b body
	var all map[string]json.RawMessage
	if json.Unmarshal(e.Body, &b) != nil || json.Unmarshal(e.Body, &all) != nil {
		return View{}
	}
	v := View{
		EventTimeZoneOffset: b.Offset, Declaration: len(b.Declaration) > 0,
		Master: locals(b.ILMD), Extensions: map[string]string{},
	}
	for _, t := range b.Transactions {
		v.Transactions = append(v.Transactions, Typed(t))
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return !strings.Contains(name, ":") })
	maps.Copy(v.Extensions, locals(all))
	return v
}

// locals returns scalar values by the part of their name after the prefix.
func locals(m map[string]json.RawMessage) map[string]string {
	out := make(map[string]string, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		local := name[strings.LastIndexAny(name, ":/#")+1:]
		var text string
		if json.Unmarshal(m[name], &text) == nil {
			out[local] = text
			continue
		}
		var n json.Number
		if json.Unmarshal(m[name], &n) == nil {
			out[local] = fmt.Sprint(n)
		}
	}
	return out
}
