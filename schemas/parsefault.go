package schemas

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// fail notes the first fault.
func (p *parser) fail(offset int, s syntax) {
	if p.fault != nil {
		return
	}
	code := s.code
	if code == "" {
		code = "json.syntax"
	}
	p.fault = &hub.Fault{
		Kind: hub.Invalid, Code: code,
		Message: s.en, MessageZh: s.zh, Hint: s.hint, HintZh: s.hintZh,
		Where: lineColumn(p.data, offset),
	}
}

// unexpected chooses the words for c where a value should begin.
func (p *parser) unexpected(c byte) syntax {
	switch {
	case p.pos >= len(p.data) && len(bytes.TrimSpace(p.data[skipBOM(p.data):])) == 0:
		return syntaxEmpty
	case p.pos >= len(p.data):
		return syntaxCut
	case c == '/':
		return syntaxComment
	case c == '\'':
		return syntaxSingleQuote
	case c >= utf8.RuneSelf:
		if !utf8.Valid(p.data[p.pos:]) {
			return notUTF8
		}
		return syntaxQuoteLike
	case isWordByte(c):
		return syntaxBareWord
	}
	return p.stray(c)
}

func (p *parser) notAName(c byte) syntax {
	switch {
	case p.pos >= len(p.data):
		return syntaxCut
	case c == '/':
		return syntaxComment
	case c == '\'':
		return syntaxSingleQuote
	case c >= utf8.RuneSelf:
		return syntaxQuoteLike
	}
	return syntaxName
}

func (p *parser) notAComma(c, closing byte) syntax {
	switch {
	case p.pos >= len(p.data):
		return syntaxCut
	case c == '/':
		return syntaxComment
	case c == '"' || c == '{' || c == '[' || isWordByte(c) || c == '-':
		return syntaxMissingComma
	}
	s := p.stray(c)
	s.en += fmt.Sprintf(", expected ',' or '%c'", closing)
	s.zh += fmt.Sprintf("，应为 ',' 或 '%c'", closing)
	return s
}

func (p *parser) stray(c byte) syntax {
	return syntax{
		en: fmt.Sprintf("unexpected character %q", rune(c)),
		zh: fmt.Sprintf("出现意外的字符 %q", rune(c)),
	}
}
