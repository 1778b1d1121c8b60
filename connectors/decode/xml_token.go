package decode

import (
	"bytes"
	"errors"
)

// xmlKind is a kind of XML markup.
type xmlKind uint8

const (
	xmlText xmlKind = iota + 1
	xmlStart
	xmlEnd
	xmlCDATA
	xmlSkip // a comment or processing instruction
)

// xmlToken is one piece of markup in a buffer.
type xmlToken struct {
	kind xmlKind
	// at and end are its place in the buffer.
	at, end int
	// name is an element's name; rest is what a start tag holds after it, or the text of text and CDATA.
	name, rest []byte
	// closed is true for an empty-element tag.
	closed bool
}

// errXMLMore says that a token is not whole yet.
var errXMLMore = errors.New("the token is not whole")

// errXMLDTD says that the document has a document type declaration.
var errXMLDTD = errors.New("document type declaration")

// nextXML reads the token at an offset of b. It works on the bytes of any encoding in which ASCII characters are single
// bytes and '<', '>' and quotes are never part of another.
func nextXML(b []byte, at int) (xmlToken, error) {
	rest := b[at:]
	if rest[0] != '<' {
		n := bytes.IndexByte(rest, '<')
		if n < 0 {
			n = len(rest)
		}
		return xmlToken{kind: xmlText, at: at, end: at + n, rest: rest[:n]}, nil
	}
	if len(rest) < 2 {
		return xmlToken{}, errXMLMore
	}
	switch rest[1] {
	case '?':
		return xmlUntil(b, at, 2, "?>", xmlSkip)
	case '!':
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			return xmlUntil(b, at, 4, "-->", xmlSkip)
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return xmlUntil(b, at, 9, "]]>", xmlCDATA)
		case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
			return xmlToken{at: at}, errXMLDTD
		case len(rest) < 9:
			return xmlToken{}, errXMLMore
		}
		return xmlToken{at: at}, errors.New("markup that is not XML")
	}
	return xmlTag(b, at)
}

// xmlUntil reads markup of a fixed beginning and end.
func xmlUntil(b []byte, at, begin int, end string, kind xmlKind) (xmlToken, error) {
	n := bytes.Index(b[at+begin:], []byte(end))
	if n < 0 {
		return xmlToken{}, errXMLMore
	}
	from := at + begin
	return xmlToken{kind: kind, at: at, end: from + n + len(end), rest: b[from : from+n]}, nil
}

// xmlTag reads a start or end tag; a '>' inside quotes does not end it.
func xmlTag(b []byte, at int) (xmlToken, error) {
	i, kind := at+1, xmlStart
	if b[i] == '/' {
		i, kind = i+1, xmlEnd
	}
	from := i
	for i < len(b) && isNameByte(b[i]) {
		i++
	}
	if i == len(b) {
		return xmlToken{}, errXMLMore
	}
	name := b[from:i]
	if len(name) == 0 || !isNameStart(name[0]) {
		return xmlToken{at: at}, errors.New("a '<' that begins no tag")
	}
	from = i
	for i < len(b) {
		switch b[i] {
		case '>':
			tok := xmlToken{kind: kind, at: at, end: i + 1, name: name, rest: b[from:i]}
			if kind == xmlStart && i > from && b[i-1] == '/' {
				tok.closed, tok.rest = true, b[from:i-1]
			}
			return tok, nil
		case '<':
			return xmlToken{at: at}, errors.New("a tag that is not closed before the next '<'")
		case '"', '\'':
			n := bytes.IndexByte(b[i+1:], b[i])
			if n < 0 {
				return xmlToken{}, errXMLMore
			}
			i += n + 1
		}
		i++
	}
	return xmlToken{}, errXMLMore
}

func isNameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.'
}
