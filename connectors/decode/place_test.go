package decode

import (
	"testing"
	"unicode/utf8"
)

// FuzzPlace holds that a place moves over bytes in parts as it does byte by byte, and counts columns as utf8.RuneCount does.
func FuzzPlace(f *testing.F) {
	for _, text := range []string{"", "plain text of ASCII\r\nand a second line\n", "启赋有机 900 g × 6\r\r\n", "\xe5\x90\xff broken \xf0\x9f", "\n\n\r"} {
		f.Add([]byte(text), 3, 11)
	}
	f.Fuzz(func(t *testing.T, b []byte, i, j int) {
		if got, want := countRunes(b), utf8.RuneCount(b); got != want {
			t.Fatalf("%q: %d columns, want %d", b, got, want)
		}
		i = min(max(i, 0), len(b))
		j = min(max(j, i), len(b))
		parts, one := newPlace(), newPlace()
		for _, part := range [][]byte{b[:i], b[i:j], b[j:]} {
			parts.advance(part, countBytes)
		}
		for k := range b {
			one.advance(b[k:k+1], countBytes)
		}
		if parts != one {
			t.Fatalf("%q: in parts %+v, byte by byte %+v", b, parts, one)
		}
	})
}

// FuzzScanString holds that a string of JSON ends where it does when it is followed byte by byte, in whatever parts it comes.
func FuzzScanString(f *testing.F) {
	for _, text := range []string{`plain", "next"`, `with \" and \\", 1`, "\x01\x02\"", `启赋有机幼儿配方奶粉3阶段"}`, `never closed \`} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		want, escaped := -1, false
		for i := 0; i < len(b) && want < 0; i++ {
			switch {
			case escaped:
				escaped = false
			case b[i] == '\\':
				escaped = true
			case b[i] == '"':
				want = i
			}
		}
		cut = min(max(cut, 0), len(b))
		s := jsonScan{inString: true}
		got, from := -1, 0
		for _, part := range [][]byte{b[:cut], b[cut:]} {
			if n := len(part); n > 0 && s.inString {
				if end := s.str(part, charset{}); !s.inString {
					got = from + end
				}
			}
			from += len(part)
		}
		if got != want {
			t.Fatalf("%q cut at %d: the string ends at %d, want %d", b, cut, got, want)
		}
	})
}
