package epcis

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/suyuan-io/suyuan/hub"
)

// Dialect is a version of the CBV event hash algorithm (CBV 2.0 section 8.9).
type Dialect string

// The dialects. The ratified one is CBV20; CBV21 is the published draft that keeps extensions where they were found.
const (
	CBV20 Dialect = "CBV2.0"
	CBV21 Dialect = "CBV2.1"
)

// Algorithm names a digest as RFC 6920 does.
type Algorithm string

// The algorithms that an event hash may use. SHA256 is the default everywhere.
const (
	SHA256  Algorithm = "sha-256"
	SHA384  Algorithm = "sha-384"
	SHA512  Algorithm = "sha-512"
	SHA3256 Algorithm = "sha3-256"
)

// Hash returns the event hash as a URI: "ni:///sha-256;" + 64 hexadecimal digits + "?ver=CBV2.0".
func (e *Event) Hash(d Dialect) (string, error) { return e.HashWith(SHA256, d) }

// HashWith is [Event.Hash] with another digest.
func (e *Event) HashWith(a Algorithm, d Dialect) (string, error) {
	h, err := e.prehash(d)
	if err != nil {
		return "", err
	}
	defer h.release()
	var sum []byte
	switch a {
	case SHA256:
		s := sha256.Sum256(h.out)
		sum = s[:]
	case SHA384:
		s := sha512.Sum384(h.out)
		sum = s[:]
	case SHA512:
		s := sha512.Sum512(h.out)
		sum = s[:]
	case SHA3256:
		s := sha3.Sum256(h.out)
		sum = s[:]
	default:
		f := faultf(hub.Invalid, "epcis.hash.algorithm", "%q is no digest of an event hash", "%q 不是事件哈希可用的摘要算法",
			string(a))
		return "", hinted(f, "use sha-256, sha-384, sha-512 or sha3-256", "可用 sha-256、sha-384、sha-512 或 sha3-256")
	}
	uri := make([]byte, 0, 160)
	uri = append(append(append(uri, "ni:///"...), a...), ';')
	uri = hex.AppendEncode(uri, sum)
	return string(append(append(uri, "?ver="...), d...)), nil
}

// PreHash returns the text whose digest is the event hash.
func (e *Event) PreHash(d Dialect) (string, error) {
	h, err := e.prehash(d)
	if err != nil {
		return "", err
	}
	defer h.release()
	return string(h.out), nil
}

func (e *Event) prehash(d Dialect) (*hasher, error) {
	if d != CBV20 && d != CBV21 {
		f := faultf(hub.Invalid, "epcis.hash.version", "%q is no version of the event hash", "%q 不是事件哈希的版本", string(d))
		return nil, hinted(f, "use CBV2.0 or CBV2.1", "可用 CBV2.0 或 CBV2.1")
	}
	h, _ := hashers.Get().(*hasher)
	h.ctx, h.inline = e.ctx, d == CBV21
	h.event(&e.root)
	return h, nil
}

//nolint:gochecknoglobals // a pool of scratch space
var hashers = sync.Pool{New: func() any { return &hasher{out: make([]byte, 0, 2048)} }}

// hasher writes the pre-hash string of one event: names and values without any separator, the standard fields in a
// fixed order, the items of every list sorted by their bytes, then ILMD and extensions.
type hasher struct {
	ctx *Context
	// inline is the way of the 2.1 draft: extensions stay within the field where they were found.
	inline bool
	out    []byte
	// parts and spare are the scratch space of sorting; cuts are the ends of the items of all open lists.
	parts [][]byte
	spare []byte
	cuts  []int
	// extra are the extensions of the event itself.
	extra []*node
	// before is the URI that was written last, canonical its canonical form.
	before    string
	canonical []byte
}

func (h *hasher) release() {
	h.ctx, h.out, h.cuts, h.before = nil, h.out[:0], h.cuts[:0], ""
	hashers.Put(h)
}

func (h *hasher) write(s string) { h.out = append(h.out, s...) }

