package gs1

import (
	"strings"
	"unicode/utf8"
)

// Flaw is what a content check finds wrong in the data of an application identifier.
type Flaw struct {
	// Code is stable: the name that the GS1 Barcode Syntax Tests use, in lower case with dashes, such as "illegal-month".
	Code string
	// At and Len are the offending bytes of the data.
	At, Len int
}

// Lint runs one content check of the GS1 Barcode Syntax Dictionary, by its name there ("csum", "yymmd0", "iso3166", …; the
// character sets are "csetnumeric", "cset82", "cset39", "cset64"), over data. It returns nil where nothing is wrong, and
// known false where there is no check of that name. Checks of company prefixes ask table; without one they let every
// prefix of digits pass.
func Lint(check, data string, table *PrefixTable) (flaw *Flaw, known bool) {
	f := lintNamed(check)
	if f == nil {
		return nil, false
	}
	return f(data, table).orNil(), true
}

// orNil turns "no flaw" into nil.
func (f Flaw) orNil() *Flaw {
	if f.Code == "" {
		return nil
	}
	return &f
}

// shifted moves f to where its data stands in a longer text.
func (f Flaw) shifted(by int) Flaw {
	f.At += by
	return f
}

// whole is a flaw of all of data.
func whole(code, data string) Flaw { return Flaw{code, 0, len(data)} }

// charFlaw is a flaw of the character at data[i].
func charFlaw(code, data string, i int) Flaw {
	_, size := utf8.DecodeRuneInString(data[i:])
	return Flaw{code, i, size}
}

// lintNamed returns the check of that name, or nil.
func lintNamed(name string) func(string, *PrefixTable) Flaw {
	switch name {
	case "gcppos1":
		return lintPrefix
	case "gcppos2":
		return lintPrefixAfterFirst
	case "couponcode":
		return lintCouponCode
	case "couponposoffer":
		return lintCouponOffer
	}
	f := lintContentNamed(name)
	if f == nil {
		return nil
	}
	return func(data string, _ *PrefixTable) Flaw { return f(data) }
}

// lintContentNamed returns the check of that name that asks nobody, or nil.
func lintContentNamed(name string) func(string) Flaw {
	switch name {
	case "csetnumeric":
		return lintDigits
	case "cset82":
		return func(data string) Flaw { return lintSet(data, cset82, "invalid-cset82-character") }
	case "cset39":
		return func(data string) Flaw { return lintSet(data, cset39, "invalid-cset39-character") }
	case "cset64":
		return lintBase64
	case "csum":
		return lintCheckDigit
	case "csumalpha":
		return lintCheckPair
	case "zero":
		return lintZero
	case "nonzero":
		return lintNonZero
	case "nozeroprefix":
		return lintNoZeroPrefix
	case "hasnondigit":
		return lintHasNonDigit
	case "pieceoftotal":
		return lintPieceOfTotal
	case "posinseqslash":
		return lintPositionInSequence
	case "pcenc":
		return lintPercent
	case "importeridx":
		return lintImporterIndex
	}
	if f := lintTimeNamed(name); f != nil {
		return f
	}
	return lintCodeNamed(name)
}

// lintSet finds the first character outside set.
func lintSet(data string, set charset, code string) Flaw {
	for i := range len(data) {
		if !in(data[i], set) {
			return charFlaw(code, data, i)
		}
	}
	return Flaw{}
}

// lintDigits finds the first character that is no digit.
func lintDigits(data string) Flaw { return lintSet(data, digit, "non-digit-character") }

// lintBase64 checks base64url text, padded or not.
func lintBase64(data string) Flaw {
	text := strings.TrimRight(data, "=")
	pads := len(data) - len(text)
	if pads > 2 || pads > 0 && len(data)%3 != 0 {
		return Flaw{"invalid-cset64-padding", len(text), pads}
	}
	for i := range len(text) {
		if !isBase64(text[i]) {
			return charFlaw("invalid-cset64-character", data, i)
		}
	}
	return Flaw{}
}

// isBase64 reports whether c is one of the 64 characters of base64url.
func isBase64(c byte) bool { return uriUnreserved(c) && c != '.' && c != '~' }

// lintCheckDigit checks that the last digit is the check digit.
func lintCheckDigit(data string) Flaw {
	if data == "" {
		return Flaw{Code: "too-short-for-check-digit"}
	}
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	last := len(data) - 1
	if checkDigit(data[:last]) != data[last] {
		return Flaw{"incorrect-check-digit", last, 1}
	}
	return Flaw{}
}

