package schemas

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Rules are the statements of EPCIS 2.0 that the ratified JSON Schema does not make. They are apart from the schema, so
// that a verdict can be of the schema alone; capture refuses what breaks a rule.
//
//   - An AggregationEvent with action ADD or DELETE has a parentID (section 7.4.3).
//   - No attribute stands both in sensorMetadata and in a sensorReport under it (section 7.3.7).
//   - A sensor observes nothing after the event, and its interval does not end before it starts (section 7.3.7).
//   - A quantity without uom is a count: a positive whole number; a uom without quantity says nothing (section 7.3.3.3).
//   - persistentDisposition has the same form in every event type (section 7.3.5.3).
//   - No object states a field twice: readers disagree which one counts (RFC 8785, section 3.1).
//   - The check digits of GS1 keys are right, as far as CheckDigits knows.
type Rules struct {
	// CheckDigits judges every identifier of a thing or place; nil checks none.
	CheckDigits func(id string) error

	persistent *schema
}

// event notes which rules the event n, which stands at base, breaks. Values of the wrong type are the schema's concern.
func (r *Rules) event(x *explainer, n *node, base string) {
	x.root, x.base = n, base
	r.parent(x, n)
	r.sensors(x, n)
	for _, list := range []string{"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"} {
		r.quantities(x, n.get(list), list)
	}
	r.names(x, n, nil, base)
	r.identifiers(x, n)
	switch n.get("type").str() {
	case "AggregationEvent", "TransactionEvent", "AssociationEvent":
		if p := n.get("persistentDisposition"); p != nil {
			x.explain(r.persistent, p, base+"/persistentDisposition")
		}
	}
}

// parent checks that an aggregation that is made or dissolved has a parent.
func (r *Rules) parent(x *explainer, n *node) {
	action := n.get("action").str()
	if n.get("type").str() != "AggregationEvent" || action != "ADD" && action != "DELETE" || n.get("parentID") != nil {
		return
	}
	f := newFault("rule.parent-required", "an AggregationEvent with action %s has no parentID", "action 为 %s 的 AggregationEvent 没有 parentID", action)
	f.Hint = "add \"parentID\": only action OBSERVE may leave the parent out, when it is not known"
	f.HintZh = "请加上 \"parentID\"：只有 action 为 OBSERVE 且父项未知时才可以不写"
	x.note(f, nil)
}

// sensors checks the sensor elements of an event.
func (r *Rules) sensors(x *explainer, n *node) {
	at, known := timeOf(n.get("eventTime"))
	list := n.get("sensorElementList")
	if list == nil {
		return
	}
	for i, element := range list.items {
		path := []string{"sensorElementList", strconv.Itoa(i)}
		metadata := element.get("sensorMetadata")
		r.interval(x, metadata, append(path, "sensorMetadata"))
		if known {
			r.notAfter(x, at, metadata, append(path, "sensorMetadata"))
		}
		reports := element.get("sensorReport")
		if reports == nil {
			continue
		}
		for j, report := range reports.items {
			where := append(path, "sensorReport", strconv.Itoa(j))
			r.statedTwice(x, metadata, report, where)
			if known {
				r.notAfter(x, at, report, where)
			}
		}
	}
}

// statedTwice checks that a report does not repeat what the metadata state for all reports.
func (r *Rules) statedTwice(x *explainer, metadata, report *node, path []string) {
	for _, name := range []string{"time", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod"} {
		if metadata.get(name) == nil || report.get(name) == nil {
			continue
		}
		f := newFault("rule.sensor-attribute-twice", "%q stands both in sensorMetadata and in this sensorReport", "%q 同时出现在 sensorMetadata 和这个 sensorReport 中", name)
		f.Hint = "state it in sensorMetadata if it holds for all reports, otherwise in each sensorReport"
		f.HintZh = "对全部报告都成立时写在 sensorMetadata 中，否则分别写在每个 sensorReport 中"
		x.note(f, append(path, name))
	}
}

// notAfter checks that nothing was observed after the event.
func (r *Rules) notAfter(x *explainer, event time.Time, n *node, path []string) {
	for _, name := range []string{"time", "startTime", "endTime"} {
		observed, ok := timeOf(n.get(name))
		if !ok || !observed.After(event) {
			continue
		}
		f := newFault("rule.sensor-after-event", "the sensor's %s is later than the eventTime", "传感器的 %s 晚于 eventTime", name)
		f.Hint = "eventTime is when the event was over: correct one of the two times or their zones"
		f.HintZh = "eventTime 是事件完成的时间：请更正其中一个时间或时区"
		x.note(f, append(path, name))
	}
}

// interval checks that an interval of observation does not run backwards.
func (r *Rules) interval(x *explainer, n *node, path []string) {
	start, ok := timeOf(n.get("startTime"))
	end, also := timeOf(n.get("endTime"))
	if !ok || !also || !end.Before(start) {
		return
	}
	f := newFault("rule.sensor-interval", "endTime is earlier than startTime", "endTime 早于 startTime")
	f.Hint, f.HintZh = "exchange or correct the two times", "请对调或更正这两个时间"
	x.note(f, append(path, "endTime"))
}

