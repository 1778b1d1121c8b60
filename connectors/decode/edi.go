package decode

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// ediSettings are the settings under "edifact:", "x12:" and "tradacoms:".
type ediSettings struct {
	// Guide names the guides by which messages of their type get a "body": built-in names or guides written out.
	Guide guides `yaml:"guide"`
	// Envelope says what becomes of wrong counts and references in trailers: "strict" (the default) refuses them,
	// "report" lists them under "faults" of the record, "ignore" does not look. What is cut off is refused by all three.
	Envelope string `yaml:"envelope"`
	// Encoding overrides the charset that the interchange states.
	Encoding  string `yaml:"encoding"`
	MaxRecord size   `yaml:"maxRecord"`
}

// ediLevel is one kind of envelope: an interchange, a group, a message.
type ediLevel struct {
	header, trailer string
	// reference is the header's element that the trailer's element echo repeats; -1 is none. count is the trailer's.
	reference, echo, count int
}

// ediStandard is what the standards differ in.
type ediStandard struct {
	name                        string
	interchange, group, message ediLevel
	// strayMessages allows messages without an interchange around them.
	strayMessages bool
	// countsMessages is true where the interchange's trailer counts messages even if there are groups.
	countsMessages bool
	// syntax reads the service characters where an interchange begins. The int is how many bytes of service string
	// advice come before its header. ok is false when head is too short to tell.
	syntax func(head []byte) (s ediSyntax, advice int, ok bool)
	// charset finds the charset of a record from its interchange header.
	charset func(header ediSegment, body []byte) charset
	// describe names what a header states; headers are those of interchange, group and message, in this order.
	describe func(s ediSyntax, headers [3]*ediSegment) (interchange, group, message map[string]any)
	// carries reports whether a message belongs to the preamble of those that follow it.
	carries func(header ediSegment) bool
}

// ediDecoder reads one standard.
type ediDecoder struct {
	std       ediStandard
	guides    []*guide
	cs        charset
	report    bool
	ignore    bool
	maxRecord int
}

func newEDI(std ediStandard, b []byte) (Decoder, error) {
	var s ediSettings
	if err := readSettings(std.name, b, &s); err != nil {
		return nil, err
	}
	if err := oneOf(std.name, "envelope", s.Envelope, "strict", "report", "ignore"); err != nil {
		return nil, err
	}
	cs, err := charsetSetting(std.name, s.Encoding)
	if err != nil {
		return nil, err
	}
	if cs.wide {
		return nil, setting(std.name, "encoding", say("EDI in UTF-16 is not read", "不支持 UTF-16 的 EDI"))
	}
	d := &ediDecoder{
		std: std, cs: cs, report: s.Envelope == "report", ignore: s.Envelope == "ignore", maxRecord: s.MaxRecord.or(defaultMaxRecord),
	}
	d.guides, err = s.Guide.resolve(std.name)
	return d, err
}

// Split implements connectors.Splitter: a record is a message with its terminator; the preamble is what opens the
// interchange and the group around it. Wrong counts do not stop it: it returns them at the end.
func (d *ediDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	return d.splitDoubting(r, yield, &hub.Faults{})
}

// splitDoubting is Split that, where the settings only ask for a report, adds what the trailers disagree with to doubts.
func (d *ediDecoder) splitDoubting(r io.Reader, yield func(connectors.Piece) error, doubts *hub.Faults) error {
	c := &ediCutter{d: d, w: newWindow(r), at: newPlace(), yield: yield}
	err := c.run()
	switch {
	case d.ignore || len(c.found) == 0:
		return err
	case d.report:
		*doubts = append(*doubts, c.found...)
		return err
	case err == nil && len(c.found) == 1:
		return c.found[0]
	case err == nil:
		return c.found
	}
	if f, ok := errors.AsType[*hub.Fault](err); ok && c.atEnd {
		return append(c.found, f)
	}
	return err
}

