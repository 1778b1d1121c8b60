package mapping

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// maxRows is the most rows of a lookup file.
const maxRows = 500_000

// table is one lookup: a key gives a text, or a row as an object.
type table struct {
	name        string
	rows        map[string]any
	otherwise   any
	hasFallback bool
	// about is set for master data, which is found when a record is mapped: the value is the attribute, or all of them when
	// it is "", as by states them, or as the record's own provider does when by is "".
	about     hub.StatementKind
	attribute string
	by        hub.ProviderID
}

func (l *loader) lookups(n *node) {
	if n == nil {
		return
	}
	if n.shape != objectShape {
		l.fail(n, problem("mapping.shape", "lookup is written as name: table", "lookup 应写成 名称: 表").hint("for example  status: { table: { A: active } }", "例如  status: { table: { A: active } }"))
		return
	}
	for i := range n.pairs {
		k := &n.pairs[i]
		t := &table{name: k.key, rows: map[string]any{}}
		l.m.tables[k.key] = t
		l.lookup(k.value, t)
	}
}

func (l *loader) lookup(n *node, t *table) {
	inline, file, about := n.get("table"), n.get("csv"), n.get("master")
	given := 0
	for _, source := range []*node{inline, file, about} {
		if source != nil {
			given++
		}
	}
	if given != 1 {
		l.fail(n, problem("mapping.shape", "a lookup has one of table: with keys and values, csv: with a file's name, and master: with a kind of master data", "lookup 需要 table:（键值对）、csv:（文件名）或 master:（主数据种类），三选一").
			hint("write  %s: { table: { A: active } }  or  %[1]s: { csv: %[1]s.csv, key: code }  or  %[1]s: { master: product, value: name }", "请写  %s: { table: { A: active } }  或  %[1]s: { csv: %[1]s.csv, key: code }  或  %[1]s: { master: product, value: name }", t.name))
		return
	}
	if !l.object(n, bilingual{"a lookup", "查找表"}, "table", "csv", "master", "key", "value", "provider", "delimiter", "default") {
		return
	}
	if d := n.get("default"); d != nil {
		t.hasFallback = true
		if d.shape != nullShape {
			t.otherwise = d.text
		}
	}
	if file != nil {
		l.csvTable(n, file, t)
		return
	}
	if about != nil {
		l.masterTable(n, about, t)
		return
	}
	if inline.shape != objectShape {
		l.fail(inline, problem("mapping.shape", "a table is written as key: value", "table 应写成 键: 值"))
	}
	for i := range inline.pairs {
		e := &inline.pairs[i]
		if p := l.constantPiece(e.value, &spec{}, "lookup."+t.name); p != nil {
			t.rows[e.key] = epcis.Plain(p.value)
		}
	}
}

// masterTable notes which master data a lookup asks for.
func (l *loader) masterTable(n, about *node, t *table) {
	t.about = masterKinds()[about.text]
	if t.about == 0 {
		l.fail(about, problem("mapping.unknown-name", "there is no master data about %q", "没有关于 %q 的主数据", about.text).suggest(about.text, sortedKeys(masterKinds())).
			hint("write one of %s", "请写 %s 之一", strings.Join(sortedKeys(masterKinds()), ", ")))
	}
	if v := n.get("value"); v != nil {
		t.attribute = v.text
	}
	if v := n.get("provider"); v != nil {
		t.by = hub.ProviderID(v.text)
		if hub.CheckName(v.text) != nil {
			l.fail(v, problem("mapping.name", "%q is no provider's name", "%q 不是提供方名称", v.text).
				hint("write it as provider: of that party's instance files", "请与该方实例文件中的 provider: 一致"))
		}
	}
}

// find returns the entry of a key, if there is one. Where another value stands by, it may be used also where master data is
// not at hand, though not while it cannot be read: then nobody knows.
func (t *table) find(s *scope, key string, standby bool) (value any, found bool, failed *trouble) {
	if t.about == 0 {
		value, found = t.rows[key]
		return value, found, nil
	}
	if s.in.Master == nil {
		if standby {
			return nil, false, nil
		}
		return nil, false, problem("map.lookup", "%q looks in master data, which only a running hub has", "%q 查找的是主数据，只有运行中的系统才有", t.name).
			hint("put what it shall find under master: of the test file", "请将所需数据写入测试文件的 master:")
	}
	if t.about != hub.AboutAlias {
		id, err := masterID(t.about, strings.TrimSpace(key))
		if err != nil {
			return nil, false, gs1Trouble(err, 1)
		}
		key = id
	}
	stated, err := s.in.Master(t.about, key, hub.ProviderID(pick(string(t.by), string(s.in.Provider))))
	if err != nil {
		return nil, false, problem("map.master", "master data cannot be read now: %v", "暂时无法读取主数据：%v", err).
			hint("replay the record later", "请稍后重放该记录")
	}
	if t.attribute != "" {
		text, ok := stated[t.attribute]
		return text, ok, nil
	}
	all := make(map[string]any, len(stated))
	for name, text := range stated {
		all[name] = text
	}
	return all, len(stated) > 0, nil
}

