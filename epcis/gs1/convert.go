package gs1

import (
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Convert writes value in another form. It reads EPC URNs, Digital Links on any domain, bracketed element strings, and raw
// ones that begin with FNC1 (^, ASCII 29) or a symbology identifier.
//
// A URN and a Digital Link name one thing: attributes are dropped, and of several qualifiers the finest counts. Element
// strings keep every AI, and their content is checked whatever o says. Faults are [hub.Invalid], or [hub.Unsupported] for
// compressed Digital Links; their codes begin with "gs1.".
func Convert(value string, to Form, o Options) (string, error) {
	from, ok := written(value)
	if !ok {
		return "", notGS1.fault(value)
	}
	switch from {
	case URN:
		return convertURN(value, to, o)
	case DigitalLink:
		return convertLink(value, to, o)
	case ElementString, Bracketed:
		m, err := readElements(value, from, o)
		if err != nil {
			return "", err
		}
		if err := associate(m.elements, false); err != nil {
			return "", err
		}
		return m.write(to, o)
	}
	return "", notGS1.fault(value)
}

// ToURN writes a canonical Digital Link as an EPC URN, for answers with GS1-EPC-Format Always_EPC_URN. What is a URN
// already stays as it is. It fails where o does not give the length of the company prefix, and for identities that EPC
// has no URN for.
func ToURN(canonical string, o Options) (string, error) {
	if strings.HasPrefix(canonical, "urn:") {
		return canonical, nil
	}
	return linkToURN(canonical, o)
}

// convertURN writes an EPC URN in another form.
func convertURN(value string, to Form, o Options) (string, error) {
	if len(value) > maxURI {
		return "", tooLong(len(value))
	}
	if _, _, _, ok := industry(value); ok {
		return convertIndustry(value, to)
	}
	p, why := parseURN(value, o.reading())
	if why != fine {
		return "", why.fault(value)
	}
	switch to {
	case URN:
		return string(p.appendURN(nil)), nil
	case DigitalLink:
		return string(p.appendLink(nil)), nil
	case ElementString, Bracketed:
		m := p.message()
		if err := lintAll(m.elements, nil); err != nil {
			return "", err
		}
		return m.write(to, o)
	}
	return "", notGS1.fault(value)
}

// message is what p says as application identifiers.
func (p parts) message() message {
	serial := p.serial
	if p.scheme.ext != "" {
		p.serial = ""
	}
	key := string(p.appendLink(nil))
	key = key[len(canonicalStem)+len("/")+len(p.scheme.key)+len("/"):]
	m := message{elements: []element{{applicationOf(p.scheme.key), unescape(key)}}, path: 1}
	if p.scheme.ext != "" && serial != "" && (p.scheme.name != "sgln" || serial != "0") {
		m.elements = append(m.elements, element{applicationOf(p.scheme.ext), unescape(serial)})
		m.path++
	}
	return m
}

// convertLink writes a Digital Link in another form.
func convertLink(value string, to Form, o Options) (string, error) {
	if to == URN {
		return linkToURN(value, o)
	}
	if to == DigitalLink && !o.Strict {
		if id, ok := Canonical(value); ok {
			return id, nil
		}
	}
	m, err := readStrict(value, o.GTIN14 || o.Strict)
	if err != nil {
		return "", err
	}
	if err := lintAll(m.elements, o.assigned()); err != nil {
		return "", err
	}
	if err := associate(m.elements, false); err != nil {
		return "", err
	}
	if to == DigitalLink {
		if id, ok := Canonical(value); ok {
			return id, nil
		}
	}
	return m.write(to, o)
}

// linkToURN writes a Digital Link as an EPC URN.
func linkToURN(value string, o Options) (string, error) {
	n, err := o.readLink(value)
	if err != nil {
		return "", err
	}
	p, err := n.parts(o)
	if err != nil {
		return "", err
	}
	return string(p.appendURN(make([]byte, 0, len(value)+8))), nil
}

// readElements reads an element string and checks the content of its AIs.
func readElements(value string, from Form, o Options) (m message, err error) {
	if from == Bracketed {
		m.elements, err = parseBracketed(value)
	} else {
		m.elements, err = parseRaw(value)
	}
	if err == nil {
		err = lintAll(m.elements, o.assigned())
	}
	return m, err
}

// write writes m in a form.
func (m message) write(to Form, o Options) (string, error) {
	switch to {
	case ElementString:
		return formatRaw(m.elements), nil
	case Bracketed:
		return formatBracketed(m.elements), nil
	case DigitalLink:
		return m.formatLink(canonicalStem)
	case URN:
		return m.urn(o)
	}
	return "", fault(hub.Invalid, "gs1.form", args{int(to)}, "there is no form %d", "没有形式 %d")
}

// urn writes the thing that m names as an EPC URN.
func (m message) urn(o Options) (string, error) {
	m, err := m.route()
	if err != nil {
		return "", err
	}
	l := link{key: m.elements[0].app.ai, value: string(appendEscaped(nil, m.elements[0].data, urnSafe))}
	for _, e := range m.elements[1:m.path] {
		l.quals[l.n] = qualifier{e.app.ai, string(appendEscaped(nil, e.data, urnSafe))}
		l.n++
	}
	n, why := l.named(lenient)
	if why != fine {
		return "", why.linkFault(formatBracketed(m.elements), &l)
	}
	p, err := n.parts(o)
	if err != nil {
		return "", err
	}
	return string(p.appendURN(nil)), nil
}

// LinkFromElements writes an element string, raw or bracketed, as a Digital Link under stem, such as
// "https://example.com": the path holds the key and its qualifiers, the query the other AIs.
func LinkFromElements(value, stem string, o Options) (string, error) {
	from, ok := written(value)
	if !ok || from != ElementString && from != Bracketed {
		return "", notGS1.fault(value)
	}
	m, err := readElements(value, from, o)
	if err != nil {
		return "", err
	}
	if err := associate(m.elements, false); err != nil {
		return "", err
	}
	return m.formatLink(strings.TrimSuffix(stem, "/"))
}

// ExpandNames replaces the short names of AIs in a Digital Link ("gtin", "lot", …, deprecated since Digital Link 1.2) by
// the AIs, in path and query, and leaves everything else as it is. What is no URI over HTTP comes back unchanged.
func ExpandNames(uri string) string {
	rest, ok := afterScheme(uri)
	if !ok {
		return uri
	}
	at := strings.IndexAny(rest, "/?#")
	if at < 0 {
		return uri
	}
	at += len(uri) - len(rest)
	end := at + len(cutQuery(uri[at:]))
	segments := strings.Split(uri[at:end], "/")
	for i, seg := range segments {
		if ai := shortName(seg); ai != "" && i+1 < len(segments) {
			segments[i] = ai
		}
	}
	tail := uri[end:]
	if strings.HasPrefix(tail, "?") {
		query, fragment, hasFragment := strings.Cut(tail[1:], "#")
		params := strings.Split(query, "&")
		for i, param := range params {
			name, value, valued := strings.Cut(param, "=")
			if ai := shortName(name); ai != "" && valued {
				params[i] = ai + "=" + value
			}
		}
		tail = "?" + strings.Join(params, "&")
		if hasFragment {
			tail += "#" + fragment
		}
	}
	return uri[:at] + strings.Join(segments, "/") + tail
}
