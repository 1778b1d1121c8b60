package mapping

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// run maps the records of the case and compares what comes out with what is expected.
func (c *testCase) run(m *Mapping, decode Decode, hits []uint32) CaseResult {
	result := CaseResult{Name: c.name, Where: c.where}
	out, err := c.outcome(m, decode, hits)
	if err != nil {
		result.Fault = hub.AsFault(err)
	}
	if want := c.expect.get("fault"); want != nil || err != nil {
		result.Diff = c.compareFault(want, result.Fault, out)
		return result
	}
	got := outputTree(out)
	want := map[string]any{}
	exact := c.expect.get("exact") != nil && c.expect.get("exact").text == "true"
	for _, key := range []string{"events", "master", "skipped"} {
		n := c.expect.get(key)
		switch {
		case n == nil && exact:
		case n == nil:
			delete(got, key) // not asked for
		default:
			w, g := match(n, got[key], exact)
			if w != nil {
				want[key] = w
			}
			if g != nil {
				got[key] = g
			} else {
				delete(got, key)
			}
		}
	}
	result.Diff = diffText(yamlText(want), yamlText(got), false)
	return result
}

// outcome maps every record of the input, or the one that the case names, into one output.
func (c *testCase) outcome(m *Mapping, decode Decode, hits []uint32) (Output, error) {
	records := []Record{{}}
	if c.row != nil {
		records[0].Row = c.row.tree()
	} else {
		var err error
		if records, err = decode(c.input); err != nil {
			return Output{}, err
		}
	}
	if c.record > len(records) {
		return Output{}, problem("test.record", "the input has %d records, and the case asks for record %d", "输入只有 %d 条记录，用例要求第 %d 条", len(records), c.record).fault(hub.Invalid)
	}
	if c.record > 0 {
		records = records[c.record-1 : c.record]
	}
	var all Output
	for i, r := range records {
		in := c.meta
		in.Row = r.Row
		if len(records) > 1 {
			in.RecordID += hub.RecordID("#" + strconv.Itoa(i+1))
		}
		out, err := m.run(in, r.Locate, hits)
		if err != nil {
			return Output{}, err
		}
		all.Events = append(all.Events, out.Events...)
		all.Master = append(all.Master, out.Master...)
		if out.Skipped != "" {
			all.Skipped = out.Skipped
		}
	}
	return all, nil
}

// compareFault compares the expected code, place and part of the message with the fault that came.
func (c *testCase) compareFault(want *node, got *hub.Fault, out Output) string {
	expected, came := "", ""
	if want != nil {
		expected = "fault: " + want.text + "\n"
	}
	switch {
	case got == nil:
		came = resultText(out, nil)
	case want == nil:
		came = "fault: " + got.Code + "\nat: " + got.Where.String() + "\nmessage: " + got.Error() + "\n"
	default:
		came = "fault: " + got.Code + "\n"
		if at := c.expect.get("at"); at != nil {
			expected += "at: " + at.text + "\n"
			where := got.Where.String()
			if got.Where.Pointer == at.text {
				where = at.text
			}
			came += "at: " + where + "\n"
		}
		if msg := c.expect.get("message"); msg != nil && !strings.Contains(got.Error(), msg.text) && !strings.Contains(got.MessageZh, msg.text) {
			expected += "message: " + msg.text + "\n"
			came += "message: " + got.Error() + "\n"
		}
		if expected != came && got.Code != want.text {
			came += "message: " + got.Error() + "\n"
		}
	}
	return diffText(expected, came, false)
}

// match lays the expectation over what came: both results are equal exactly where it is met. In a subset, fields that are
// not expected are left out of what came; lists are compared element by element.
func match(n *node, got any, exact bool) (want, seen any) {
	switch n.shape {
	case objectShape:
		if m, ok := got.(map[string]any); ok {
			return matchObject(n, m, exact)
		}
	case listShape:
		if list, ok := got.([]any); ok {
			return matchList(n, list, exact)
		}
	case nullShape, textShape, numberShape, boolShape:
		if sameScalar(n, got) {
			return got, got
		}
	}
	return n.tree(), got
}

func matchObject(n *node, got map[string]any, exact bool) (want, seen any) {
	w, g := map[string]any{}, map[string]any{}
	if exact {
		maps.Copy(g, got)
	}
	for i := range n.pairs {
		k := n.pairs[i].key
		v, there := got[k]
		if n.pairs[i].value.shape == nullShape { // null says: not there
			if there {
				w[k], g[k] = nil, v
			}
			continue
		}
		w[k], v = match(n.pairs[i].value, v, exact)
		if there {
			g[k] = v
		}
	}
	return w, g
}

func matchList(n *node, got []any, exact bool) (want, seen any) {
	w, g := make([]any, 0, len(n.items)), make([]any, 0, len(got))
	for i, item := range n.items {
		if i >= len(got) {
			w = append(w, item.tree())
			continue
		}
		a, b := match(item, got[i], exact)
		w, g = append(w, a), append(g, b)
	}
	if len(got) > len(n.items) {
		g = append(g, got[len(n.items):]...)
	}
	return w, g
}

// sameScalar compares a scalar as written with a value: a number without quotes may stand for the same text.
func sameScalar(n *node, got any) bool {
	switch v := got.(type) {
	case string:
		return v == n.text
	case bool:
		return n.shape == boolShape && n.text == strconv.FormatBool(v)
	case nil:
		return n.shape == nullShape
	}
	if n.shape != numberShape {
		return false
	}
	ok, t := equal(got, jsonNumberOf(n))
	return ok && t == nil
}

// tree is a YAML node as a decoded tree.
func (n *node) tree() any {
	switch n.shape {
	case objectShape:
		out := make(map[string]any, len(n.pairs))
		for i := range n.pairs {
			out[n.pairs[i].key] = n.pairs[i].value.tree()
		}
		return out
	case listShape:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.tree()
		}
		return out
	case boolShape:
		return n.text == "true"
	case numberShape:
		if plainNumber(n.text) { // 007 and 0x10 are codes, not quantities
			return json.Number(n.text)
		}
	case nullShape:
		return nil
	case textShape:
	}
	return n.text
}
