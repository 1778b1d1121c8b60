package schemas

import (
	"strings"
	"unicode"
)

// maxSuggest bounds the length of what is compared: longer values are no misspellings.
const maxSuggest = 64

// How bad a misspelling may be: field names come from programs and are nearly right, values are often typed by people.
const (
	shareOfName  = 4
	shareOfValue = 3
)

// nearest returns the candidate that word most likely misspells, or "". One character in share may be wrong.
func nearest(word string, candidates []string, share int) string {
	if word == "" || len(word) > maxSuggest {
		return ""
	}
	plain := plainForm(word)
	best, bestDistance := "", len(plain)/share+1
	for _, c := range candidates {
		other := plainForm(c)
		if other == plain {
			return c
		}
		if d := distance(plain, other, bestDistance); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// plainForm reduces s to what is left when spelling habits are taken away: case, separators, accents of style.
func plainForm(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' || r == '/' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance returns the number of insertions, deletions, substitutions and swaps of neighbours between a and b, or limit
// when there are at least that many.
func distance(a, b string, limit int) int {
	ar, br := []rune(a), []rune(b)
	if len(ar)-len(br) >= limit || len(br)-len(ar) >= limit {
		return limit
	}
	before, last, row := make([]int, len(br)+1), make([]int, len(br)+1), make([]int, len(br)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(ar); i++ {
		row[0] = i
		for j := 1; j <= len(br); j++ {
			cost := 1
			if ar[i-1] == br[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && ar[i-1] == br[j-2] && ar[i-2] == br[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(br)], limit)
}
