// Package spelling guesses what a misspelt name was meant to be, for the "did you mean" of every message: keys of YAML files,
// fields and values of events, columns, query parameters, functions. One rule for all, so that the same slip is understood
// everywhere.
package spelling

import (
	"strings"
	"unicode"
)

// What may be wrong of a word. Names of fields come from programs and are nearly right; what people type is less so.
const (
	// Typed allows one character in three, and one in any word.
	Typed = 3
	// Coded allows one character in four, and none in words of less than four.
	Coded = 4
)

// longest bounds what is compared: longer words are no misspellings.
const longest = 64

// Nearest returns the word of known that got most likely misspells, as known spells it, or "" when none is near enough to be
// meant. Case and separators count for nothing: min_age, min-age and minAge are one. Of two that are equally near it is the
// one that begins alike, as people mean it, then the first. One character in share may be wrong: [Typed] or [Coded].
func Nearest(got string, known []string, share int) string {
	word := plain(got)
	if len(word) == 0 || len(word) > longest {
		return ""
	}
	limit := len(word) / share
	if share == Typed {
		limit = max(limit, 1)
	}
	best, alike := "", 0
	for _, k := range known {
		other := plain(k)
		d := distance(word, other, limit)
		if d > limit {
			continue
		}
		if begins := sharedStart(word, other); best == "" || d < limit || begins > alike {
			best, limit, alike = k, d, begins
		}
	}
	return best
}

// Alike is the number of characters that two words have in common at their beginnings, case and separators aside.
func Alike(a, b string) int { return sharedStart(plain(a), plain(b)) }

// Same reports whether two words differ in nothing but case and separators.
func Same(a, b string) bool { return string(plain(a)) == string(plain(b)) }

func plain(s string) []rune {
	return []rune(strings.Map(func(r rune) rune {
		switch r {
		case '_', '-', ' ', '.', '/':
			return -1
		}
		return unicode.ToLower(r)
	}, s))
}

func sharedStart(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment), or limit+1 when there are more than limit.
func distance(a, b []rune, limit int) int {
	if len(b) > longest || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, up, upper := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(up[j]+1, row[j-1]+1, up[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], upper[j-2]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], limit+1)
}
