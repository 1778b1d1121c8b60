package gs1

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed ai.tsv
var aiText string

// application is an application identifier of the GS1 General Specifications, section 3.
type application struct {
	// ai is the identifier itself, 2 to 4 digits.
	ai string
	// ends is true where a separator must end the field, unless it is the last.
	ends bool
	// components are the parts of the data, in order.
	components []component
	// attribute is true where it may stand in the query of a Digital Link.
	attribute bool
	// key is true for a primary key of a Digital Link, paths are the sequences of qualifiers that it may have.
	key   bool
	paths [][]string
	// requires holds groups of AIs, one of which must be there in full; excludes AIs that must not. An n is any digit.
	requires [][]string
	excludes []string
}

// component is one part of the data of an application identifier.
type component struct {
	set      byte // N, X, Y, or Z
	min, max int
	optional bool
	checks   []string
}

// shortest and longest are the least and greatest lengths of the data.
func (a *application) shortest() (n int) {
	for _, c := range a.components {
		if !c.optional {
			n += c.min
		}
	}
	return n
}

func (a *application) longest() (n int) {
	for _, c := range a.components {
		n += c.max
	}
	return n
}

// applications is the table by AI, read when it is first asked for.
//
//nolint:gochecknoglobals // read-only table
var applications = sync.OnceValue(readApplications)

// application returns the entry of ai, or nil.
func applicationOf(ai string) *application { return applications()[ai] }

// applicationAt returns the entry whose AI begins text, or nil. No AI begins another.
func applicationAt(text string) *application {
	for n := 2; n <= 4 && n <= len(text); n++ {
		if a := applicationOf(text[:n]); a != nil {
			return a
		}
	}
	return nil
}

// readApplications reads the embedded table. Its form is fixed and tested.
func readApplications() map[string]*application {
	table := make(map[string]*application, 600)
	for row := range strings.Lines(aiText) {
		row = strings.TrimSuffix(row, "\n")
		if strings.HasPrefix(row, "#") {
			continue
		}
		f := strings.Split(row, "\t")
		first, last, ranged := strings.Cut(f[0], "-")
		if !ranged {
			last = first
		}
		for n := number(first); n <= number(last); n++ {
			ai := strings.Repeat("0", len(first)-len(strconv.Itoa(n))) + strconv.Itoa(n)
			table[ai] = readApplication(ai, f)
		}
	}
	return table
}

// readApplication reads one row.
func readApplication(ai string, f []string) *application {
	a := &application{ai: ai, ends: f[1] == "ends", attribute: f[3] == "attribute", key: f[4] != "-"}
	for field := range strings.FieldsSeq(f[2]) {
		a.components = append(a.components, readComponent(field))
	}
	if a.key && f[4] != "alone" {
		for path := range strings.SplitSeq(f[4], "|") {
			a.paths = append(a.paths, strings.Split(path, ","))
		}
	}
	if f[5] != "-" {
		for group := range strings.SplitSeq(f[5], ",") {
			a.requires = append(a.requires, strings.Split(group, "+"))
		}
	}
	if f[6] != "-" {
		a.excludes = strings.Split(f[6], ",")
	}
	return a
}

// readComponent reads a component such as "N13,csum", "X..20", or "[N4],hhmi".
func readComponent(field string) component {
	form, checks, _ := strings.Cut(field, ",")
	var c component
	if strings.HasPrefix(form, "[") {
		c.optional, form = true, strings.Trim(form, "[]")
	}
	c.set = form[0]
	if most, ranged := strings.CutPrefix(form[1:], ".."); ranged {
		c.min, c.max = 1, number(most)
	} else {
		c.min = number(form[1:])
		c.max = c.min
	}
	if checks != "" {
		c.checks = strings.Split(checks, ",")
	}
	return c
}

// allowsPath reports whether the key may have exactly these qualifiers, in this order.
func (a *application) allowsPath(ais []string) bool {
	if len(ais) == 0 {
		return true
	}
	for _, path := range a.paths {
		i := 0
		for _, ai := range path {
			if i < len(ais) && ais[i] == ai {
				i++
			}
		}
		if i == len(ais) {
			return true
		}
	}
	return false
}

// matchesAI reports whether ai is of the form of pattern, in which n is any digit.
func matchesAI(pattern, ai string) bool {
	if len(pattern) != len(ai) {
		return false
	}
	for i := range len(ai) {
		if pattern[i] != 'n' && pattern[i] != ai[i] {
			return false
		}
	}
	return true
}
