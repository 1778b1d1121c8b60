package decode

import (
	"bytes"
	"fmt"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// ediCutter finds the messages of one item and holds the envelopes against their trailers.
type ediCutter struct {
	d     *ediDecoder
	w     *window
	at    place
	yield func(connectors.Piece) error

	syntax ediSyntax
	known  bool
	// interchange and group are the envelopes that are open; messages counts all that were cut, for places.
	interchange, group ediOpen
	messages           int
	// advice, carried and preamble make up what precedes the messages.
	advice, carried, preamble []byte
	// found are trailers that disagree; atEnd is true once nothing follows.
	found hub.Faults
	atEnd bool
}

// ediOpen is an envelope that is open: its header, what it holds, and where it began.
type ediOpen struct {
	open             bool
	header           ediSegment
	raw              []byte
	groups, messages int
	at               place
}

// unit is what trailers count, in both languages.
func ediUnits() (segments, messages, groups [2]string) {
	return [2]string{"segments", "段"}, [2]string{"messages", "报文"}, [2]string{"groups", "功能组"}
}

func (c *ediCutter) run() error {
	c.w.more()
	if _, n := charsetOfBOM(c.w.bytes()); n > 0 {
		c.w.skip(n)
	}
	for {
		raw, err := c.segment(0)
		if err != nil {
			return err
		}
		if raw.tag == "" && raw.end == 0 {
			c.atEnd = true
			return c.end()
		}
		c.skip(raw.at)
		raw.stop, raw.end, raw.at = raw.stop-raw.at, raw.end-raw.at, 0
		if err := c.take(raw); err != nil {
			return err
		}
	}
}

// take acts on the segment at the window's beginning, which is outside messages.
func (c *ediCutter) take(raw ediRaw) error {
	std := c.d.std
	switch raw.tag {
	case "":
		return c.refuse("segment", "", say("what stands here begins no segment", "此处不是合法的段标识"))
	case "UNA":
		if std.name != "edifact" {
			break
		}
		return c.adopt()
	case std.interchange.header:
		return c.openInterchange(raw)
	case std.group.header:
		return c.openGroup(raw)
	case std.message.header:
		return c.message(raw)
	case std.group.trailer:
		return c.closeGroup(raw)
	case std.interchange.trailer:
		return c.closeInterchange(raw)
	}
	return c.other(raw)
}

// other keeps a segment between an envelope's header and its first message with the header. Elsewhere it is refused.
func (c *ediCutter) other(raw ediRaw) error {
	holder := &c.interchange
	if c.group.open {
		holder = &c.group
	}
	if !holder.open || holder.messages+holder.groups > 0 || len(holder.raw) > chunk {
		return c.refuse("envelope", raw.tag, say("%s stands outside any message", "段 %s 位于任何报文之外", raw.tag).
			hint("the message's header may be missing", "可能缺少报文头段"))
	}
	holder.raw = append(holder.raw, c.w.bytes()[:raw.end]...)
	c.preamble = nil
	c.skip(raw.end)
	return nil
}

// maxAdvice is where the separators of an interchange must have been stated.
const maxAdvice = 512

// adopt reads the service characters where an interchange may begin.
func (c *ediCutter) adopt() error {
	for {
		s, advice, ok := c.d.std.syntax(c.w.bytes())
		if ok {
			s.lead = c.d.cs.lead
			c.syntax, c.known = s, true
			c.advice = bytes.Clone(c.w.bytes()[:advice])
			if advice == 0 && c.d.std.name == "edifact" && s.terminator != edifactDefaults().terminator {
				c.advice = s.advice()
			}
			c.preamble = nil
			c.skip(advice)
			return nil
		}
		if len(c.w.bytes()) >= maxAdvice {
			return c.refuse("header", "", say("the interchange header does not state its separators", "交换头段未给出分隔符"))
		}
		if !c.w.more() {
			if err := c.w.failed(c.at); err != nil {
				return err
			}
			return c.truncated("", say("the interchange header is cut off", "交换头段不完整"))
		}
	}
}

func (c *ediCutter) openInterchange(raw ediRaw) error {
	if c.interchange.open {
		c.missingTrailers()
	}
	if c.d.std.name == "x12" { // every header states its own service characters
		if err := c.adopt(); err != nil {
			return err
		}
		again, err := c.segment(0)
		if err != nil {
			return err
		}
		raw = again
	}
	header, err := c.parse(raw)
	if err != nil {
		return err
	}
	c.interchange = ediOpen{open: true, header: header, raw: bytes.Clone(c.w.bytes()[:raw.end]), at: c.at}
	c.group, c.carried, c.preamble = ediOpen{}, nil, nil
	if c.d.std.name == "edifact" && c.syntax.repeat == 0 && header.get(0, 1) >= "4" && len(c.advice) == 0 {
		c.syntax.repeat = '*'
	}
	c.skip(raw.end)
	return nil
}

func (c *ediCutter) openGroup(raw ediRaw) error {
	header, err := c.parse(raw)
	if err != nil {
		return err
	}
	if c.group.open {
		c.missing(c.group, c.d.std.group)
	}
	c.interchange.groups++
	c.group = ediOpen{open: true, header: header, raw: bytes.Clone(c.w.bytes()[:raw.end]), at: c.at}
	c.preamble = nil
	c.skip(raw.end)
	return nil
}

func (c *ediCutter) closeGroup(raw ediRaw) error {
	trailer, err := c.parse(raw)
	if err != nil {
		return err
	}
	_, messages, _ := ediUnits()
	if !c.group.open {
		c.note("envelope", raw.tag, say("%s closes a group that was never opened", "%s 没有对应的组头段", raw.tag))
	} else {
		c.found = append(c.found, c.d.std.group.mismatch(c.group.header, trailer, c.group.messages, messages, c.at.where)...)
	}
	c.group, c.preamble = ediOpen{}, nil
	c.skip(raw.end)
	return nil
}

func (c *ediCutter) closeInterchange(raw ediRaw) error {
	trailer, err := c.parse(raw)
	if err != nil {
		return err
	}
	_, messages, groups := ediUnits()
	switch {
	case !c.interchange.open:
		c.note("envelope", raw.tag, say("%s closes an interchange that was never opened", "%s 没有对应的交换头段", raw.tag))
	default:
		if c.group.open {
			c.missing(c.group, c.d.std.group)
		}
		counted, unit := c.interchange.messages, messages
		if c.interchange.groups > 0 && !c.d.std.countsMessages {
			counted, unit = c.interchange.groups, groups
		}
		c.found = append(c.found, c.d.std.interchange.mismatch(c.interchange.header, trailer, counted, unit, c.at.where)...)
	}
	c.interchange, c.group, c.known, c.advice, c.preamble = ediOpen{}, ediOpen{}, false, nil, nil
	c.skip(raw.end)
	return nil
}

// message yields the message whose header is at the window's beginning: up to its trailer, or, where the trailer is
// missing, up to the next segment of an envelope.
func (c *ediCutter) message(first ediRaw) error {
	if !c.interchange.open && !c.d.std.strayMessages {
		return c.refuse("envelope", first.tag, say("a message without an interchange header before it", "报文之前没有交换头段"))
	}
	header, err := c.parse(first)
	if err != nil {
		return err
	}
	c.messages++
	c.interchange.messages++
	c.group.messages++
	end := first.end
	for last := ""; last != c.d.std.message.trailer; {
		if end > c.d.maxRecord {
			return tooLarge("edi", c.at.where(c.path()), c.d.maxRecord)
		}
		raw, err := c.segment(end)
		if err != nil {
			return err
		}
		if raw.tag == "" && raw.end == 0 {
			return c.truncated(c.path(), say("the item ends inside the message that begins here",
				"内容在此处开始的报文内中断"))
		}
		if c.isEnvelope(raw.tag) {
			break
		}
		last, end = raw.tag, raw.end
	}
	if c.preamble == nil {
		c.preamble = bytes.Join([][]byte{c.advice, c.interchange.raw, c.group.raw, c.carried}, nil)
	}
	body := c.w.keep(c.w.bytes()[:end])
	if err := c.yield(connectors.Piece{Preamble: c.preamble, Body: body, Line: c.at.line, Column: c.at.col}); err != nil {
		return err
	}
	if c.d.std.carries != nil && c.carried == nil && c.d.std.carries(header) && len(body) <= chunk {
		c.carried, c.preamble = body, nil
	}
	c.skip(end)
	return nil
}

// isEnvelope reports whether a tag cannot stand inside a message.
func (c *ediCutter) isEnvelope(tag string) bool {
	std := c.d.std
	switch tag {
	case std.interchange.header, std.interchange.trailer, std.group.header, std.group.trailer, std.message.header:
		return true
	case "UNA":
		return std.name == "edifact"
	}
	return false
}

// end checks what was left open.
func (c *ediCutter) end() error {
	level, open := c.d.std.interchange, c.interchange
	if c.group.open {
		level, open = c.d.std.group, c.group
	}
	if !open.open {
		return nil
	}
	return c.truncated("", say("the item ends without %s, which closes the %s of line %d",
		"内容结束时缺少 %s，它应关闭第 %[3]d 行的 %[2]s", level.trailer, level.header, open.at.line))
}

// missingTrailers notes envelopes that a new interchange leaves open.
func (c *ediCutter) missingTrailers() {
	if c.group.open {
		c.missing(c.group, c.d.std.group)
	}
	c.missing(c.interchange, c.d.std.interchange)
	c.group = ediOpen{}
}

func (c *ediCutter) missing(open ediOpen, level ediLevel) {
	c.note("trailer", level.trailer, say("%s is missing, which closes the %s of line %d",
		"缺少 %s，它应关闭第 %[3]d 行的 %[2]s", level.trailer, level.header, open.at.line))
}

// segment reads the segment at or after an offset; an end of 0 is the end of the item.
func (c *ediCutter) segment(from int) (ediRaw, error) {
	for {
		if !c.known && from == 0 {
			if err := c.begin(); err != nil {
				return ediRaw{}, err
			}
		}
		b := c.w.bytes()
		raw, state := c.syntax.next(b, from)
		switch {
		case state == ediSegmentThere:
			return raw, nil
		case state == ediCut && len(b)-from > c.d.maxRecord:
			return raw, tooLarge("edi", c.whereAt(raw.at, raw.tag), c.d.maxRecord)
		case state == ediNothingThere && from == 0:
			c.skip(len(b))
		}
		if c.w.more() {
			continue
		}
		if err := c.w.failed(c.at); err != nil {
			return ediRaw{}, err
		}
		if state == ediNothingThere {
			return ediRaw{}, nil
		}
		return c.lastSegment(from, raw)
	}
}

// lastSegment is the segment that the end of the item cuts off, or ends where line breaks end segments.
func (c *ediCutter) lastSegment(from int, raw ediRaw) (ediRaw, error) {
	if line, ok := c.syntax.endOfLine(c.w.bytes(), raw); ok {
		return line, nil
	}
	pointer := raw.tag
	if from > 0 {
		pointer = c.path() + "/" + raw.tag
	}
	return raw, refuse("edi.truncated", c.whereAt(raw.at, pointer), say("the item ends inside the segment that begins here",
		"内容在此处开始的段内中断").hint("have it sent again", "请重新发送"))
}

// begin passes what may stand before an interchange and adopts its service characters.
func (c *ediCutter) begin() error {
	for {
		b := c.w.bytes()
		n := 0
		for n < len(b) && (ediSyntax{}).between(b[n]) {
			n++
		}
		c.skip(n)
		if len(c.w.bytes()) >= 3 || !c.w.more() {
			break
		}
	}
	if len(c.w.bytes()) == 0 {
		return c.w.failed(c.at)
	}
	return c.adopt()
}

// parse reads a segment at the window's beginning for its service data.
func (c *ediCutter) parse(raw ediRaw) (ediSegment, error) {
	g, err := c.syntax.parse(c.w.bytes(), raw, latin1Charset())
	if err != nil {
		err = movedTo(err, c.at)
	}
	return g, err
}

func (c *ediCutter) skip(n int) {
	c.at.advance(c.w.bytes()[:n], countBytes)
	c.w.skip(n)
}

// path names the message that is being cut.
func (c *ediCutter) path() string { return fmt.Sprintf("%s[%d]", c.d.std.message.header, c.messages) }

func (c *ediCutter) whereAt(offset int, pointer string) hub.Where {
	at := c.at
	at.advance(c.w.bytes()[:offset], countBytes)
	return at.where(pointer)
}

func (c *ediCutter) refuse(code, pointer string, said text) error {
	return refuse("edi."+code, c.at.where(pointer), said)
}

func (c *ediCutter) truncated(pointer string, said text) error {
	return c.refuse("truncated", pointer, said.hint("have it sent again", "请重新发送"))
}

// note keeps a finding that does not stop the cutting.
func (c *ediCutter) note(code, pointer string, said text) {
	c.found = append(c.found, refuse("edi."+code, c.at.where(pointer), said))
}