// Decode implements Decoder. The tree is
//
//	{"interchange": {…}, "group": {…} or null, "message": {"type", "version", "reference", …},
//	 "segments": [{"tag": "BGM", "elements": [["351"], ["Y02197250"]]}, …],
//	 "tags": {"BGM": [[["351"], ["Y02197250"]]], …}, "body": as the guide says}
//
// with every element a list of components, all of them strings. An element that repeats has its first occurrence there and
// all of them under the segment's "repeats", by its number from 1.
func (d *ediDecoder) Decode(preamble, body []byte) (Tree, error) {
	m, err := d.read(preamble, body)
	if err != nil {
		return Tree{}, err
	}
	value := m.tree()
	if g := d.guideFor(m); g != nil {
		value["body"] = g.build(m, nil)
	}
	return Tree{Value: value, Locate: m.locate}, nil
}

// guideFor picks the guide of the message's type.
func (d *ediDecoder) guideFor(m *ediMessage) *guide {
	kind, _ := m.message["type"].(string)
	for _, g := range d.guides {
		if g.Message == kind {
			return g
		}
	}
	return nil
}

// read reads a record's segments and checks its own trailer.
func (d *ediDecoder) read(preamble, body []byte) (*ediMessage, error) {
	if len(body) > d.maxRecord {
		return nil, tooLarge("edi", newPlace().where(""), d.maxRecord)
	}
	m := &ediMessage{d: d, body: body}
	if err := m.readPreamble(preamble); err != nil {
		return nil, err
	}
	raw, state := m.syntax.next(body, 0)
	if state != ediSegmentThere || raw.tag != d.std.message.header {
		return nil, d.notAMessage(body)
	}
	if err := m.readBody(); err != nil {
		return nil, err
	}
	found := m.check()
	if len(found) > 0 && !d.ignore {
		if !d.report {
			return nil, found[0]
		}
		m.faults = found
	}
	if len(d.guides) > 0 && d.guideFor(m) == nil {
		names := make([]string, len(d.guides))
		for i, g := range d.guides {
			names[i] = g.Message
		}
		return nil, refuse("edi.guide", m.where(0, d.std.message.header), say("the message is a %v, the guides are for %s",
			"报文类型是 %v，而解析指南适用于 %s", m.message["type"], strings.Join(names, ", ")))
	}
	return m, nil
}

// notAMessage says why a body that is not one message could not be cut into messages.
func (d *ediDecoder) notAMessage(body []byte) error {
	n := 0
	err := d.Split(strings.NewReader(string(body)), func(connectors.Piece) error { n++; return nil })
	if err != nil {
		return err
	}
	return refuse("edi.message", newPlace().where(""), say("a record is one message from %s to %s; here there are %d",
		"一条记录应是从 %s 到 %s 的一个报文；此处有 %d 个", d.std.message.header, d.std.message.trailer, n))
}

// detectEDI looks for a header at the start.
func detectEDI(head []byte, prefixes ...string) int {
	text := textHead(head)
	for _, p := range prefixes {
		if len(text) > len(p) && strings.HasPrefix(string(text[:len(p)]), p) && !isTagByte(text[len(p)]) {
			return 95
		}
	}
	return 0
}

// mismatch compares a trailer with what it closes: the count with what was counted, the echo with the reference.
func (l ediLevel) mismatch(header, trailer ediSegment, counted int, unit [2]string, at func(pointer string) hub.Where) hub.Faults {
	var found hub.Faults
	stated := trailer.get(l.count, 0)
	if n, ok := plainNumber(stated); !ok || n != counted {
		found = append(found, refuse("edi.count", at(l.trailer+"/"+itoa(l.count+1)),
			text{
				en: fmt.Sprintf("the trailer states %q %s, there are %d", stated, unit[0], counted),
				zh: fmt.Sprintf("尾段声明 %q 个%s，实际有 %d 个", stated, unit[1], counted),
			}.hint(incomplete())))
	}
	if l.reference < 0 {
		return found
	}
	want, got := header.get(l.reference, 0), trailer.get(l.echo, 0)
	if want != got {
		found = append(found, refuse("edi.reference", at(l.trailer+"/"+itoa(l.echo+1)),
			say("the trailer closes %q, but %q is open", "尾段关闭的是 %q，而打开的是 %q", got, want).
				hint(incomplete())))
	}
	return found
}

func incomplete() (en, zh string) {
	return "part of the transmission may be missing: have it sent again, or set envelope: report",
		"传输可能不完整：请重新发送，或设置 envelope: report"
}

// plainNumber reads digits with leading zeros.
func plainNumber(s string) (int, bool) {
	if s == "" || len(s) > 12 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
