package mapping

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Record is one decoded record of a test's input.
type Record struct {
	Row    any
	Locate func(pointer string) hub.Where
}

// Decode turns a test's input, the body of an item in the connector's format, into its records.
type Decode func(body []byte) ([]Record, error)

// Report is the outcome of a mapping's tests.
type Report struct {
	// Mapping and Tests are the files.
	Mapping, Tests string
	Cases          []CaseResult
	// Branches are all parts of the mapping that a test can reach, Unreached those that none did.
	Branches, Unreached []Branch
}

// Passed reports whether every case passed.
func (r Report) Passed() bool { return r.Failures() == 0 }

// Failures is the number of cases that did not pass.
func (r Report) Failures() int {
	n := 0
	for _, c := range r.Cases {
		if c.Diff != "" {
			n++
		}
	}
	return n
}

// CaseResult is the outcome of one case.
type CaseResult struct {
	Name string
	// Where is the case in the test file.
	Where hub.Where
	// Diff is empty when the case passed; otherwise what was expected ("-") and what came ("+"), line by line.
	Diff string
	// Fault is the fault of the record when there was one, expected or not.
	Fault *hub.Fault
}

// String renders the report for a terminal: a line a case, the differences, and what no case reached.
func (r Report) String() string {
	var b strings.Builder
	for _, c := range r.Cases {
		mark := "ok  "
		if c.Diff != "" {
			mark = "FAIL"
		}
		fmt.Fprintf(&b, "%s %s (%s)\n", mark, c.Name, c.Where)
		for _, line := range splitLines(c.Diff) {
			b.WriteString("     " + line + "\n")
		}
	}
	reached := len(r.Branches) - len(r.Unreached)
	fmt.Fprintf(&b, "%d of %d cases passed; %d of %d branches of %s reached\n", len(r.Cases)-r.Failures(), len(r.Cases), reached, len(r.Branches), r.Mapping)
	for _, u := range r.Unreached {
		fmt.Fprintf(&b, "     never: %s %s (%s)\n", u.Kind, u.Target, u.Where)
	}
	return b.String()
}

// TestsOf returns the name of the test file that stands beside a mapping: wms.yaml has wms.test.yaml.
func TestsOf(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".yaml"), ".test") + ".test.yaml"
}

// RunTests runs the tests beside the mapping at name (or the tests at name, when that is a test file). The error says
// why nothing could be run: faults of the mapping or of the test file, each with its place.
func RunTests(fsys fs.FS, name string, decode Decode) (Report, error) {
	r := Report{Tests: TestsOf(name)}
	r.Mapping = strings.TrimSuffix(r.Tests, ".test.yaml") + ".yaml"
	m, err := Load(fsys, r.Mapping)
	if err != nil {
		return r, err
	}
	cases, err := loadCases(fsys, r.Tests)
	if err != nil {
		return r, err
	}
	hits := make([]uint32, len(m.branches))
	for _, c := range cases {
		r.Cases = append(r.Cases, c.run(m, decode, hits))
	}
	r.Branches = m.branches
	for i, b := range m.branches {
		if hits[i] == 0 {
			r.Unreached = append(r.Unreached, b)
		}
	}
	return r, nil
}

// StatedBeside returns the master data that the tests beside a mapping state, for whoever maps records without a hub; nil
// where there are no tests that can be read.
func StatedBeside(fsys fs.FS, name string) Master {
	tests := TestsOf(name)
	src, err := fs.ReadFile(fsys, tests)
	if err != nil {
		return nil
	}
	root, _ := readYAML(tests, src)
	if root == nil || root.shape != objectShape || root.get("master") == nil {
		return nil
	}
	return newLoader(fsys, tests, src).stated(root.get("master"))
}

// testCase is one case of a test file.
type testCase struct {
	name   string
	where  hub.Where
	input  []byte
	row    *node
	record int
	meta   Input
	expect *node
}

func loadCases(fsys fs.FS, name string) ([]testCase, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, hub.Faults{problem("mapping.file", "the tests cannot be read: %v", "无法读取测试文件：%v", err).fault(hub.NotFound).At(hub.Where{File: name})}
	}
	src = bytes.ReplaceAll(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	root, faults := readYAML(name, src)
	if root == nil {
		return nil, faults.Err()
	}
	l := newLoader(fsys, name, src)
	l.faults = faults
	cases := l.cases(root)
	if len(l.faults) > 0 {
		return nil, l.sorted()
	}
	return cases, nil
}

