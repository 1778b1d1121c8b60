package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// edifactFormat is UN/EDIFACT: ISO 9735 syntax versions 1 to 4, batch.
func edifactFormat() Format {
	return Format{
		Name:    "edifact",
		Summary: "UN/EDIFACT: a message (UNH to UNT) at a time, with or without a guide",
		Detect:  func(head []byte) int { return detectEDIFACT(head) },
		New:     func(b []byte) (Decoder, error) { return newEDI(edifactStandard(), b) },
	}
}

func detectEDIFACT(head []byte) int {
	if text := textHead(head); len(text) > 8 && bytes.HasPrefix(text, []byte("UNA")) {
		return 95
	}
	return detectEDI(head, "UNB", "UNH")
}

func edifactStandard() ediStandard {
	return ediStandard{
		name:          "edifact",
		interchange:   ediLevel{header: "UNB", trailer: "UNZ", reference: 4, echo: 1},
		group:         ediLevel{header: "UNG", trailer: "UNE", reference: 4, echo: 1},
		message:       ediLevel{header: "UNH", trailer: "UNT", reference: 0, echo: 1},
		strayMessages: true,
		syntax:        edifactSyntax,
		charset:       edifactCharset,
		describe:      edifactHeaders,
	}
}

// edifactSyntax reads the service string advice, or takes the defaults (ISO 9735-1 section 6). An advice of six
// characters whose last is missing its line break is taken as it stands. Where there is no advice and the segment that must
// follow the header begins the next line without a terminator before it, line breaks end the segments.
func edifactSyntax(head []byte) (ediSyntax, int, bool) {
	s := edifactDefaults()
	if !bytes.HasPrefix(head, []byte("UNA")) {
		if oneSegmentALine(head, s) {
			s.terminator = '\n'
		}
		return s, 0, len(head) > 0
	}
	if len(head) < 9 {
		return s, 0, false
	}
	s = ediSyntax{
		component: head[3], element: head[4], decimal: head[5], release: head[6], repeat: head[7], terminator: head[8], tagEnd: head[4],
	}
	if s.release == ' ' {
		s.release = 0
	}
	if s.repeat == ' ' || s.repeat == s.element || s.repeat == s.component {
		s.repeat = 0
	}
	return s, 9, true
}

func edifactDefaults() ediSyntax {
	return ediSyntax{component: ':', element: '+', decimal: '.', release: '?', terminator: '\'', tagEnd: '+'}
}

// oneSegmentALine reports whether the first line is a header without terminator and the second what must follow it.
func oneSegmentALine(head []byte, s ediSyntax) bool {
	first, rest, _ := bytes.Cut(head, []byte("\n"))
	if bytes.IndexByte(first, s.terminator) >= 0 || len(rest) < 4 || rest[3] != s.element {
		return false
	}
	switch next := string(rest[:3]); {
	case bytes.HasPrefix(first, []byte("UNB")):
		return next == "UNG" || next == "UNH"
	case bytes.HasPrefix(first, []byte("UNH")):
		return next == "BGM"
	}
	return false
}

// advice is the service string advice that states s.
func (s ediSyntax) advice() []byte {
	return []byte{'U', 'N', 'A', s.component, s.element, s.decimal, s.release, ' ', s.terminator}
}

// latin1Charset is ISO 8859-1, in which every byte is a character.
func latin1Charset() charset { return charset{name: "iso-8859-1", enc: charmap.ISO8859_1} }

// edifactCharset is the charset of a syntax identifier (ISO 9735-1 annex, code list 0001). Senders often state UNOC and
// write UTF-8: text that is valid UTF-8 is taken as such.
func edifactCharset(header ediSegment, body []byte) charset {
	if utf8.Valid(body) {
		return utf8Charset()
	}
	if m := edifactCharmap(header.get(0, 0)); m != nil {
		return charset{name: strings.ToLower(m.(interface{ String() string }).String()), enc: m} //nolint:forcetypeassert // all are charmaps
	}
	switch header.get(0, 0) {
	case "UNOX", "UNOW", "UNOY":
		return gb18030Charset()
	case "KECA":
		if cs, ok := charsetNamed("euc-kr"); ok {
			return cs
		}
	}
	return latin1Charset()
}

func edifactCharmap(id string) encoding.Encoding {
	switch id {
	case "UNOD":
		return charmap.ISO8859_2
	case "UNOE":
		return charmap.ISO8859_5
	case "UNOF":
		return charmap.ISO8859_7
	case "UNOG":
		return charmap.ISO8859_3
	case "UNOH":
		return charmap.ISO8859_4
	case "UNOI":
		return charmap.ISO8859_6
	case "UNOJ":
		return charmap.ISO8859_8
	case "UNOK":
		return charmap.ISO8859_9
	case "UNOL":
		return charmap.ISO8859_15
	}
	return nil
}

// edifactHeaders names the data of UNB, UNG and UNH.
func edifactHeaders(s ediSyntax, headers [3]*ediSegment) (interchange, group, message map[string]any) {
	if b := headers[0]; b != nil {
		interchange = map[string]any{
			"syntax": b.get(0, 0), "syntaxVersion": b.get(0, 1), "sender": edifactParty(b, 1), "recipient": edifactParty(b, 2),
			"date": b.get(3, 0), "time": b.get(3, 1), "reference": b.get(4, 0), "application": b.get(6, 0),
			"test": b.get(10, 0) == "1", "decimalMark": string(rune(s.decimal)), "elements": listOfLists(b.elements),
		}
	}
	if g := headers[1]; g != nil {
		group = map[string]any{
			"type": g.get(0, 0), "sender": edifactParty(g, 1), "recipient": edifactParty(g, 2),
			"date": g.get(3, 0), "time": g.get(3, 1), "reference": g.get(4, 0), "agency": g.get(5, 0),
			"version": joined(g.get(6, 0), g.get(6, 1)), "association": g.get(6, 2), "elements": listOfLists(g.elements),
		}
	}
	h := headers[2]
	message = map[string]any{
		"reference": h.get(0, 0), "type": h.get(1, 0), "version": joined(h.get(1, 1), h.get(1, 2)),
		"agency": h.get(1, 3), "association": h.get(1, 4),
	}
	return interchange, group, message
}

func edifactParty(g *ediSegment, element int) map[string]any {
	return map[string]any{"id": g.get(element, 0), "qualifier": g.get(element, 1)}
}

// joined writes a version and release as "D:96A".
func joined(version, release string) string {
	if release == "" {
		return version
	}
	return version + ":" + release
}