// lintCheckPair checks that the last two characters are the check characters.
func lintCheckPair(data string) Flaw {
	if len(data) > len(primes)+2 {
		return whole("too-long-for-check-pair-implementation", data)
	}
	if len(data) < 2 {
		return whole("too-short-for-check-pair", data)
	}
	body := data[:len(data)-2]
	if f := lintSet(body, cset82, "invalid-cset82-character"); f.Code != "" {
		return f
	}
	if pair, err := CheckPair(body); err != nil || pair != data[len(body):] {
		return Flaw{"incorrect-check-pair", len(body), 2}
	}
	return Flaw{}
}

// lintZero wants zeros only.
func lintZero(data string) Flaw {
	if data == "" || strings.Trim(data, "0") != "" {
		return whole("not-zero", data)
	}
	return Flaw{}
}

// lintNonZero wants digits that are not all zero.
func lintNonZero(data string) Flaw {
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	if strings.Trim(data, "0") == "" {
		return whole("illegal-zero-value", data)
	}
	return Flaw{}
}

// lintNoZeroPrefix wants digits that do not begin with zero.
func lintNoZeroPrefix(data string) Flaw {
	if strings.HasPrefix(data, "0") {
		return Flaw{"illegal-zero-prefix", 0, 1}
	}
	return lintDigits(data)
}

// lintHasNonDigit wants a character that is no digit.
func lintHasNonDigit(data string) Flaw {
	if allIn(data, digit) {
		return whole("requires-non-digit-character", data)
	}
	return Flaw{}
}

// lintPieceOfTotal wants two numbers of equal length, the first neither zero nor above the second.
func lintPieceOfTotal(data string) Flaw {
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	half := len(data) / 2
	if half == 0 || len(data)%2 != 0 {
		return whole("invalid-length-for-piece-of-total", data)
	}
	piece, total := data[:half], data[half:]
	switch {
	case strings.Trim(piece, "0") == "":
		return Flaw{"zero-piece-number", 0, half}
	case strings.Trim(total, "0") == "":
		return Flaw{"zero-total-pieces", half, half}
	case piece > total:
		return whole("piece-number-exceeds-total", data)
	}
	return Flaw{}
}

// lintPositionInSequence wants "position/end", two numbers without leading zeros, the first not above the second.
func lintPositionInSequence(data string) Flaw {
	pos, end, ok := strings.Cut(data, "/")
	if !ok || pos == "" || end == "" || !allIn(pos, digit) || !allIn(end, digit) {
		return whole("position-in-sequence-malformed", data)
	}
	switch {
	case pos[0] == '0':
		return Flaw{"illegal-zero-prefix", 0, len(pos)}
	case end[0] == '0':
		return Flaw{"illegal-zero-prefix", len(pos) + 1, len(end)}
	case len(pos) > len(end) || len(pos) == len(end) && pos > end:
		return whole("position-exceeds-end", data)
	}
	return Flaw{}
}

// lintPercent wants two hexadecimal digits after each percent sign.
func lintPercent(data string) Flaw {
	for i := 0; i < len(data); i++ {
		if data[i] != '%' {
			continue
		}
		if _, ok := escapeAt(data, i); !ok {
			return Flaw{"invalid-percent-sequence", i, min(3, len(data)-i)}
		}
		i += 2
	}
	return Flaw{}
}

// lintImporterIndex wants one character of base64url.
func lintImporterIndex(data string) Flaw {
	if data == "" || utf8.RuneCountInString(data) != 1 {
		return whole("importer-idx-must-be-one-character", data)
	}
	if len(data) != 1 || !isBase64(data[0]) {
		return whole("invalid-import-idx-character", data)
	}
	return Flaw{}
}

// lintPrefix wants data to begin with a company prefix. Without a table any digits pass.
func lintPrefix(data string, table *PrefixTable) Flaw {
	if len(data) < minPrefixDigits {
		return whole("too-short-for-gcp", data)
	}
	for i := range minPrefixDigits {
		if !in(data[i], digit) {
			return charFlaw("invalid-gcp-prefix", data, i)
		}
	}
	if table != nil && table.Length(data) == 0 {
		return whole("invalid-gcp-prefix", data)
	}
	return Flaw{}
}

// minPrefixDigits is the length of the shortest company prefix that GS1 has assigned.
const minPrefixDigits = 4

// lintPrefixAfterFirst is lintPrefix for keys whose first digit is an indicator or extension.
func lintPrefixAfterFirst(data string, table *PrefixTable) Flaw {
	if len(data) < 2 {
		return whole("too-short-for-gcp", data)
	}
	f := lintPrefix(data[1:], table)
	return f.shifted(1)
}