func (l *loader) cases(root *node) []testCase {
	if !l.object(root, bilingual{"a test file", "测试文件"}, "description", "meta", "master", "cases") {
		return nil
	}
	list := root.get("cases")
	if list == nil || list.shape != listShape {
		l.fail(root, problem("mapping.shape", "a test file has cases:, a list", "测试文件需要 cases: 列表").hint("begin each with  - name: …", "每个用例以  - name: …  开头"))
		return nil
	}
	meta := l.meta(root.get("meta"), Input{
		Provider: "test", Connector: "test", RecordID: "test", ReceivedAt: testTime(), Master: l.stated(root.get("master")),
	})
	var out []testCase
	for i, n := range list.items {
		if !l.object(n, bilingual{"a case", "用例"}, "name", "meta", "input", "file", "row", "record", "expect") {
			continue
		}
		c := testCase{name: indexed("cases", i), where: l.at(n.line, n.column), expect: n.get("expect"), row: n.get("row"), meta: l.meta(n.get("meta"), meta)}
		if v := n.get("name"); v != nil {
			c.name = v.text
		}
		if v := n.get("record"); v != nil {
			if number, ok := integer(jsonNumberOf(v)); ok && number > 0 {
				c.record = number
			} else {
				l.fail(v, problem("mapping.shape", "record: is the number of a record of the input, from 1", "record: 为输入中记录的序号，从 1 开始"))
			}
		}
		l.caseInput(n, &c)
		l.expectation(n, c.expect)
		out = append(out, c)
	}
	return out
}

func jsonNumberOf(n *node) any {
	num, _ := jsonNumber(n.text)
	return num
}

// caseInput reads input:, file: or row:, of which a case has one.
func (l *loader) caseInput(n *node, c *testCase) {
	input, file := n.get("input"), n.get("file")
	given := 0
	for _, v := range []*node{input, file, c.row} {
		if v != nil {
			given++
		}
	}
	if given != 1 {
		l.fail(n, problem("mapping.shape", "a case has one of input: (the record as it arrives), file: (its name) and row: (decoded)", "用例需要 input:（原始记录）、file:（文件名）或 row:（已解码）之一"))
		return
	}
	switch {
	case input != nil:
		c.input = []byte(input.text)
	case file != nil:
		var err error
		if c.input, err = fs.ReadFile(l.fsys, l.dir(file.text)); err != nil {
			l.fail(file, problem("mapping.file", "the file cannot be read: %v", "无法读取文件：%v", cause(err)))
		}
	}
}

func (l *loader) expectation(n, e *node) {
	if e == nil {
		l.fail(n, problem("mapping.shape", "a case needs expect:", "用例需要 expect:").hint("with events:, master:, skipped: or fault: under it", "其下写 events:、master:、skipped: 或 fault:"))
		return
	}
	if l.object(e, bilingual{"expect", "expect"}, "events", "master", "skipped", "fault", "at", "message", "exact") {
		if f := e.get("fault"); f == nil && e.get("events") == nil && e.get("master") == nil && e.get("skipped") == nil {
			l.fail(e, problem("mapping.shape", "expect needs events:, master:, skipped: or fault:", "expect 需要 events:、master:、skipped: 或 fault:"))
		}
	}
}

// meta reads what is known of a record beside its row.
func (l *loader) meta(n *node, in Input) Input {
	if n == nil || !l.object(n, bilingual{"meta", "meta"}, "provider", "connector", "recordID", "origin", "receivedAt") {
		return in
	}
	set := func(key string, into func(string)) {
		if v := n.get(key); v != nil {
			into(v.text)
		}
	}
	set("provider", func(s string) { in.Provider = hub.ProviderID(s) })
	set("connector", func(s string) { in.Connector = hub.ConnectorID(s) })
	set("recordID", func(s string) { in.RecordID = hub.RecordID(s) })
	set("origin", func(s string) { in.Origin = s })
	set("receivedAt", func(s string) {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			l.fail(n.get("receivedAt"), problem("mapping.shape", "%q is no time such as 2019-11-08T00:00:00Z", "%q 不是时间，例如 2019-11-08T00:00:00Z", s))
		}
		in.ReceivedAt = t
	})
	return in
}
