package epcis

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// The functions below say how to mend what the check of an XML document found.

// advise adds a hint in both languages.
func advise(f *hub.Fault, en, zh string) { f.Hint, f.HintZh = en, zh }

// unexpected refuses an element that may not stand where it does.
func (c *xmlChecker) unexpected(parent *frame, n xmlName, at hub.Where) {
	m := parent.model
	i := slices.IndexFunc(m.particles, func(p particle) bool { return p.wildcard == "" && p.name == n.local })
	if i >= 0 && c.spaceOf(&m.particles[i]) != n.space {
		c.wrongNamespace(n, c.spaceOf(&m.particles[i]), at)
		return
	}
	f := c.report(at, "<%s> is not expected here in <%s>; allowed is %s", "<%s> 不应出现在 <%s> 的这个位置；允许的是 %s", n.local,
		parent.name.local, c.expected(parent))
	switch {
	case i >= 0 && m.choice:
		advise(f, "only one element may stand here: remove the others", "此处只能有一个元素：请删除其余的")
	case i >= 0 && i == parent.at && parent.count > 0:
		advise(f, "it may stand once: remove one of them", "该元素只能出现一次：请删除多余的")
	case i >= 0 && i <= parent.at:
		last := m.particles[parent.at].name
		advise(f, "the order of elements is fixed: move it before <"+last+">", "元素的顺序是固定的：请移到 <"+last+"> 之前")
	case i >= 0:
		first := c.required(parent)
		advise(f, "the order of elements is fixed: "+first+" comes first", "元素的顺序是固定的："+first+" 应在它之前")
	default:
		c.adviseUnknown(f, parent, n)
	}
}

// spaceOf is the namespace of a particle.
func (c *xmlChecker) spaceOf(p *particle) string {
	if p.space == querySpace {
		return c.query
	}
	return p.space
}

// wrongNamespace refuses an element whose name is right but for its namespace.
func (c *xmlChecker) wrongNamespace(n xmlName, want string, at hub.Where) {
	if want != "" {
		prefix := "epcis"
		if strings.Contains(want, "query") {
			prefix = "epcisq"
		} else if !epcisSpace(want) {
			prefix = "sbdh"
		}
		name := "<" + prefix + ":" + n.local + " xmlns:" + prefix + `="` + want + `">`
		advise(c.report(at, "<%s> lacks its namespace", "<%s> 缺少命名空间", n.local), "write "+name, "请写 "+name)
		return
	}
	f := c.report(at, "<%s> is in the namespace %q, but elements within a document have none",
		"<%s> 带有命名空间 %q，而文档内部的元素不带命名空间", n.local, n.space)
	if n.prefix != "" {
		advise(f, "write <"+n.local+"> without the prefix "+n.prefix, "请写 <"+n.local+">，去掉前缀 "+n.prefix)
		return
	}
	outermost := `<epcis:EPCISDocument xmlns:epcis="` + n.space + `">`
	advise(f, `in place of xmlns="…" declare a prefix that only the outermost element has: `+outermost,
		`请不要用 xmlns="…"，而只给最外层元素加前缀：`+outermost)
}

// adviseUnknown says what to do with an element that the parent does not know.
func (c *xmlChecker) adviseUnknown(f *hub.Fault, parent *frame, n xmlName) {
	var known []string
	wild := false
	for _, p := range parent.model.particles {
		if p.wildcard == "" && p.name != "" {
			known = append(known, p.name)
		}
		wild = wild || p.wildcard == "other"
	}
	near := spelling.Nearest(n.local, known, spelling.Typed)
	switch own := `<example:` + n.local + ` xmlns:example="https://…/">`; {
	case near != "":
		advise(f, "did you mean <"+near+">?", "是否指 <"+near+">？")
	case n.space != "" && wild:
		advise(f, "elements of your own stand behind all others: move it to the end of <"+parent.name.local+">",
			"自定义元素放在所有标准元素之后：请移到 <"+parent.name.local+"> 的末尾")
	case wild:
		advise(f, "remove it, or give it a namespace of your own and move it to the end of <"+parent.name.local+">: "+own,
			"请删除，或使用自己的命名空间并移到 <"+parent.name.local+"> 的末尾："+own)
	default:
		advise(f, "use one of those that are allowed, or remove it", "请改用允许的元素，或删除")
	}
}

// required names the first elements that have to come next in a frame.
func (c *xmlChecker) required(f *frame) string {
	count := f.count
	for i := f.at; i < len(f.model.particles); i, count = i+1, 0 {
		if p := &f.model.particles[i]; count < p.min {
			return "<" + p.name + ">"
		}
	}
	return c.expected(f)
}

