package gs1

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/internal/vectors"
)

func TestTableIsSound(t *testing.T) {
	table := applications()
	if len(table) < 500 {
		t.Fatalf("the table has %d AIs", len(table))
	}
	for ai, a := range table {
		for n := 2; n < len(ai); n++ {
			if table[ai[:n]] != nil {
				t.Errorf("AI %s begins with AI %s", ai, ai[:n])
			}
		}
		if !a.ends && a.longest() != a.shortest() {
			t.Errorf("AI %s needs a separator", ai)
		}
		for _, pattern := range append(slices.Concat(a.requires...), a.excludes...) {
			if !anyMatches(table, pattern) {
				t.Errorf("AI %s refers to %s, which no AI is", ai, pattern)
			}
		}
		soundComponents(t, a)
	}
}

// soundComponents checks that the components of a can be told apart and that their checks exist.
func soundComponents(t *testing.T, a *application) {
	t.Helper()
	if a.longest() == 0 {
		t.Errorf("AI %s has no length", a.ai)
	}
	for i, c := range a.components {
		if c.min != c.max && i < len(a.components)-1 {
			t.Errorf("AI %s: a component of variable length is not the last", a.ai)
		}
		for _, check := range c.checks {
			if _, known := Lint(check, "0", nil); !known {
				t.Errorf("AI %s: unknown check %q", a.ai, check)
			}
		}
	}
}

func anyMatches(table map[string]*application, pattern string) bool {
	for ai := range table {
		if matchesAI(pattern, ai) {
			return true
		}
	}
	return false
}

// TestTableAgreesWithTheDictionary compares the table with GS1's own, row by row.
func TestTableAgreesWithTheDictionary(t *testing.T) {
	f, err := os.Open(vectors.Path(t, "gs1ids", "gs1-syntax-dictionary.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	component := regexp.MustCompile(`^\[?[NXYZ](\d+|\.\.\d+)\]?(,|$)`)
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		rows++
		first, _, _ := strings.Cut(fields[0], "-")
		a := applicationOf(first)
		if a == nil {
			t.Errorf("AI %s is missing", first)
			continue
		}
		flags := fields[1]
		if component.MatchString(flags) {
			flags = ""
		}
		if a.ends == strings.Contains(flags, "*") || a.attribute != strings.Contains(flags, "?") {
			t.Errorf("AI %s: flags %q", first, flags)
		}
		var parts []string
		for _, field := range fields[1:] {
			if component.MatchString(field) {
				parts = append(parts, field)
			}
		}
		if len(parts) != len(a.components) {
			t.Errorf("AI %s has %d components, not %v", first, len(a.components), parts)
		}
	}
	if rows != 224 {
		t.Errorf("the dictionary has %d rows", rows)
	}
}

// TestTableAgreesOnKeys compares keys, qualifiers, and short names with a second table of other origin.
func TestTableAgreesOnKeys(t *testing.T) {
	body, err := os.ReadFile(vectors.Path(t, "gs1ids", "aitable.json"))
	if err != nil {
		t.Fatal(err)
	}
	var others []struct {
		AI, Shortcode, Type string
		Qualifiers          []string
	}
	if err := json.Unmarshal(body, &others); err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		a := applicationOf(other.AI)
		if a == nil {
			t.Logf("AI %s is not in the present General Specifications", other.AI)
			continue
		}
		if other.Type == "I" && !a.key {
			t.Errorf("AI %s is no key", other.AI)
		}
		if other.Shortcode != "" && shortName(other.Shortcode) != other.AI {
			t.Errorf("%s stands for AI %q, not %s", other.Shortcode, shortName(other.Shortcode), other.AI)
		}
		if len(other.Qualifiers) > 0 && !a.allowsPath(other.Qualifiers) {
			t.Errorf("AI %s does not take the qualifiers %v", other.AI, other.Qualifiers)
		}
	}
}
