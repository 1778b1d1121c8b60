package gs1

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// message is the content of one symbol, link, or element string. The first path elements are the key and qualifiers of a
// Digital Link's path; a message from elsewhere has no path yet.
type message struct {
	elements []element
	path     int
}

// readStrict reads a Digital Link as the GS1 Digital Link Standard (URI Syntax, section 4) has it, attributes included.
func readStrict(uri string, gtin14 bool) (message, error) {
	var m message
	if len(uri) > maxMessage {
		return m, tooLong(len(uri))
	}
	if err := checkURI(uri); err != nil {
		return m, err
	}
	l, ok := parseLink(uri)
	if !ok {
		return m, noKey(uri)
	}
	ais := make([]string, 0, maxQualifiers)
	for i, q := range append([]qualifier{{l.key, l.value}}, l.qualifiers()...) {
		if i > 0 {
			ais = append(ais, q.ai)
		}
		if err := m.add(q.ai, unescape(q.value), gtin14); err != nil {
			return m, err
		}
	}
	if !m.elements[0].app.allowsPath(ais) {
		return m, badOrder.fault(uri)
	}
	m.path = len(m.elements)
	if err := m.addQuery(l.query, gtin14); err != nil {
		return m, err
	}
	return m, m.checkAttributes(ais)
}

// checkURI refuses characters that a URI or its domain cannot hold.
func checkURI(uri string) error {
	const reserved = ":/?#[]@!$&'()*+,;=%"
	for i := range len(uri) {
		if !uriUnreserved(uri[i]) && strings.IndexByte(reserved, uri[i]) < 0 {
			return fault(hub.Invalid, "gs1.uri-characters", args{shorten(uri), i + 1},
				"%q holds at byte %d what a URI cannot hold unescaped", "%q 的第 %d 个字节是 URI 中必须转义的字符")
		}
	}
	rest, ok := afterScheme(uri)
	if !ok {
		return fault(hub.Invalid, "gs1.uri-scheme", args{shorten(uri)},
			"%q does not begin with https:// or http://", "%q 没有以 https:// 或 http:// 开头")
	}
	domain, _, ok := strings.Cut(rest, "/")
	if !ok || domain == "" || strings.ContainsAny(domain, "_~?#@!$&'()*+,;=%") {
		return fault(hub.Invalid, "gs1.uri-domain", args{shorten(uri)},
			"%q has no valid domain before its path", "%q 的路径之前没有有效的域名")
	}
	return nil
}

// noKey says that the path of a Digital Link leads to no key, and why where that can be told.
func noKey(uri string) error {
	path := cutQuery(uri)
	if i := strings.LastIndexByte(path, '/'); i >= 0 && looksCompressed(path[i+1:]) {
		return fault(hub.Unsupported, "gs1.compressed", args{shorten(uri)},
			"%q looks like a compressed Digital Link, which Suyuan does not read",
			"%q 看起来是压缩的数字链接，溯源不支持读取")
	}
	return hinted(fault(hub.Invalid, "gs1.key-missing", args{shorten(uri)},
		"the path of %q holds no GS1 key with its value at its end", "%q 的路径末尾没有 GS1 主键及其值"),
		"it should end like /01/09506000164908/21/ABC", "路径末尾应如 /01/09506000164908/21/ABC")
}

// looksCompressed reports whether a path segment may be a compressed Digital Link: base64url and longer than a word.
func looksCompressed(seg string) bool {
	if len(seg) < 12 || allIn(seg, digit) {
		return false
	}
	letters := false
	for i := range len(seg) {
		if !isBase64(seg[i]) {
			return false
		}
		letters = letters || seg[i] >= 'A' && seg[i] <= 'Z'
	}
	return letters
}

// add appends one AI and its data.
func (m *message) add(ai, data string, gtin14 bool) error {
	app := applicationOf(ai)
	if app == nil {
		return unknownAI(ai)
	}
	if strings.IndexByte(data, 0) >= 0 {
		return fault(hub.Invalid, "gs1.ai-null", args{ai}, "AI (%s) holds a null character", "AI (%s) 含有空字符")
	}
	if n := len(data); ai == "01" && !gtin14 && (n == 8 || n == 12 || n == 13) {
		data = "000000"[:14-n] + data
	}
	e := element{app, data}
	if m.elements = append(m.elements, e); len(m.elements) > maxElements {
		return tooMany()
	}
	return e.checkLength()
}