// event writes everything.
func (h *hasher) event(root *node) {
	var found [fieldCount]*node
	extensions := h.extra[:0]
	h.write("eventType=")
	h.write(h.eventType(root.str("type")))
	for i := range root.kids {
		kid := &root.kids[i]
		switch f := fieldOf(kid.name); f {
		case fieldUnhashed:
		case fieldExtension:
			extensions = append(extensions, kid)
		default:
			found[f] = kid
		}
	}
	for f := fieldEventTime; f <= fieldSensorElementList; f++ {
		if found[f] != nil {
			h.field(f, found[f])
		}
	}
	h.extra = extensions
	if ilmd := found[fieldILMD]; ilmd != nil {
		if h.inline {
			extensions = append(extensions, ilmd)
		} else {
			h.element(ilmd.name, ilmd)
			h.cuts = h.cuts[:0]
		}
	}
	extensible := [...]field{fieldReadPoint, fieldBizLocation, fieldSensorElementList}
	var rest [len(extensible)]origin
	for i, f := range extensible {
		rest[i] = elsewhere | bare
		if mark := len(h.out); !h.inline {
			if h.within(f, found[f], slashed); len(h.out) > mark {
				rest[i] = elsewhere
			}
		}
	}
	base, start := len(h.cuts), len(h.out)
	for i, f := range extensible {
		h.within(f, found[f], rest[i])
		h.cuts = append(h.cuts, len(h.out))
	}
	for _, n := range extensions {
		h.element(n.name, n)
	}
	h.sort(start, base)
}

// origin says where a member that the standard does not define comes from. The reference implementation, and with it
// every published value, treats the three differently when they stand within a standard field.
type origin uint8

const (
	// slashed: of a namespace that ends in '/'. In 2.0 they make a block of their own behind ILMD, in the 2.1 draft they
	// stay where they are.
	slashed origin = 1 << iota
	// elsewhere: of any other namespace. They are written with the whole path of their field among the extensions of the
	// event.
	elsewhere
	// bare: of none, as the bizRules that the XML Schema allows on a sensorReport. They are treated like elsewhere, but 2.0
	// leaves them out where their field has a block of slashed ones.
	bare
)

func (h *hasher) origin(name string) origin {
	if ns, _ := h.ctx.Expand(name); strings.HasSuffix(ns, "/") {
		return slashed
	}
	if strings.Contains(name, ":") {
		return elsewhere
	}
	return bare
}

// within writes the members of that origin that stand within one of the standard fields that have extension points, with
// the path of the field.
func (h *hasher) within(f field, n *node, from origin) {
	switch {
	case n == nil:
	case f != fieldSensorElementList:
		h.named(f.String(), func() { h.extensionsOf(n, f, from) })
	case from == slashed:
		h.withinSensors(n, from)
	default:
		h.named(f.String(), func() { h.withinSensors(n, from) })
	}
}

// withinSensors writes the members of that origin that stand in sensor elements. Where they make a block of their own,
// they follow the order of the elements and reports that they stand in.
func (h *hasher) withinSensors(sensors *node, from origin) {
	list := func(n *node, _, write func(*node)) { h.list(n, write) }
	if from == slashed {
		list = h.listBy
	}
	report := func(n *node) {
		h.named("sensorReport", func() { h.extensionsOf(n, fieldSensorReport, from) })
	}
	list(sensors, h.sensor, func(element *node) {
		h.named("sensorElement", func() {
			if m := element.member("sensorMetadata"); m != nil {
				h.named("sensorMetadata", func() { h.extensionsOf(m, fieldSensorMetadata, from) })
			}
			list(element.member("sensorReport"), h.report, report)
			h.extensionsOf(element, fieldSensorElement, from)
		})
	})
}

