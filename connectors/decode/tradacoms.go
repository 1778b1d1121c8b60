package decode

import "strings"

// tradacomsFormat is TRADACOMS, the British retail standard (ANA 1982), which is still in use.
func tradacomsFormat() Format {
	return Format{
		Name:    "tradacoms",
		Summary: "TRADACOMS: a message (MHD to MTR) at a time, with the file's header message",
		Detect:  func(head []byte) int { return detectEDI(head, "STX") },
		New:     func(b []byte) (Decoder, error) { return newEDI(tradacomsStandard(), b) },
	}
}

func tradacomsStandard() ediStandard {
	return ediStandard{
		name:           "tradacoms",
		interchange:    ediLevel{header: "STX", trailer: "END", reference: -1},
		group:          ediLevel{header: "BAT", trailer: "EOB", reference: -1},
		message:        ediLevel{header: "MHD", trailer: "MTR", reference: -1},
		countsMessages: true,
		syntax: func(head []byte) (ediSyntax, int, bool) {
			return ediSyntax{component: ':', element: '+', release: '?', terminator: '\'', tagEnd: '='}, 0, len(head) > 0
		},
		charset:  func(_ ediSegment, body []byte) charset { return utf8Or(body, latin1Charset()) },
		describe: tradacomsHeaders,
		// A file's first message says whom all the others concern.
		carries: func(header ediSegment) bool { return strings.HasSuffix(header.get(1, 0), "HDR") },
	}
}

// tradacomsHeaders names the data of STX, BAT and MHD.
func tradacomsHeaders(_ ediSyntax, headers [3]*ediSegment) (interchange, group, message map[string]any) {
	if x := headers[0]; x != nil {
		interchange = map[string]any{
			"syntax": x.get(0, 0), "syntaxVersion": x.get(0, 1),
			"sender": map[string]any{"id": x.get(1, 0), "name": x.get(1, 1)}, "recipient": map[string]any{"id": x.get(2, 0), "name": x.get(2, 1)},
			"date": x.get(3, 0), "time": x.get(3, 1), "reference": x.get(4, 0), "application": x.get(6, 0),
			"elements": listOfLists(x.elements),
		}
	}
	if b := headers[1]; b != nil {
		group = map[string]any{"reference": b.get(0, 0), "elements": listOfLists(b.elements)}
	}
	h := headers[2]
	message = map[string]any{"reference": h.get(0, 0), "type": h.get(1, 0), "version": h.get(1, 1)}
	return interchange, group, message
}
