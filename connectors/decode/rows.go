package decode

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// header is the setting of that name: true, false, or the names of the columns.
type header struct {
	inFile bool
	names  []string
}

// UnmarshalYAML implements goccy/go-yaml's NodeUnmarshaler.
func (h *header) UnmarshalYAML(n ast.Node) error {
	*h = header{}
	if yaml.NodeToValue(n, &h.inFile) == nil {
		return nil
	}
	if err := yaml.NodeToValue(n, &h.names); err != nil || len(h.names) == 0 {
		return badNode(n, "want true, false or a list of column names")
	}
	return nil
}

// rowRule names rows that are no records. All conditions that are given must hold.
type rowRule struct {
	// Column is what the conditions look at; without one it is the first field that is not empty.
	Column string `yaml:"column"`
	// Equals, Starts and Matches (RE2) hold the field, without white space around it, against a text.
	Equals  string `yaml:"equals"`
	Starts  string `yaml:"starts"`
	Matches string `yaml:"matches"`
	// Empty asks that the field is empty.
	Empty bool `yaml:"empty"`

	pattern *regexp.Regexp
}

// compileRules checks rules; names are the columns where they are known already.
func compileRules(format string, rules []rowRule, names []string) error {
	for i := range rules {
		r := &rules[i]
		key := fmt.Sprintf("skipRows/%d", i)
		if r.Equals == "" && r.Starts == "" && r.Matches == "" && !r.Empty {
			return setting(format, key, say("want one of equals, starts, matches, empty",
				"需要 equals、starts、matches、empty 之一"))
		}
		if r.Empty && r.Column == "" {
			return setting(format, key, say("empty needs a column", "empty 需要指明 column"))
		}
		if r.Column != "" && names != nil && columnIndex(names, r.Column) < 0 {
			return unknownColumn(format, key, r.Column, names)
		}
		if r.Matches == "" {
			continue
		}
		var err error
		if r.pattern, err = regexp.Compile(r.Matches); err != nil {
			return setting(format, key+"/matches", say("not a regular expression", "不是有效的正则表达式")).Because(err)
		}
	}
	return nil
}

func unknownColumn(format, key, column string, names []string) *hub.Fault {
	said := say("there is no column %q", "没有名为 %q 的列", column)
	if near := spelling.Nearest(column, names, spelling.Typed); near != "" {
		said = said.hint("did you mean "+near+"?", "是否想写 "+near+"？")
	}
	return setting(format, key, said)
}

// skipped reports whether a rule names the row.
func skipped(rules []rowRule, names []string, row []string) bool {
	for _, r := range rules {
		if r.holds(names, row) {
			return true
		}
	}
	return false
}

func (r rowRule) holds(names, row []string) bool {
	value := ""
	if r.Column != "" {
		i := columnIndex(names, r.Column)
		if i < 0 || i >= len(row) {
			return false
		}
		value = strings.TrimSpace(row[i])
	} else {
		for _, v := range row {
			if value = strings.TrimSpace(v); value != "" {
				break
			}
		}
	}
	return (!r.Empty || value == "") &&
		(r.Equals == "" || value == r.Equals) &&
		(r.Starts == "" || strings.HasPrefix(value, r.Starts)) &&
		(r.pattern == nil || r.pattern.MatchString(value))
}

func columnIndex(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}

// checkNames refuses empty and repeated column names, by which a field could not be told from another. at places a column.
func checkNames(format string, names []string, at func(i int) hub.Where) error {
	seen := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return refuse(format+".header", at(i), say("column %d of the header has no name", "表头第 %d 列没有名称", i+1).
				hint("name it in the file, or give the names: header: [a, b, …]", "请在文件中命名，或用 header: [a, b, …] 给出列名"))
		}
		if first, ok := seen[name]; ok {
			return refuse(format+".header", at(i), say("columns %d and %d of the header are both named %q",
				"表头第 %d 列与第 %d 列同名：%q", first+1, i+1, name).
				hint("rename one, or give the names: header: [a, b, …]", "请改名，或用 header: [a, b, …] 给出列名"))
		}
		seen[name] = i
	}
	return nil
}

// inSettings places a column that the settings name.
func inSettings(i int) hub.Where { return hub.Where{Pointer: "/header/" + itoa(i)} }

// fieldName is the name of the field at an index where there is no header.
func fieldName(i int) string { return "c" + strconv.Itoa(i+1) }

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fieldName(i)
	}
	return names
}
