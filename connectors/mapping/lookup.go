package mapping

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"slices"

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
	inline, file := n.get("table"), n.get("csv")
	if (inline == nil) == (file == nil) {
		l.fail(n, problem("mapping.shape", "a lookup has either table: with keys and values or csv: with a file's name", "lookup 需要 table:（键值对）或 csv:（文件名），二选一").
			hint("write  %s: { table: { A: active } }  or  %[1]s: { csv: %[1]s.csv, key: code }", "请写  %s: { table: { A: active } }  或  %[1]s: { csv: %[1]s.csv, key: code }", t.name))
		return
	}
	if !l.object(n, bilingual{"a lookup", "查找表"}, "table", "csv", "key", "value", "delimiter", "default") {
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
	if inline.shape != objectShape {
		l.fail(inline, problem("mapping.shape", "a table is written as key: value", "table 应写成 键: 值"))
	}
	for i := range inline.pairs {
		e := &inline.pairs[i]
		if p := l.constantPiece(e.value, &spec{}, "lookup."+t.name); p != nil {
			t.rows[e.key] = p.value
		}
	}
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
	return func(_ *scope, a []any) (any, *trouble) {
		if v, ok := t.rows[str(a, 1)]; ok {
			return v, nil
		}
		switch {
		case len(a) > 2:
			return a[2], nil
		case t.hasFallback:
			return t.otherwise, nil
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