// addQuery appends the attributes of a query. Parameters without a value and names that are no AI say nothing to GS1.
func (m *message) addQuery(query string, gtin14 bool) error {
	for param := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(param, "=")
		if !ok || !allIn(name, digit) {
			continue
		}
		if err := m.add(name, unescape(strings.ReplaceAll(value, "+", " ")), gtin14); err != nil {
			return err
		}
	}
	return nil
}

// checkAttributes refuses AIs that occur twice, that are no attributes, or that belong into the path.
func (m *message) checkAttributes(path []string) error {
	for i, e := range m.elements {
		if slices.ContainsFunc(m.elements[:i], func(other element) bool { return other.app == e.app }) {
			return fault(hub.Invalid, "gs1.ai-twice", args{e.app.ai},
				"AI (%s) occurs twice in the link", "AI (%s) 在链接中出现两次")
		}
		if i < m.path {
			continue
		}
		if !e.app.attribute {
			return notAttribute(e.app.ai)
		}
		for j := range len(path) + 1 {
			if m.elements[0].app.allowsPath(slices.Insert(slices.Clone(path), j, e.app.ai)) {
				return fault(hub.Invalid, "gs1.ai-in-query", args{e.app.ai},
					"AI (%s) belongs into the path of the link, not its query", "AI (%s) 应位于链接路径而不是查询参数中")
			}
		}
	}
	return nil
}

// notAttribute says that an AI has no place in a query.
func notAttribute(ai string) error {
	return fault(hub.Invalid, "gs1.not-attribute", args{ai},
		"AI (%s) cannot be an attribute of a Digital Link with this key",
		"AI (%s) 不能作为该主键的数字链接的属性")
}

// route puts the first key of m and as many of its qualifiers as go together at the front, as the path of a link.
func (m message) route() (message, error) {
	if m.path > 0 {
		return m, nil
	}
	k := slices.IndexFunc(m.elements, func(e element) bool { return e.app.key })
	if k < 0 {
		return m, fault(hub.Invalid, "gs1.key-missing", nil,
			"there is no application identifier that is the key of a Digital Link", "没有可作为数字链接主键的应用标识符")
	}
	var best []element
	for _, path := range m.elements[k].app.paths {
		var found []element
		for _, ai := range path {
			if i := slices.IndexFunc(m.elements, func(e element) bool { return e.app.ai == ai }); i >= 0 {
				found = append(found, m.elements[i])
			}
		}
		if len(found) > len(best) {
			best = found
		}
	}
	routed := message{elements: append([]element{m.elements[k]}, best...), path: len(best) + 1}
	for _, e := range m.elements {
		if !slices.ContainsFunc(routed.elements, func(other element) bool { return other.app == e.app }) {
			routed.elements = append(routed.elements, e)
		}
	}
	return routed, nil
}

// formatLink writes m as a Digital Link under stem, attributes of fixed length first.
func (m message) formatLink(stem string) (string, error) {
	m, err := m.route()
	if err != nil {
		return "", err
	}
	b := []byte(stem)
	for _, e := range m.elements[:m.path] {
		b = append(b, '/')
		b = append(b, e.app.ai...)
		b = append(b, '/')
		b = appendEscaped(b, e.data, uriUnreserved)
	}
	mark := byte('?')
	for _, ends := range [...]bool{false, true} {
		for _, e := range m.elements[m.path:] {
			if e.app.ends != ends {
				continue
			}
			if !e.app.attribute {
				return "", notAttribute(e.app.ai)
			}
			b = append(b, mark)
			b = append(b, e.app.ai...)
			b = append(b, '=')
			b = appendEscaped(b, e.data, uriUnreserved)
			mark = '&'
		}
	}
	return string(b), nil
}
