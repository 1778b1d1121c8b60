package schemas

import (
	"strings"
	"unicode/utf8"
)

// isURITemplate reports whether s is a URI template (RFC 6570, section 2).
func isURITemplate(s string) bool {
	for s != "" {
		open := strings.IndexByte(s, '{')
		literal := s
		if open >= 0 {
			literal = s[:open]
		}
		if !isTemplateLiteral(literal) {
			return false
		}
		if open < 0 {
			return true
		}
		end := strings.IndexByte(s, '}')
		if end < open || !isTemplateExpression(s[open+1:end]) {
			return false
		}
		s = s[end+1:]
	}
	return true
}

// isTemplateLiteral checks the text between expressions (RFC 6570, section 2.1).
func isTemplateLiteral(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
		case c <= ' ' || c == 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		}
	}
	return utf8.ValidString(s)
}

// isTemplateExpression checks what stands between braces: an operator and variables (RFC 6570, section 2.2).
func isTemplateExpression(s string) bool {
	if s != "" && strings.IndexByte("+#./;?&=,!@|", s[0]) >= 0 {
		s = s[1:]
	}
	for variable := range strings.SplitSeq(s, ",") {
		if !isTemplateVariable(variable) {
			return false
		}
	}
	return true
}

// isTemplateVariable checks a name with a prefix length or an explode modifier (RFC 6570, sections 2.3 and 2.4).
func isTemplateVariable(s string) bool {
	s = strings.TrimSuffix(s, "*")
	name, length, prefixed := strings.Cut(s, ":")
	if prefixed && (length == "" || len(length) > 4 || length[0] == '0' || !isDigits(length)) {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return false
		}
		for i := 0; i < len(part); i++ {
			if part[i] == '%' && i+2 < len(part) && isHex(part[i+1]) && isHex(part[i+2]) {
				i += 2
				continue
			}
			if !isWordByte(part[i]) {
				return false
			}
		}
	}
	return true
}
