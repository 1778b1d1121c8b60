package mapping

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// event is one entry of events:.
type event struct {
	loop   *loop
	object *objectBuilder
	id     int
	target string
	// needs are the fields without which there is no event.
	needs []need
	// derive is true when the offset is taken from eventTime.
	derive bool
}

type need struct {
	field string
	site  *site
	from  *expr
}

func (l *loader) events(n *node) {
	if n == nil {
		return
	}
	if n.shape != listShape {
		l.fail(n, problem("mapping.shape", "events is a list", "events 应为列表").hint("begin each event with  - event:", "每个事件以  - event:  开头"))
		return
	}
	for i, item := range n.items {
		target := indexed("events", i)
		if !l.object(item, bilingual{"an entry of events", "events 的条目"}, "name", "when", "each", "as", "event") {
			continue
		}
		tree := item.get("event")
		if tree == nil || tree.shape != objectShape {
			l.fail(item, problem("mapping.shape", "an entry of events needs event: with the fields of the event under it", "events 的条目需要 event:，并在其下写事件字段"))
			continue
		}
		lp, leave := l.loop(item, target)
		e := l.event(tree, target)
		leave()
		if lp == nil || e == nil {
			continue
		}
		e.loop, e.id = lp, l.branch(item, "event", target)
		l.m.events = append(l.m.events, e)
	}
}

// event compiles the template of one event.
func (l *loader) event(n *node, target string) *event {
	eventType := ""
	if t := n.get("type"); t != nil && t.shape == textShape && !strings.HasPrefix(t.text, "=") {
		eventType = t.text
	}
	fine := l.checkEvent(n, eventType)
	l.prefixes = map[string]bool{}
	members, built := l.members(n, eventSpec(eventType), target)
	if !fine || !built {
		return nil
	}
	e := &event{object: &objectBuilder{members: members}, target: target, derive: n.get("eventTimeZoneOffset") == nil}
	for _, field := range []string{"type", "eventTime", "action"} {
		if f := n.get(field); f != nil {
			e.needs = append(e.needs, need{field, l.site(f, join(target, field)), from(members, field)})
		}
	}
	if used := l.used(n); len(used) > 0 {
		e.object.members = placed(append(members, member{key: "@context", piece: fixed([]any{used})}))
	}
	return e
}

// from returns the expression of a field, or nil for a constant.
func from(members []member, field string) *expr {
	for _, m := range members {
		if m.key == field {
			return m.from
		}
	}
	return nil
}

// used returns the declared prefixes that occur in an event, in its keys or in its values.
func (l *loader) used(n *node) epcis.Members {
	var out epcis.Members
	for prefix, address := range l.m.context {
		if l.prefixes[prefix] || mentions(n, prefix+":") {
			out = out.With(prefix, address)
		}
	}
	return out
}

// mentions reports whether a text under n holds s.
func mentions(n *node, s string) bool {
	return strings.Contains(n.text, s) ||
		slices.ContainsFunc(n.items, func(it *node) bool { return mentions(it, s) }) ||
		slices.ContainsFunc(n.pairs, func(p pair) bool { return mentions(p.value, s) })
}

// checkEvent reports what every event must have.
func (l *loader) checkEvent(n *node, eventType string) bool {
	before := len(l.faults)
	if t := n.get("type"); t == nil {
		l.fail(n, problem("mapping.missing-field", "the event has no type", "事件没有 type").
			hint("add type: with one of %s", "请添加 type:，取值为 %s 之一", strings.Join(eventTypes(), ", ")))
	} else if eventType != "" && !slices.Contains(eventTypes(), eventType) && !strings.Contains(eventType, ":") {
		l.fail(t, problem("mapping.word", "%q is no EPCIS event type", "%q 不是 EPCIS 事件类型", eventType).suggest(eventType, eventTypes()))
	}
	if n.get("eventTime") == nil && !near(n, "eventTime") {
		l.fail(n, problem("mapping.missing-field", "the event has no eventTime", "事件没有 eventTime").
			hint("add for example  eventTime: \"= ts(row.time, 'yyyyMMddHHmmss')\"; its offset is derived", "例如添加  eventTime: \"= ts(row.time, 'yyyyMMddHHmmss')\"，时区偏移会自动得出"))
	}
	needsAction := eventType != "" && eventType != "TransformationEvent" && slices.Contains(eventTypes(), eventType)
	if needsAction && n.get("action") == nil && !near(n, "action") {
		l.fail(n, problem("mapping.missing-field", "the %s has no action", "%s 没有 action", eventType).
			hint("add action: with ADD (it comes into being or is added), OBSERVE (it is seen) or DELETE (it ends or is removed)", "请添加 action:，取值 ADD（产生或加入）、OBSERVE（观察到）或 DELETE（终结或移除）"))
	}
	return len(l.faults) == before
}