// csvTable reads a lookup file: UTF-8, with a header line.
func (l *loader) csvTable(n, file *node, t *table) {
	key := n.get("key")
	if key == nil {
		l.fail(n, problem("mapping.shape", "csv: needs key: with the name of the column to look in", "csv: 需要 key:，写明查找所用的列名"))
		return
	}
	name := l.dir(file.text)
	src, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		l.fail(file, problem("mapping.file", "the lookup file cannot be read: %v", "无法读取查找表文件：%v", cause(err)).hint("its name is relative to the mapping's folder", "文件名相对于映射所在目录"))
		return
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))))
	r.LazyQuotes = true
	if d := n.get("delimiter"); d != nil {
		if runes := []rune(d.text); len(runes) == 1 && runes[0] != '"' && runes[0] != '\n' && runes[0] != '\r' {
			r.Comma = runes[0]
		} else {
			l.fail(d, problem("mapping.shape", "the delimiter is one character", "分隔符应为一个字符"))
			return
		}
	}
	header, err := r.Read()
	if err != nil {
		l.fail(file, problem("mapping.file", "the lookup file %s has no header line", "查找表文件 %s 没有表头", name))
		return
	}
	column := func(n *node) int {
		i := slices.Index(header, n.text)
		if i < 0 {
			l.fail(n, problem("mapping.unknown-key", "%s has no column %q", "%s 没有列 %q", name, n.text).suggest(n.text, header))
		}
		return i
	}
	keyAt, valueAt := column(key), -2
	if v := n.get("value"); v != nil {
		valueAt = column(v)
	}
	if keyAt >= 0 && valueAt != -1 {
		l.csvRows(r, lookupFile{name, header, keyAt, valueAt}, t)
	}
}

// unstated says that master data lacks what a record needs.
func (t *table) unstated(key string) *trouble {
	what := bilingual{"master data about", "主数据"}
	if t.attribute != "" {
		what = bilingual{t.attribute + " of", "的 " + t.attribute}
	}
	p := problem("map.lookup", "nobody has stated %[1]s %[2]q", "尚无人说明 %[2]q %[1]s", what, key).at(1)
	p.absent = true
	return p.hint("have it stated first and replay the record, or give the lookup a default:", "请先录入主数据再重放该记录，或设置 default:")
}

// lookupFile is what is known of a lookup file; valueAt is -2 when a row is the value.
type lookupFile struct {
	name           string
	header         []string
	keyAt, valueAt int
}

func (l *loader) csvRows(r *csv.Reader, f lookupFile, t *table) {
	fail := func(line int, p *trouble) { l.failWhere(hub.Where{File: f.name, Line: line}, p) }
	for len(t.rows) < maxRows {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		line, _ := r.FieldPos(0)
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			fail(bad.Line, problem("mapping.file", "the row cannot be read: %v", "无法读取该行：%v", bad.Err))
			return
		}
		key := row[f.keyAt]
		if _, twice := t.rows[key]; twice {
			fail(line, problem("mapping.duplicate-key", "the key %q is in the file twice", "键 %q 在文件中重复", key).hint("remove one of the rows", "请删除其中一行"))
			continue
		}
		if f.valueAt >= 0 {
			t.rows[key] = row[f.valueAt]
			continue
		}
		entry := make(map[string]any, len(row))
		for i, cell := range row {
			entry[f.header[i]] = cell
		}
		t.rows[key] = entry
	}
	fail(0, problem("mapping.size", "the lookup file has more than %d rows", "查找表文件超过 %d 行", maxRows))
}

// cause is the innermost error, without the path that the message names already.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// prepareLookup finds the table when the mapping is loaded.
func prepareLookup(c *exprCompiler, args []*expr) (func(*scope, []any) (any, *trouble), *trouble) {
	name, ok := args[0].value.(string)
	if !args[0].constant || !ok {
		return nil, problem("mapping.type", "the table's name is a text in quotes", "表名应为引号中的文本").at(0)
	}
	t, ok := c.m.tables[name]
	if !ok {
		p := problem("mapping.unknown-name", "there is no lookup table %q", "没有名为 %q 的查找表", name).suggest(name, sortedKeys(c.m.tables)).at(0)
		if len(c.m.tables) == 0 {
			p.hint("declare it at the top:  lookup: { %s: { table: { A: active } } }", "请在文件顶部声明：lookup: { %s: { table: { A: active } } }", name)
		}
		return nil, p
	}
	if t.about != 0 {
		args[0].constant = false // what it finds is not known before there is a record
	}
	return func(s *scope, a []any) (any, *trouble) {
		v, ok, failed := t.find(s, str(a, 1), len(a) > 2 || t.hasFallback)
		switch {
		case failed != nil:
			return nil, failed
		case ok:
			return v, nil
		case len(a) > 2:
			return a[2], nil
		case t.hasFallback:
			return t.otherwise, nil
		}
		if t.about != 0 {
			return nil, t.unstated(clip(str(a, 1)))
		}
		p := problem("map.lookup", "the table %q has no key %q", "表 %q 中没有键 %q", name, clip(str(a, 1))).at(1)
		if len(t.rows) <= 2000 {
			p.suggest(str(a, 1), sortedKeys(t.rows))
		}
		if p.en.hint == "" {
			p.hint("add it to the table, or give a default", "请在表中添加，或设置 default")
		}
		return nil, p
	}, nil
}