// listBy writes the items of a list in the order of what key writes of them.
func (h *hasher) listBy(n *node, key, write func(*node)) {
	items, start := n.items(), len(h.out)
	for i := range items {
		write(&items[i])
	}
	if len(items) < 2 || len(h.out) == start {
		return
	}
	h.out = h.out[:start]
	keys, order := make([]string, len(items)), make([]int, len(items))
	for i := range items {
		key(&items[i])
		write(&items[i])
		keys[i], order[i] = string(h.out[start:]), i
		h.out = h.out[:start]
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	for _, i := range order {
		write(&items[i])
	}
}

// eventType expands an extended event type, which is an element's name in XML.
func (h *hasher) eventType(t string) string {
	if ns, local := h.ctx.Expand(t); ns != "" {
		return "{" + ns + "}" + local
	}
	return t
}

// field writes one standard field.
func (h *hasher) field(f field, n *node) {
	switch shapes[f].form {
	case formLeaf:
		h.leaf(f.String(), n, shapes[f].words)
	case formTime:
		h.time(f.String(), n)
	case formEPCs:
		h.named(f.String(), func() {
			h.list(n, func(item *node) { h.leaf("epc", item, nil) })
		})
	case formQuantities:
		h.named(f.String(), func() { h.list(n, h.quantity) })
	case formPairs:
		h.named(f.String(), func() {
			h.list(n, func(item *node) { h.pair(item, shapes[f].item, shapes[f].words) })
		})
	case formPersistent:
		h.named(f.String(), func() {
			for _, name := range []string{"set", "unset"} {
				h.list(n.member(name), func(item *node) { h.leaf(name, item, dispositions) })
			}
		})
	case formPlace:
		h.named(f.String(), func() {
			h.leaf("id", n.member("id"), nil)
			if h.inline {
				h.extensionsOf(n, f, slashed)
			}
		})
	case formSensors:
		if !h.inline {
			h.list(n, h.sensor)
			return
		}
		h.named(f.String(), func() { h.list(n, h.sensor) })
	case formNone, formNumber, formBool:
	}
}

// named writes a name and what body writes, or nothing when body writes nothing.
func (h *hasher) named(name string, body func()) {
	mark := len(h.out)
	h.write(name)
	full := len(h.out)
	if body(); len(h.out) == full {
		h.out = h.out[:mark]
	}
}

// list writes the items of a list, sorted.
func (h *hasher) list(n *node, write func(*node)) {
	base, start := len(h.cuts), len(h.out)
	items := n.items()
	for i := range items {
		write(&items[i])
		h.cuts = append(h.cuts, len(h.out))
	}
	h.sort(start, base)
}

// sort orders the strings that stand from start on and end at the cuts from base on.
func (h *hasher) sort(start, base int) {
	cuts := h.cuts[base:]
	h.cuts = h.cuts[:base]
	if len(cuts) < 2 {
		return
	}
	from := start
	sorted := true
	h.parts = h.parts[:0]
	for _, to := range cuts {
		h.parts = append(h.parts, h.out[from:to])
		if n := len(h.parts); n > 1 && bytes.Compare(h.parts[n-2], h.parts[n-1]) > 0 {
			sorted = false
		}
		from = to
	}
	if sorted {
		return
	}
	slices.SortFunc(h.parts, bytes.Compare)
	h.spare = h.spare[:0]
	for _, p := range h.parts {
		h.spare = append(h.spare, p...)
	}
	copy(h.out[start:], h.spare)
}

// leaf writes name=value; an empty value is not written, nor is anything that is no scalar.
func (h *hasher) leaf(name string, n *node, words *vocabulary) {
	if text := hashText(n); text != "" {
		h.write(name)
		h.out = append(h.out, '=')
		h.value(text, words)
	}
}

// time writes name=value with the time in UTC and three decimals.
func (h *hasher) time(name string, n *node) {
	text := leafText(n)
	if text == "" {
		return
	}
	h.write(name)
	h.out = append(h.out, '=')
	if c, ok := scanClock(text); ok {
		h.out = appendMillis(h.out, c)
		return
	}
	h.write(text)
}

// leafText returns the trimmed text of a scalar, "" for anything else.
func leafText(n *node) string {
	if n == nil {
		return ""
	}
	switch n.kind {
	case kindString:
		return trimmed(n.text)
	case kindNumber:
		return n.text
	case kindTrue:
		return "true"
	case kindFalse:
		return "false"
	case kindNull, kindArray, kindObject:
	}
	return ""
}

// trimmed returns s without the white space of XML around it, which few values have.
func trimmed(s string) string {
	if s == "" || s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, xmlSpace)
}

