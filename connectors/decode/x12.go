package decode

import "bytes"

// x12Format is ANSI ASC X12.
func x12Format() Format {
	return Format{
		Name:    "x12",
		Summary: "ANSI X12: a transaction set (ST to SE) at a time, with or without a guide",
		Detect:  func(head []byte) int { return detectEDI(head, "ISA") },
		New:     func(b []byte) (Decoder, error) { return newEDI(x12Standard(), b) },
	}
}

func x12Standard() ediStandard {
	return ediStandard{
		name:        "x12",
		interchange: ediLevel{header: "ISA", trailer: "IEA", reference: 12, echo: 1},
		group:       ediLevel{header: "GS", trailer: "GE", reference: 5, echo: 1},
		message:     ediLevel{header: "ST", trailer: "SE", reference: 1, echo: 1},
		syntax:      x12Syntax,
		charset:     func(_ ediSegment, body []byte) charset { return utf8Or(body, latin1Charset()) },
		describe:    x12Headers,
	}
}

// utf8Or is UTF-8 where the text is valid, the other charset otherwise.
func utf8Or(body []byte, other charset) charset {
	if cs := guessCharset(body); cs.enc == nil {
		return cs
	}
	return other
}

// x12Elements is how many elements an ISA has.
const x12Elements = 16

// x12Syntax reads the service characters of ISA (X12.5). It counts separators and not bytes, since senders pad the fixed
// widths with what their systems take for spaces.
func x12Syntax(head []byte) (ediSyntax, int, bool) {
	if !bytes.HasPrefix(head, []byte("ISA")) || len(head) < 4 {
		return ediSyntax{element: '*', component: ':', terminator: '~', tagEnd: '*'}, 0, len(head) >= 4
	}
	s := ediSyntax{element: head[3], tagEnd: head[3]}
	var at [x12Elements]int
	n := 0
	for i := 3; i < len(head) && i < maxAdvice && n < x12Elements; i++ {
		if head[i] == s.element {
			at[n] = i
			n++
		}
	}
	if n < x12Elements {
		return s, 0, false
	}
	component := at[15] + 1
	if component+1 >= len(head) {
		return s, 0, false
	}
	s.component, s.terminator = head[component], head[component+1]
	if lacksComponent(head[component:]) {
		s.component, s.terminator = 0, s.component
	}
	if s.component == ' ' || s.component == s.terminator {
		s.component = 0
	}
	// ISA11 is the repetition separator from version 00402 on, a standards identifier before.
	repeat, version := head[at[10]+1:at[11]], head[at[11]+1:at[12]]
	if len(repeat) == 1 && !isTagByte(repeat[0]) && repeat[0] != ' ' && string(version) >= "00402" {
		s.repeat = repeat[0]
	}
	return s, 0, true
}

// lacksComponent reports whether ISA16, the component separator, is missing, so that tail begins with the terminator: a
// segment follows at once, or on a line that ends with it.
func lacksComponent(tail []byte) bool {
	if isTagByte(tail[1]) {
		return !isTagByte(tail[0])
	}
	line, _, ended := bytes.Cut(bytes.TrimLeft(tail[1:], "\r\n"), []byte("\n"))
	return ended && (tail[1] == '\r' || tail[1] == '\n') && bytes.HasSuffix(bytes.TrimRight(line, "\r"), tail[:1])
}

// x12Headers names the data of ISA, GS and ST.
func x12Headers(_ ediSyntax, headers [3]*ediSegment) (interchange, group, message map[string]any) {
	if a := headers[0]; a != nil {
		interchange = map[string]any{
			"sender": map[string]any{"id": a.get(5, 0), "qualifier": a.get(4, 0)}, "recipient": map[string]any{"id": a.get(7, 0), "qualifier": a.get(6, 0)},
			"date": a.get(8, 0), "time": a.get(9, 0), "syntaxVersion": a.get(11, 0), "reference": a.get(12, 0),
			"test": a.get(14, 0) == "T", "elements": listOfLists(a.elements),
		}
	}
	version := ""
	if g := headers[1]; g != nil {
		version = g.get(7, 0)
		group = map[string]any{
			"type": g.get(0, 0), "sender": map[string]any{"id": g.get(1, 0)}, "recipient": map[string]any{"id": g.get(2, 0)},
			"date": g.get(3, 0), "time": g.get(4, 0), "reference": g.get(5, 0), "agency": g.get(6, 0), "version": version,
			"elements": listOfLists(g.elements),
		}
	}
	t := headers[2]
	if own := t.get(2, 0); own != "" {
		version = own
	}
	message = map[string]any{"type": t.get(0, 0), "reference": t.get(1, 0), "version": version}
	return interchange, group, message
}
