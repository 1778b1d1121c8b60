package mapping

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr/conf"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Mapping is a compiled mapping. It is immutable and safe for concurrent use.
type Mapping struct {
	path     string
	zone     *zone
	context  map[string]string
	tables   map[string]*table
	skips    []*skip
	events   []*event
	masters  []*master
	slots    int
	branches []Branch
	parser   *conf.Config
	scopes   sync.Pool
	// reads are the members of the record that expressions name; readsRow is set when one looks at the record otherwise.
	reads    map[string]bool
	readsRow bool
}

// Reads returns the names of the record's members that the mapping looks at, or false when it may look at any. A record
// without the others maps alike, but for the words of a fault.
func (m *Mapping) Reads() (names []string, ok bool) {
	return slices.Sorted(maps.Keys(m.reads)), !m.readsRow
}

// Path is the name of the file that the mapping was loaded from.
func (m *Mapping) Path() string { return m.path }

// Load reads and compiles the mapping at name, and the files that its lookups name, relative to it. The error is a
// [hub.Faults] with everything that is wrong, each fault at its line and column.
func Load(fsys fs.FS, name string) (*Mapping, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, hub.Faults{problem("mapping.file", "the mapping cannot be read: %v", "无法读取映射文件：%v", err).fault(hub.NotFound).At(hub.Where{File: name})}
	}
	src = bytes.ReplaceAll(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	root, faults := readYAML(name, src)
	if root == nil {
		return nil, faults.Err()
	}
	l := newLoader(fsys, name, src)
	l.faults = faults
	l.mapping(root)
	if len(l.faults) > 0 {
		return nil, l.sorted()
	}
	l.m.slots = l.c.slots
	l.m.scopes.New = func() any { return &scope{m: l.m, vars: make([]slot, l.m.slots)} }
	return l.m, nil
}

// loader compiles one mapping and collects what is wrong with it.
type loader struct {
	fsys   fs.FS
	path   string
	lines  []string
	faults hub.Faults
	m      *Mapping
	c      *exprCompiler
	// prefixes are the extension prefixes that the event being compiled uses.
	prefixes map[string]bool
}

func newLoader(fsys fs.FS, name string, src []byte) *loader {
	l := &loader{fsys: fsys, path: name, lines: strings.Split(string(src), "\n"), m: &Mapping{path: name, tables: map[string]*table{}, reads: map[string]bool{}}}
	l.m.parser = parserConfig()
	l.c = &exprCompiler{m: l.m, names: map[string]nameInScope{}, functions: functions()}
	l.c.fail = func(w hub.Where, p *trouble) { l.failWhere(w, p) }
	return l
}

// sorted returns the faults in the order of their places, each once.
func (l *loader) sorted() hub.Faults {
	slices.SortStableFunc(l.faults, func(a, b *hub.Fault) int {
		return cmp.Or(cmp.Compare(a.Where.File, b.Where.File), cmp.Compare(a.Where.Line, b.Where.Line), cmp.Compare(a.Where.Column, b.Where.Column))
	})
	return slices.CompactFunc(l.faults, func(a, b *hub.Fault) bool { return a.Where == b.Where && a.Message == b.Message })
}

// maxFaults is the most that one load reports.
const maxFaults = 100

func (l *loader) failWhere(w hub.Where, p *trouble) {
	if len(l.faults) < maxFaults {
		l.faults = append(l.faults, p.fault(hub.Invalid).At(w))
	}
}

func (l *loader) fail(n *node, p *trouble) { l.failWhere(l.at(n.line, n.column), p) }

func (l *loader) failKey(k *pair, p *trouble) { l.failWhere(l.at(k.line, k.column), p) }

func (l *loader) at(line, column int) hub.Where {
	return hub.Where{File: l.path, Line: line, Column: column}
}

// object checks that n is an object with known keys only.
func (l *loader) object(n *node, what bilingual, known ...string) bool {
	if n.shape != objectShape {
		l.fail(n, problem("mapping.shape", "%s is written as keys and values", "%s应写成键值对", what).hint("known keys: %s", "可用的键：%s", strings.Join(known, ", ")))
		return false
	}
	for i := range n.pairs {
		if k := &n.pairs[i]; !slices.Contains(known, k.key) {
			l.failKey(k, problem("mapping.unknown-key", "%s has no key %q", "%s没有键 %q", what, k.key).suggest(k.key, known))
		}
	}
	return true
}

func (l *loader) mapping(root *node) {
	if !l.object(root, bilingual{"a mapping", "映射"}, "version", "description", "timezone", "context", "let", "lookup", "skip", "events", "master") {
		return
	}
	l.version(root)
	if n := root.get("timezone"); n != nil {
		z, t := parseZone(n.text)
		if t != nil {
			l.fail(n, t)
		}
		l.m.zone = z
	}
	l.context(root.get("context"))
	l.lookups(root.get("lookup"))
	l.lets(root.get("let"))
	l.skips(root.get("skip"))
	l.events(root.get("events"))
	l.masters(root.get("master"))
	if root.get("events") == nil && root.get("master") == nil {
		l.fail(root, problem("mapping.empty", "the mapping makes nothing: it has neither events: nor master:", "映射没有 events: 也没有 master:，不会产生任何结果"))
	}
}

func (l *loader) version(root *node) {
	n := root.get("version")
	switch {
	case n == nil:
		l.fail(root, problem("mapping.version", "the mapping does not say its version", "映射未写明版本").hint("begin the file with version: 1", "文件开头请写 version: 1"))
	case n.text != "1":
		l.fail(n, problem("mapping.version", "version %s is not known here", "不支持版本 %s", n.text).hint("this program reads version 1", "本程序支持版本 1"))
	}
}