// near reports whether a key of n is probably meant to be field, which another fault says.
func near(n *node, field string) bool {
	return slices.ContainsFunc(n.pairs, func(p pair) bool { return spelling.Nearest(p.key, []string{field}, spelling.Typed) != "" })
}

// make builds one event.
func (e *event) make(s *scope) (epcis.Members, error) {
	s.hit(e.id)
	out, err := e.object.fill(s, 2) // eventTimeZoneOffset, and the eventID that the pipeline adds
	if err != nil {
		return nil, err
	}
	for i := range e.needs {
		if n := &e.needs[i]; out.Get(n.field) == nil {
			return nil, s.raise(n.site, n.from, problem("map.missing", "the event would have no %s: its value is empty", "事件将缺少 %s：其值为空", n.field).
				hint("leave such records out with when: or skip:", "请用 when: 或 skip: 排除此类记录"))
		}
	}
	if e.derive {
		t, _ := out.Get("eventTime").(string)
		offset, _ := offsetOf(t)
		out = out.With("eventTimeZoneOffset", offset)
	}
	return out, nil
}

// skip is one entry of skip:.
type skip struct {
	cond   *expr
	reason string
	id     int
}

func (l *loader) skips(n *node) {
	if n == nil {
		return
	}
	if n.shape != listShape {
		l.fail(n, problem("mapping.shape", "skip is a list", "skip 应为列表").hint("write  - when: \"= …\"  and below it  reason: …", "请写  - when: \"= …\"，下一行  reason: …"))
		return
	}
	for i, item := range n.items {
		if !l.object(item, bilingual{"an entry of skip", "skip 的条目"}, "when", "reason") {
			continue
		}
		cond, reason := item.get("when"), item.get("reason")
		if cond == nil {
			l.fail(item, problem("mapping.unreachable", "without when: every record is skipped, and nothing below is ever reached", "没有 when: 会跳过所有记录，其后的内容永远不会执行").
				hint("add when: \"= …\"", "请添加 when: \"= …\""))
			continue
		}
		if reason == nil || reason.shape != textShape || strings.TrimSpace(reason.text) == "" {
			l.fail(item, problem("mapping.shape", "a skip needs a reason", "skip 需要 reason").hint("say in reason: why such records mean nothing; it is shown with the record", "请在 reason: 中说明此类记录为何无意义，该说明会随记录显示"))
			continue
		}
		if e := l.when(cond, indexed("skip", i)); e != nil {
			l.m.skips = append(l.m.skips, &skip{cond: e, reason: reason.text, id: l.branch(item, "skip", indexed("skip", i))})
		}
	}
}

// master is one entry of master:.
type master struct {
	loop       *loop
	kind       hub.StatementKind
	ident      *piece
	identSite  *site
	attributes *objectBuilder
	id         int
}

func masterKinds() map[string]hub.StatementKind {
	return map[string]hub.StatementKind{"product": hub.AboutProduct, "party": hub.AboutParty, "place": hub.AboutPlace, "alias": hub.AboutAlias}
}

