package decode

// GuessEncoding names the encoding of an item of a format whose default would misread it, by the item's first bytes, or
// returns "". It serves people who look at a file that they do not know; a connector states its encoding.
func GuessEncoding(format string, head []byte) string {
	if format != "csv" {
		return ""
	}
	head = peelHead(peelHead(head))
	if _, n := charsetOfBOM(head); n > 0 {
		return ""
	}
	if cs := unmarkedWide(head); cs.wide {
		return cs.name
	}
	if validUTF8Prefix(head) {
		return ""
	}
	return guessLegacy(head)
}

// guessLegacy tells the encodings from before UTF-8 apart. Chinese text in GB18030 comes in pairs of bytes above ASCII. In
// Windows-1252 such a byte stands alone, as a letter among letters. In Shift JIS and Big5 the second byte of a character
// is often one of ASCII, and the first bytes lie in different rows.
func guessLegacy(b []byte) string {
	odd, runs, letters := 0, 0, 0
	for i := 0; i < len(b); {
		start := i
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		switch n := i - start; {
		case n == 0:
			i++
			continue
		case n == 1 && b[start] >= 0xc0:
			letters++
			odd++
		case n%2 == 1:
			odd++
		}
		runs++
	}
	switch {
	case odd*10 <= runs:
		return ""
	case letters*10 >= odd*7:
		return "windows-1252"
	}
	for _, name := range []string{"shift_jis", "big5"} {
		if cs, ok := charsetNamed(name); ok && cs.suits(b) {
			return name
		}
	}
	if gb := gb18030Charset(); !gb.decodes(b) {
		return "windows-1252"
	}
	return ""
}

// suits reports whether text of two-byte characters is written in a charset: all of it decodes, and the first bytes lie
// where the charset's common characters do.
func (c charset) suits(b []byte) bool {
	common, all := 0, 0
	for i := 0; i < len(b); i += c.step(b[i:]) {
		if b[i] < 0x80 {
			continue
		}
		if all++; c.name == "shift_jis" && b[i] >= 0x81 && b[i] <= 0x9f || c.name == "big5" && b[i] >= 0xa1 && b[i] <= 0xc6 {
			common++
		}
	}
	return common*10 >= all*7 && c.decodes(b)
}

// decodes reports whether b is text in a charset, apart from a character that its end may have cut.
func (c charset) decodes(b []byte) bool {
	_, bad := c.text(b)
	return bad < 0 || bad > len(b)-4 && bad+c.step(b[bad:]) >= len(b)
}
