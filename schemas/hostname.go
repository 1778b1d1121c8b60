package schemas

import (
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// isIPv4 reports whether s is a dotted quad without leading zeros (RFC 2673, section 3.2).
func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

// isHostname reports whether s is a host name of ASCII labels (RFC 1123, section 2.1); a label in Punycode must stand for
// a valid internationalised one (RFC 5891).
func isHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLDH(label) {
			return false
		}
		if len(label) >= 4 && label[2:4] == "--" && !isIDNLabel(strings.ToLower(label)) {
			return false
		}
	}
	return true
}

// isLDH reports whether label consists of letters, digits and inner hyphens.
func isLDH(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		if c := label[i]; !isWordByte(c) && c != '-' || c == '_' {
			return false
		}
	}
	return true
}

// isIDNHostname reports whether s is an internationalised host name (RFC 5890, section 2.3.2.3). The ideographic and
// full-width full stops separate labels too.
func isIDNHostname(s string) bool {
	s = strings.NewReplacer("。", ".", "．", ".", "｡", ".").Replace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isIDNLabel(label) {
			return false
		}
	}
	ascii, err := idnaProfile().ToASCII(s)
	return err == nil && len(ascii) <= 253
}

func idnaProfile() *idna.Profile {
	return idna.New(idna.ValidateLabels(true), idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(),
		idna.StrictDomainName(true), idna.VerifyDNSLength(true))
}

// isIDNLabel reports whether label, as Unicode or Punycode, is valid by IDNA 2008: by the tables of package idna, which
// follow the laxer UTS 46, and by the rules of RFC 5892.
func isIDNLabel(label string) bool {
	p := idnaProfile()
	ulabel, err := p.ToUnicode(label)
	if err != nil {
		return false
	}
	if back, err := p.ToASCII(ulabel); err != nil || strings.HasPrefix(label, "xn--") && back != label {
		return false
	}
	if norm.NFKC.String(ulabel) != ulabel {
		return false
	}
	runes := []rune(ulabel)
	for i, r := range runes {
		if !isProtocolValid(r) || !inContext(runes, i) {
			return false
		}
	}
	return true
}

// isProtocolValid reports whether r may stand in a label at all (RFC 5892, sections 2.1, 2.6 and 2.7).
func isProtocolValid(r rune) bool {
	if strings.ContainsRune("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b", r) {
		return false
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd) ||
		strings.ContainsRune("-\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb\u200c\u200d", r)
}

// inContext checks the rules for characters that are valid in some surroundings only (RFC 5892, appendix A.3 to A.9).
func inContext(label []rune, i int) bool {
	before, after := rune(0), rune(0)
	if i > 0 {
		before = label[i-1]
	}
	if i+1 < len(label) {
		after = label[i+1]
	}
	switch r := label[i]; {
	case r == '\u00b7': // middle dot, as in Catalan
		return before == 'l' && after == 'l'
	case r == '\u0375': // Greek keraia
		return unicode.Is(unicode.Greek, after)
	case r == '\u05f3' || r == '\u05f4': // Hebrew geresh and gershayim
		return unicode.Is(unicode.Hebrew, before)
	case r == '\u30fb': // Katakana middle dot
		return containsScript(label)
	case r >= '\u0660' && r <= '\u0669': // Arabic-Indic digits
		return !containsRange(label, '\u06f0', '\u06f9')
	}
	return true
}

func containsScript(label []rune) bool {
	for _, r := range label {
		if r != '\u30fb' && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) {
			return true
		}
	}
	return false
}

func containsRange(label []rune, low, high rune) bool {
	for _, r := range label {
		if r >= low && r <= high {
			return true
		}
	}
	return false
}

// isEmail reports whether s is a mailbox (RFC 5321, section 4.1.2).
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || !isASCII(s) || !isLocalPart(s[:at]) {
		return false
	}
	domain := s[at+1:]
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		address, closed := strings.CutSuffix(literal, "]")
		if v6, ok := strings.CutPrefix(address, "IPv6:"); ok {
			return closed && isIPLiteral(v6)
		}
		return closed && isIPv4(address)
	}
	return isHostname(domain)
}

// isIDNEmail reports whether s is a mailbox whose parts may be of any script (RFC 6531, section 3.3).
func isIDNEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at >= 1 && isLocalPart(s[:at]) && isIDNHostname(s[at+1:])
}

// isLocalPart checks what stands before the @: words with dots between them, or a quoted string of at most 64 bytes.
func isLocalPart(s string) bool {
	if len(s) > 64 {
		return false
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return !strings.ContainsAny(strings.NewReplacer(`\\`, "", `\"`, "").Replace(s[1:len(s)-1]), "\"\r\n")
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || strings.ContainsAny(word, " \t\r\n\"(),:;<>@[\\]") {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