func (l *loader) context(n *node) {
	l.m.context = map[string]string{}
	if n == nil {
		return
	}
	if n.shape != objectShape {
		l.fail(n, problem("mapping.shape", "context is written as prefix: address", "context 应写成 前缀: 地址").hint("for example  example: https://ns.example.com/", "例如  example: https://ns.example.com/"))
		return
	}
	for i := range n.pairs {
		k := &n.pairs[i]
		switch {
		case k.value.shape != textShape || !strings.Contains(k.value.text, ":"):
			l.fail(k.value, problem("mapping.shape", "the prefix %q needs the address that it stands for", "前缀 %q 需要写明其代表的地址", k.key).hint("for example  %s: https://ns.example.com/", "例如  %s: https://ns.example.com/", k.key))
		case slices.Contains(standardPrefixes(), k.key):
			l.failKey(k, problem("mapping.shape", "the prefix %q is the standard's own", "前缀 %q 由标准保留", k.key).hint("choose another name", "请换一个名称"))
		default:
			l.m.context[k.key] = k.value.text
		}
	}
}

func (l *loader) lets(n *node) {
	if n == nil {
		return
	}
	if n.shape != objectShape {
		l.fail(n, problem("mapping.shape", "let is written as name: \"= expression\"", "let 应写成 名称: \"= 表达式\""))
		return
	}
	for i := range n.pairs {
		k := &n.pairs[i]
		if t := l.checkName(k.key); t != nil {
			l.failKey(k, t)
		}
		e := l.expression(k.value, "let."+k.key)
		if e == nil {
			e = &expr{run: func(*scope) (any, error) { return nil, nil }}
		}
		l.c.names[k.key] = nameInScope{slot: l.slot(), kind: e.kind, optional: e.optional, from: e}
	}
}

func (l *loader) slot() int { l.c.slots++; return l.c.slots - 1 }

// checkName refuses a name that an expression could not say, or that means something else there.
func (l *loader) checkName(s string) *trouble {
	taken := []string{"row", "meta", "item", "index", "let", "if", "else", "in", "not", "and", "or", "true", "false", "nil", "matches", "contains", "startsWith", "endsWith"}
	if !identifier(s) || slices.Contains(taken, s) {
		return problem("mapping.name", "%q cannot be a name", "%q 不能作为名称", s).
			hint("use letters, digits and _, beginning with a letter; row, meta, item, index and the operators are taken", "请用字母、数字和 _，以字母开头；row、meta、item、index 和运算符已被占用")
	}
	return nil
}

// expression compiles "= expression", or takes the value as it stands. It returns nil after a fault.
func (l *loader) expression(n *node, target string) *expr {
	text, optional, ok := cutExpression(n)
	if !ok {
		p := l.constantPiece(n, &spec{}, target)
		if p == nil {
			return nil
		}
		return constant(epcis.Plain(p.value), l.site(n, target))
	}
	e := l.c.compile(l.exprText(n, text), target)
	if e == nil || !optional {
		return e
	}
	inner := *e
	out := *e
	out.optional = true
	out.run = func(s *scope) (any, error) { return runQuiet(s, &inner) }
	return &out
}

func (l *loader) site(n *node, target string) *site {
	return &site{where: l.at(n.line, n.column), target: target}
}

// condition compiles when: or each:, which are always expressions.
func (l *loader) mustExpression(n *node, key, target string) *expr {
	if _, _, ok := cutExpression(n); !ok {
		l.fail(n, problem("mapping.expression", "%s: takes an expression", "%s: 需要表达式", key).
			hint("an expression begins with = and stands in quotes: %s: \"= %s\"", "表达式以 = 开头并加引号：%s: \"= %s\"", key, pick(n.text, "…")))
		return nil
	}
	return l.expression(n, target)
}

func (l *loader) when(n *node, target string) *expr {
	if n == nil {
		return nil
	}
	e := l.mustExpression(n, "when", target+".when")
	if e == nil {
		return nil
	}
	if e.constant {
		hint := [2]string{"remove what depends on it", "请删除依赖它的内容"}
		if e.value == true {
			hint = [2]string{"remove the when:", "请删除 when:"}
		}
		if strings.HasPrefix(target, "skip[") {
			hint = [2]string{"remove this skip: with it no record, or every record, would be left out", "请删除该 skip：它要么不跳过任何记录，要么跳过所有记录"}
		}
		l.fail(n, problem("mapping.unreachable", "this condition is always %v", "此条件总是 %v", show(e.value)).hint(hint[0], hint[1]))
		return nil
	}
	if e.kind != boolKind && e.kind != anyKind {
		l.fail(n, problem("mapping.type", "a condition must be true or false, and this is %s", "条件必须为真或假，此处是%s", e.kind.words()).
			hint("compare it, for example … == 'OUT'; or ask whether it is there with present(…)", "请写成比较，例如 … == 'OUT'；或用 present(…) 判断是否存在"))
	}
	return e
}

// branch notes a part of the mapping whose use tests measure.
func (l *loader) branch(n *node, kind, target string) int {
	l.m.branches = append(l.m.branches, Branch{Where: l.at(n.line, n.column), Kind: kind, Target: target})
	return len(l.m.branches) - 1
}

// dir returns name relative to the mapping's folder.
func (l *loader) dir(name string) string { return path.Join(path.Dir(l.path), name) }

func indexed(target string, i int) string { return fmt.Sprintf("%s[%d]", target, i) }