func (l *loader) masters(n *node) {
	if n == nil {
		return
	}
	if n.shape != listShape {
		l.fail(n, problem("mapping.shape", "master is a list", "master 应为列表").hint("begin each entry with  - product: \"= row.gtin\"", "每个条目以  - product: \"= row.gtin\"  开头"))
		return
	}
	for i, item := range n.items {
		if l.object(item, bilingual{"an entry of master", "master 的条目"}, "product", "party", "place", "alias", "when", "each", "as", "attributes") {
			l.master(item, indexed("master", i))
		}
	}
}

func (l *loader) master(n *node, target string) {
	m := &master{}
	var ident *node
	for _, word := range sortedKeys(masterKinds()) {
		if v := n.get(word); v != nil && ident == nil {
			ident, m.kind = v, masterKinds()[word]
		} else if v != nil {
			l.fail(v, problem("mapping.shape", "an entry of master is about one thing", "master 的一个条目只能描述一种对象").hint("write two entries", "请写成两个条目"))
		}
	}
	attributes := n.get("attributes")
	if ident == nil || attributes == nil || attributes.shape != objectShape {
		l.fail(n, problem("mapping.shape", "an entry of master needs product:, party:, place: or alias: with its id, and attributes: with keys and values", "master 的条目需要 product:、party:、place: 或 alias: 及其标识，以及 attributes: 键值对"))
		return
	}
	if m.kind == hub.AboutAlias && attributes.get("id") == nil {
		l.fail(attributes, problem("mapping.missing-field", "an alias needs attributes: id, the identity that it stands for", "alias 需要 attributes: id，即其所代表的标识").hint("for example  id: \"= sgtin(row.gtin, row.serial)\"", "例如  id: \"= sgtin(row.gtin, row.serial)\""))
	}
	lp, leave := l.loop(n, target)
	defer leave()
	m.ident = l.value(ident, plainText(), target)
	m.identSite = l.site(ident, target)
	fields := map[string]*spec{}
	for i := range attributes.pairs {
		fields[attributes.pairs[i].key] = plainText()
	}
	members, fine := l.members(attributes, closed(fields), target+".attributes")
	if lp == nil || m.ident == nil || !fine {
		return
	}
	m.loop, m.attributes, m.id = lp, &objectBuilder{members: members}, l.branch(n, "master", target)
	l.m.masters = append(l.m.masters, m)
}

// make builds one statement.
func (m *master) make(s *scope) (hub.Statement, error) {
	s.hit(m.id)
	v, err := m.ident.build(s)
	if err != nil {
		return hub.Statement{}, err
	}
	id, _ := v.(string)
	if id = strings.TrimSpace(id); id == "" {
		return hub.Statement{}, s.raise(m.identSite, m.ident.from, problem("map.missing", "the id of the master data is empty", "主数据的标识为空").
			hint("leave such records out with when:", "请用 when: 排除此类记录"))
	}
	if m.kind != hub.AboutAlias {
		if id, err = masterID(m.kind, id); err != nil {
			return hub.Statement{}, s.raise(m.identSite, m.ident.from, gs1Trouble(err, -1))
		}
	}
	fields, err := m.attributes.fill(s, 0)
	if err != nil {
		return hub.Statement{}, err
	}
	out := hub.Statement{Kind: m.kind, ID: id, Provider: s.in.Provider, StatedAt: s.in.ReceivedAt.UTC(), Attributes: make(map[string]string, len(fields))}
	for _, f := range fields {
		out.Attributes[f.Name], _ = text(f.Value)
	}
	return out, nil
}

// masterID returns the canonical id of what a bare key stands for: digits are a GTIN for a product, a GLN otherwise.
func masterID(kind hub.StatementKind, id string) (string, error) {
	if canonical, ok := gs1.Canonical(id); ok {
		return canonical, nil
	}
	if strings.Trim(id, "0123456789") != "" {
		return id, nil
	}
	switch kind {
	case hub.AboutProduct:
		return gs1.GTIN(id)
	case hub.AboutParty:
		return gs1.PGLN(id)
	case hub.AboutPlace:
		return gs1.SGLN(id, "")
	case hub.AboutAlias:
	}
	return id, nil
}
