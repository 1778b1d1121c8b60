package epcis

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// ParseRecord parses one event that was taken out of a document on its own: body is its bytes and preamble what
// [Header.Preamble] said of the document, or empty. Both syntaxes are taken, and a whole document that holds exactly one
// event. A fault's place counts from the beginning of body.
func ParseRecord(preamble, body []byte) (*Event, error) {
	var event *Event
	visit := func(it Item) error {
		if event != nil {
			return faultf(hub.Invalid, "epcis.record.many", "the record holds more than one event", "记录中包含多个事件")
		}
		var err error
		event, err = it.Event()
		return err
	}
	head := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), xmlSpace)
	var err error
	if len(head) > 0 && head[0] == '<' {
		err = readXMLRecord(preamble, body, visit)
	} else {
		err = readJSONRecord(preamble, body, visit)
	}
	if err != nil {
		return nil, err
	}
	if event == nil {
		return nil, faultf(hub.Invalid, "epcis.record.none", "the record holds no event", "记录中没有事件")
	}
	return event, nil
}

func readJSONRecord(preamble, body []byte, visit func(Item) error) error {
	p := parser{src: string(body), pooled: true}
	n, err := p.parse()
	if err != nil {
		return err
	}
	if n.member("epcisBody") != nil || n.kind == kindArray {
		_, err := ReadDocument(bytes.NewReader(body), Limits{}, visit)
		return err
	}
	var ctx *Context
	if len(bytes.TrimSpace(preamble)) > 0 {
		around, err := parseJSON(preamble)
		if err != nil {
			return faultf(hub.Internal, "epcis.record.preamble", "the record's preamble is no JSON", "记录的前导内容不是 JSON").Because(err)
		}
		if ctx, err = ctx.extend(around.member("@context")); err != nil {
			return err
		}
	}
	e, err := p.event(n, ctx)
	if err != nil {
		return err
	}
	return visit(Item{parsed: e})
}

// errEnough ends the reading of a fragment, whose open tags are never closed.
var errEnough = errors.New("one event is enough")

func readXMLRecord(preamble, body []byte, visit func(Item) error) error {
	if len(preamble) == 0 {
		_, err := ReadDocument(bytes.NewReader(body), Limits{}, visit)
		return err
	}
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(preamble), bytes.NewReader(body)))
	_, err := readXML(r, Limits{}.withDefaults(), func(it Item) error {
		if err := visit(it); err != nil {
			return err
		}
		return errEnough
	})
	if err == nil || errors.Is(err, errEnough) {
		return nil
	}
	var f *hub.Fault
	if !errors.As(err, &f) {
		return err
	}
	moved := *f
	if moved.Where.Line -= bytes.Count(preamble, []byte("\n")); moved.Where.Line == 1 {
		moved.Where.Column -= utf8.RuneCount(preamble[bytes.LastIndexByte(preamble, '\n')+1:])
	}
	return &moved
}