// incomplete refuses an element that lacks children.
func (c *xmlChecker) incomplete(f *frame) {
	fault := c.report(f.where, "<%s> ends too early; expected %s", "<%s> 内容不完整；应有 %s", f.name.local, c.expected(f))
	name := strings.Trim(c.required(f), "<>")
	example := "<" + name + ">" + exampleElement(name) + "</" + name + ">"
	advise(fault, "add "+example, "请加上 "+example)
}

// exampleElement is what usually stands in an element.
func exampleElement(name string) string {
	switch name {
	case "eventTime", "declarationTime":
		return "2026-01-31T08:30:00+08:00"
	case "eventTimeZoneOffset":
		return "+08:00"
	case "action":
		return "OBSERVE"
	case "epc":
		return "urn:epc:id:sgtin:…"
	case "epcClass":
		return "urn:epc:class:lgtin:…"
	case "parentID":
		return "urn:epc:id:sscc:…"
	case "id":
		return "urn:epc:id:sgln:…"
	}
	return "…"
}

// lacking refuses an element without an attribute that it must have.
func (c *xmlChecker) lacking(f *frame, e *element, name string) {
	fault := c.report(f.where, "<%s> lacks the attribute %q", "<%s> 缺少属性 %q", e.name.local, name)
	value := map[string]string{
		"schemaVersion": "2.0", "creationDate": "2026-01-31T08:30:00Z", "id": "urn:epc:id:…", "type": "urn:epcglobal:cbv:sdt:owning_party",
	}[name]
	if value == "" {
		value = "…"
	}
	advise(fault, "add "+name+`="`+value+`"`, "请加上 "+name+`="`+value+`"`)
}

// adviseSimple says how a value of a simple type is written.
func adviseSimple(f *hub.Fault, typ, value string) {
	switch typ {
	case "action":
		near := spelling.Nearest(strings.TrimSpace(value), []string{"ADD", "OBSERVE", "DELETE"}, spelling.Typed)
		if near != "" {
			advise(f, "did you mean "+near+"?", "是否指 "+near+"？")
			return
		}
		advise(f, "ADD for what begins with this event, OBSERVE for what is seen, DELETE for what ends",
			"事件使其开始存在用 ADD，被观察到用 OBSERVE，不复存在用 DELETE")
	case "stamp", "dateTime", "dateTimeStamp":
		advise(f, "write it like 2026-01-31T08:30:00+08:00: a date that exists, T, time to the second, zone",
			"请写成 2026-01-31T08:30:00+08:00 的形式：存在的日期、T、精确到秒的时间、时区")
	case "decimal", "double", "float":
		advise(f, "write digits without unit or thousands separator, such as 1200.5", "请写不带单位和千分位的数字，例如 1200.5")
	case "boolean":
		advise(f, "write true or false", "请写 true 或 false")
	case "anyURI":
		advise(f, "begin with a scheme and a colon, such as urn:epc:id:… or https://…", "应以方案加冒号开头，例如 urn:epc:id:… 或 https://…")
	}
}

// notADocument refuses an element that begins no document.
func notADocument(n xmlName) *hub.Fault {
	f := faultf(hub.Invalid, "epcis.xml.root", "<%s> in the namespace %q is no EPCIS document", "命名空间 %[2]q 中的 <%[1]s> 不是 EPCIS 文档",
		n.local, n.space)
	if n.space == "" {
		f = faultf(hub.Invalid, "epcis.xml.root", "<%s> without a namespace is no EPCIS document", "没有命名空间的 <%s> 不是 EPCIS 文档", n.local)
	}
	const frame = `<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0" creationDate="2026-01-31T08:30:00Z">` +
		`<EPCISBody><EventList>…</EventList></EPCISBody></epcis:EPCISDocument>`
	switch {
	case strings.HasSuffix(n.local, "Event"):
		return hinted(f, "put the event into a document: "+frame, "请把事件放入文档："+frame)
	case n.local == "EPCISDocument":
		return hinted(f, "its namespace is urn:epcglobal:epcis:xsd:2, or urn:epcglobal:epcis:xsd:1 for EPCIS 1.2",
			"其命名空间应为 urn:epcglobal:epcis:xsd:2；EPCIS 1.2 为 urn:epcglobal:epcis:xsd:1")
	case n.local == "EPCISQueryDocument" || n.local == "QueryResults":
		return hinted(f, "its namespace is urn:epcglobal:epcis-query:xsd:2, or urn:epcglobal:epcis-query:xsd:1 for EPCIS 1.2",
			"其命名空间应为 urn:epcglobal:epcis-query:xsd:2；EPCIS 1.2 为 urn:epcglobal:epcis-query:xsd:1")
	}
	return hinted(f, "send an EPCISDocument: "+frame, "请发送 EPCISDocument："+frame)
}