// hashText is leafText for the hash: a number has the value that its canonical bytes have, the nearest double, so that
// an event and its canonical form have one hash.
func hashText(n *node) string {
	if n == nil || n.kind != kindNumber || len(n.text) <= 16 && !strings.ContainsAny(n.text, "eE") {
		return leafText(n)
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return n.text
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func (h *hasher) quantity(n *node) {
	h.named("quantityElement", func() {
		h.leaf("epcClass", n.member("epcClass"), nil)
		h.leaf("quantity", n.member("quantity"), nil)
		h.leaf("uom", n.member("uom"), nil)
	})
}

func (h *hasher) pair(n *node, name string, words *vocabulary) {
	h.leaf("type", n.member("type"), words)
	h.leaf(name, n.member(name), nil)
}

// sensor writes the standard fields of a sensor element, in the 2.1 draft with its extensions.
func (h *hasher) sensor(element *node) {
	h.named("sensorElement", func() {
		if m := element.member("sensorMetadata"); m != nil {
			h.sensorPart(m, fieldSensorMetadata, metadataShapes)
		}
		h.list(element.member("sensorReport"), h.report)
		if h.inline {
			h.extensionsOf(element, fieldSensorElement, slashed)
		}
	})
}

func (h *hasher) report(n *node) { h.sensorPart(n, fieldSensorReport, reportShapes) }

func (h *hasher) sensorPart(n *node, f field, shapes []shape) {
	h.named(f.String(), func() {
		for i := range shapes {
			if s := &shapes[i]; s.form == formTime {
				h.time(s.name, n.member(s.name))
			} else {
				h.leaf(s.name, n.member(s.name), s.words)
			}
		}
		if h.inline {
			h.extensionsOf(n, f, slashed)
		}
	})
}

// extensionsOf writes the members of a standard object that the standard does not define and that come from where it is
// told.
func (h *hasher) extensionsOf(n *node, f field, from origin) {
	base, start := len(h.cuts), len(h.out)
	for i := range n.kids {
		if name := n.kids[i].name; !f.knows(name) && h.origin(name)&from != 0 {
			h.element(name, &n.kids[i])
		}
	}
	h.sort(start, base)
}

// elements writes extension elements: {namespace}name, the value if there is one, and their own children, sorted. The
// type of a JSON-LD value is the xsi:type of XML, which is not hashed.
func (h *hasher) elements(members []node) {
	base, start := len(h.cuts), len(h.out)
	typed := slices.ContainsFunc(members, func(m node) bool { return m.name == "@value" })
	for i := range members {
		if name := members[i].name; !typed || name != "@type" {
			h.element(name, &members[i])
		}
	}
	h.sort(start, base)
}

// unhashedMember reports whether a member of an extension says nothing: text is written with its element, comments and
// declarations of namespaces are none of the event's data.
func unhashedMember(name string) bool {
	switch name {
	case "#text", "@value", "comment", "rdfs:comment", "@context":
		return true
	}
	return strings.HasPrefix(name, xmlnsMember)
}

// element writes one extension member, an array as one element for each item.
func (h *hasher) element(name string, n *node) {
	if n.kind == kindNull || unhashedMember(name) {
		return
	}
	if n.kind == kindArray {
		for i := range n.kids {
			h.element(name, &n.kids[i])
		}
		return
	}
	ns, local := h.ctx.Expand(name)
	if name == "@language" {
		ns, local = xmlXMLSpace, "lang" // what it is in the event's XML form
	}
	if ns != "" {
		h.out = append(append(append(h.out, '{'), ns...), '}')
	}
	h.write(local)
	text := hashText(n)
	if n.kind == kindObject {
		text = hashText(n.content())
	}
	if text != "" {
		h.out = append(h.out, '=')
		h.value(text, nil)
	}
	if n.kind == kindObject {
		h.elements(n.kids)
	}
	h.cuts = append(h.cuts, len(h.out))
}