// quantities checks counts and measures.
func (r *Rules) quantities(x *explainer, list *node, name string) {
	if list == nil {
		return
	}
	for i, element := range list.items {
		quantity, uom := element.get("quantity"), element.get("uom")
		path := []string{name, strconv.Itoa(i)}
		switch {
		case quantity == nil && uom != nil:
			f := newFault("rule.uom-without-quantity", "there is a unit of measure but no quantity", "有计量单位，但没有数量")
			f.Hint, f.HintZh = "add \"quantity\", or remove \"uom\"", "请加上 \"quantity\"，或删除 \"uom\""
			x.note(f, append(path, "uom"))
		case quantity != nil && uom == nil && quantity.kind == numberKind && !isCount(quantity.text):
			f := newFault("rule.count", "without a unit of measure the quantity is a count of pieces; %s is not a positive whole number", "没有计量单位时数量表示件数；%s 不是正整数", scalar(quantity))
			f.Hint = "add \"uom\" (KGM for kilograms, LTR for litres), correct the number, or leave out a quantity that is not known"
			f.HintZh = "请加上 \"uom\"（千克 KGM、升 LTR），或更正数量；数量未知时不写"
			x.note(f, append(path, "quantity"))
		}
	}
}

// isCount reports whether a JSON number is a positive whole number, however it is written.
func isCount(number string) bool {
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && f > 0 && f == float64(int64(f))
}

// names checks that no object from n down, save skip, states a field twice.
func (r *Rules) names(x *explainer, n, skip *node, pointer string) {
	if n == skip {
		return
	}
	for i, item := range n.items {
		r.names(x, item, skip, pointer+"/"+strconv.Itoa(i))
	}
	seen := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		at := pointer + "/" + escapeToken(m.name)
		if seen[m.name] {
			f := newFault("rule.field-twice", "the field %q stands in this object twice", "字段 %q 在同一对象中出现两次", m.name)
			f.Hint, f.HintZh = "remove one of them: readers disagree which one counts", "请删除其中一个：不同程序取用的值不同"
			x.add(finding{offset: m.start, fault: f}, place{pointer: at})
		}
		seen[m.name] = true
		r.names(x, m.value, skip, at)
	}
}

// identifiers gives every identifier of a thing or place to CheckDigits.
func (r *Rules) identifiers(x *explainer, n *node) {
	if r.CheckDigits == nil {
		return
	}
	for _, path := range identifierPaths() {
		r.identifiersAt(x, n, path, nil)
	}
}

// identifierPaths returns where events name things and places; "*" is every item of a list.
func identifierPaths() [][]string {
	return [][]string{
		{"epcList", "*"}, {"childEPCs", "*"}, {"inputEPCList", "*"}, {"outputEPCList", "*"}, {"parentID"},
		{"quantityList", "*", "epcClass"}, {"childQuantityList", "*", "epcClass"},
		{"inputQuantityList", "*", "epcClass"}, {"outputQuantityList", "*", "epcClass"},
		{"readPoint", "id"}, {"bizLocation", "id"},
		{"sourceList", "*", "source"}, {"destinationList", "*", "destination"},
	}
}

func (r *Rules) identifiersAt(x *explainer, n *node, path, walked []string) {
	switch {
	case n == nil:
	case len(path) == 0:
		if n.kind != stringKind {
			return
		}
		if err := r.CheckDigits(n.text); err != nil {
			x.note(identifierFault(n.text, err), walked)
		}
	case path[0] == "*":
		for i, item := range n.items {
			r.identifiersAt(x, item, path[1:], append(slices.Clip(walked), strconv.Itoa(i)))
		}
	default:
		r.identifiersAt(x, n.get(path[0]), path[1:], append(slices.Clip(walked), path[0]))
	}
}

// identifierFault passes on what the check found, in its own words where it has them.
func identifierFault(id string, err error) *hub.Fault {
	var inner *hub.Fault
	if asFault(err, &inner) {
		f := *inner
		return &f
	}
	return &hub.Fault{
		Kind: hub.Invalid, Code: "rule.identifier",
		Message:   fmt.Sprintf("the identifier %s is wrong: %v", clip(id), err),
		MessageZh: fmt.Sprintf("标识 %s 有误：%v", clip(id), err),
	}
}

// timeOf returns the time that n states. A leap second counts as the second after it.
func timeOf(n *node) (time.Time, bool) {
	s := n.str()
	if !isDateTime(s) {
		return time.Time{}, false
	}
	leap := s[17:19] == "60"
	if leap {
		s = s[:17] + "59" + s[19:]
	}
	t, err := time.Parse("2006-01-02T15:04:05Z07:00", upperTZ(s))
	if err != nil {
		return time.Time{}, false
	}
	if leap {
		t = t.Add(time.Second)
	}
	return t, true
}

// upperTZ writes the letters of a date-time as time.Parse wants them.
func upperTZ(s string) string {
	b := []byte(s)
	b[10] = 'T'
	if b[len(b)-1] == 'z' {
		b[len(b)-1] = 'Z'
	}
	return string(b)
}
