package decode

import (
	"bytes"
	"errors"
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// xmlCutter finds the records of one item.
type xmlCutter struct {
	d     *xmlDecoder
	w     *window
	at    place
	yield func(connectors.Piece) error
	// declaration is the XML declaration as written; open and tags are the open elements outside records.
	declaration []byte
	open        []string
	tags        [][]byte
	preamble    []byte
	root        string
	found       bool
}

// whole yields the item as one record.
func (c *xmlCutter) whole() error {
	for {
		b := c.w.bytes()
		switch {
		case len(b) > c.d.maxRecord:
			return tooLarge("xml", c.at.where(""), c.d.maxRecord)
		case c.w.ended() && len(bytes.Trim(b, " \t\r\n")) == 0:
			return nil
		case c.w.ended():
			return c.yield(connectors.Piece{Body: c.w.keep(b), Line: 1, Column: 1})
		}
		if !c.w.more() {
			if err := c.w.failed(c.at); err != nil {
				return err
			}
		}
	}
}

// run yields the elements at the split path.
func (c *xmlCutter) run() error {
	for {
		tok, err := c.token(0)
		if err != nil {
			return err
		}
		if tok.kind == 0 {
			return c.end()
		}
		switch tok.kind {
		case xmlStart:
			err = c.start(tok)
		case xmlEnd:
			err = c.close(tok)
		case xmlText, xmlCDATA:
			c.skip(tok.end)
		case xmlSkip:
			if raw := c.w.bytes()[:tok.end]; c.root == "" && bytes.HasPrefix(raw, []byte("<?xml ")) {
				c.declaration = bytes.Clone(raw)
			}
			c.skip(tok.end)
		}
		if err != nil {
			return err
		}
	}
}

// end checks what was left open.
func (c *xmlCutter) end() error {
	switch {
	case len(c.open) > 0:
		return c.refuse("truncated", say("the document ends inside <%s>", "文档在 <%s> 内中断", c.open[len(c.open)-1]).
			hint("have it sent again", "请重新发送"))
	case c.root != "" && !c.found && !c.d.split.anywhere && !c.rootFits():
		return c.refuse("split", say("the root is <%s>, and the split path begins with %s", "根元素是 <%s>，而 split 路径以 %s 开头",
			c.root, c.d.split.names[0]))
	}
	return nil
}

func (c *xmlCutter) rootFits() bool {
	first := xmlPath{names: c.d.split.names[:1]}
	return first.matches([]string{c.root})
}

// start enters an element, or yields it where it is a record.
func (c *xmlCutter) start(tok xmlToken) error {
	name := string(tok.name)
	if c.root == "" {
		c.root = name
	}
	if len(c.open) >= c.d.maxDepth {
		return c.refuse("depth", say("the elements nest deeper than %d levels", "元素嵌套超过 %d 层", c.d.maxDepth))
	}
	c.open = append(c.open, name)
	if c.d.split.matches(c.open) {
		c.found = true
		err := c.record(tok)
		c.open = c.open[:len(c.open)-1]
		return err
	}
	if tok.closed {
		c.open = c.open[:len(c.open)-1]
	} else {
		c.tags = append(c.tags, bytes.Clone(c.w.bytes()[:tok.end]))
		c.preamble = nil
	}
	c.skip(tok.end)
	return nil
}

func (c *xmlCutter) close(tok xmlToken) error {
	last := len(c.open) - 1
	if last < 0 || c.open[last] != string(tok.name) {
		return c.refuse("syntax", say("</%s> closes nothing that is open", "</%s> 没有对应的开始标签", tok.name))
	}
	c.open, c.tags, c.preamble = c.open[:last], c.tags[:last], nil
	c.skip(tok.end)
	return nil
}

// record yields the element whose start tag is at the window's beginning.
func (c *xmlCutter) record(tok xmlToken) error {
	end, depth := tok.end, 1
	if tok.closed {
		depth = 0
	}
	for depth > 0 {
		if end > c.d.maxRecord {
			return tooLarge("xml", c.where(), c.d.maxRecord)
		}
		inner, err := c.token(end)
		if err != nil {
			return err
		}
		switch inner.kind {
		case 0:
			return c.refuse("truncated", say("the document ends inside the <%s> that begins here", "文档在此处开始的 <%s> 内中断",
				c.open[len(c.open)-1]).hint("have it sent again", "请重新发送"))
		case xmlStart:
			if !inner.closed {
				depth++
			}
		case xmlEnd:
			depth--
		case xmlText, xmlCDATA, xmlSkip:
		}
		end = inner.end
	}
	if c.preamble == nil {
		c.preamble = bytes.Join(append([][]byte{c.declaration}, c.tags...), nil)
	}
	piece := connectors.Piece{
		Preamble: c.preamble, Body: c.w.keep(c.w.bytes()[:end]), Line: c.at.line, Column: c.at.col,
	}
	if err := c.yield(piece); err != nil {
		return err
	}
	c.skip(end)
	return nil
}

// token reads the token at an offset from the window's beginning; kind 0 is the end of the item.
func (c *xmlCutter) token(offset int) (xmlToken, error) {
	for {
		b := c.w.bytes()
		err := errXMLMore
		var tok xmlToken
		if offset < len(b) {
			tok, err = nextXML(b, offset)
		}
		switch {
		case err == nil:
			return tok, nil
		case !errors.Is(err, errXMLMore):
			return tok, c.d.refuseToken(err, c.whereAt(offset))
		case len(b)-offset > c.d.maxRecord:
			return tok, tooLarge("xml", c.where(), c.d.maxRecord)
		case c.w.more():
		case c.w.failed(c.at) != nil:
			return tok, c.w.failed(c.at)
		case offset >= len(c.w.bytes()):
			return xmlToken{}, nil
		default:
			return tok, c.d.refuseToken(errXMLMore, c.whereAt(offset))
		}
	}
}

func (c *xmlCutter) skip(n int) {
	c.at.advance(c.w.bytes()[:n], countRunes)
	c.w.skip(n)
}

func (c *xmlCutter) where() hub.Where { return c.whereAt(0) }

func (c *xmlCutter) whereAt(offset int) hub.Where {
	at := c.at
	at.advance(c.w.bytes()[:min(offset, len(c.w.bytes()))], countRunes)
	return at.where("/" + strings.Join(c.open, "/"))
}

func (c *xmlCutter) refuse(code string, said text) error { return refuse("xml."+code, c.where(), said) }
