package epcis

import "strings"

// validURI reports whether a text is an xsd:anyURI as libxml2 has it, by which the field checks its documents: characters
// that a URI must escape may stand raw, and then it is a reference of RFC 3986, the port not empty.
func validURI(text string) bool {
	scheme, rest := cutScheme(text)
	if first, _ := cutAny(rest, "/?#"); scheme == "" && strings.Contains(first, ":") {
		return false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	if !uriText(fragment, "/?[]:@") || !uriText(query, "/?:@") {
		return false
	}
	path := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		authority := ""
		if authority, path = cutAny(after, "/"); !validAuthority(authority) {
			return false
		}
	}
	return uriText(path, "/:@")
}

// cutScheme parts the scheme of a URI from what follows its colon.
func cutScheme(text string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || scheme == "" || scheme[0]-'0' < 10 {
		return "", text
	}
	for i := range len(scheme) {
		c := scheme[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c-'0' >= 10 && (i == 0 || c != '+' && c != '-' && c != '.') {
			return "", text
		}
	}
	return scheme, rest
}

// cutAny parts text before the first of some characters.
func cutAny(text, chars string) (before, rest string) {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// validAuthority checks userinfo@host:port.
func validAuthority(text string) bool {
	if user, host, ok := strings.Cut(text, "@"); ok {
		if !uriText(user, ":") {
			return false
		}
		text = host
	}
	if literal, ok := strings.CutPrefix(text, "["); ok {
		if _, text, ok = strings.Cut(literal, "]"); !ok || text != "" && text[0] != ':' {
			return false
		}
	}
	host, port, hasPort := strings.Cut(text, ":")
	return uriText(host, "") && (!hasPort || validPort(port))
}

// validPort reports whether a port is a number of 31 bits.
func validPort(port string) bool {
	n := 0
	for i := range len(port) {
		if port[i]-'0' >= 10 {
			return false
		}
		if n = n*10 + int(port[i]-'0'); n > 1<<31-1 {
			return false
		}
	}
	return port != ""
}

// uriText reports whether every character may stand in a component of a URI, of which also says what it may hold beyond
// the characters of every component, and every % is followed by two hexadecimal digits.
func uriText(text, also string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '%':
			if i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2]) {
				return false
			}
		case strings.IndexByte(":/?#[]@", c) >= 0 && strings.IndexByte(also, c) < 0:
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c-'0' < 10 || c|0x20 >= 'a' && c|0x20 <= 'f' }
