package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Change says what a new mapping does differently with one record.
type Change struct {
	// Kind is "same", "changed", "mended" (a fault before, none now), "broken" (the other way round) or "new".
	Kind string
	// Text is the difference of what comes out, in lines that begin with "-", "+" or " ".
	Text string
}

// Preview maps one record with the mapping in use and with a new one. inUse may be nil. Colour adds ANSI colours.
func Preview(inUse, changed *Mapping, in Input, colour bool) Change {
	after, errAfter := changed.Map(in, nil)
	if inUse == nil {
		return Change{Kind: "new", Text: diffText("", resultText(after, errAfter), colour)}
	}
	before, errBefore := inUse.Map(in, nil)
	c := Change{Kind: "changed", Text: diffText(resultText(before, errBefore), resultText(after, errAfter), colour)}
	switch {
	case errBefore == nil && errAfter != nil:
		c.Kind = "broken"
	case errBefore != nil && errAfter == nil:
		c.Kind = "mended"
	case c.Text == "":
		c.Kind = "same"
	}
	return c
}

// resultText renders what became of a record.
func resultText(out Output, err error) string {
	if err != nil {
		f := hub.AsFault(err)
		return fmt.Sprintf("refused: %s\nat: %s\nbecause: %s\n", f.Code, f.Where, f.Message)
	}
	return yamlText(outputTree(out))
}

// outputTree is an output as tests write it.
func outputTree(out Output) map[string]any {
	tree := map[string]any{}
	if out.Skipped != "" {
		tree["skipped"] = out.Skipped
	}
	if len(out.Events) > 0 {
		events := make([]any, len(out.Events))
		for i, e := range out.Events {
			events[i] = e.Tree()
		}
		tree["events"] = events
	}
	if len(out.Master) > 0 {
		list := make([]any, len(out.Master))
		for i, st := range out.Master {
			attributes := make(map[string]any, len(st.Attributes))
			for k, v := range st.Attributes {
				attributes[k] = v
			}
			list[i] = map[string]any{st.Kind.String(): st.ID, "attributes": attributes}
		}
		tree["master"] = list
	}
	return tree
}

// maxCells bounds the work of a comparison; larger texts are shown as replaced.
const maxCells = 4_000_000

// diffText compares two texts line by line and shows three lines around each change.
func diffText(before, after string, colour bool) string {
	if before == after {
		return ""
	}
	lines := editScript(splitLines(before), splitLines(after))
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l[0] == ' ' {
			continue
		}
		for j := max(0, i-3); j <= min(len(lines)-1, i+3); j++ {
			keep[j] = true
		}
	}
	var b strings.Builder
	gap := false
	for i, l := range lines {
		if !keep[i] {
			gap = true
			continue
		}
		if gap {
			b.WriteString("  …\n")
			gap = false
		}
		b.WriteString(paint(l, colour) + "\n")
	}
	return b.String()
}

func paint(line string, colour bool) string {
	switch {
	case colour && line[0] == '+':
		return "\x1b[32m" + line + "\x1b[0m"
	case colour && line[0] == '-':
		return "\x1b[31m" + line + "\x1b[0m"
	}
	return line
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// editScript returns the lines of both, marked "- ", "+ " or "  ", along a longest common subsequence.
func editScript(a, b []string) []string {
	var out []string
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		out = append(out, "  "+a[head])
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	out = append(out, middle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, l := range a[len(a)-tail:] {
		out = append(out, "  "+l)
	}
	return out
}

func middle(a, b []string) []string {
	var out []string
	if len(a)*len(b) > maxCells {
		a, b = a[:min(len(a), 1000)], b[:min(len(b), 1000)]
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width)
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	for ; i < len(a); i++ {
		out = append(out, "- "+a[i])
	}
	for ; j < len(b); j++ {
		out = append(out, "+ "+b[j])
	}
	return out
}
