package gs1

import (
	"bufio"
	"io"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// PrefixTable says how long the GS1 company prefix at the start of a key is. It is read-only after [LoadPrefixTable] and
// safe for concurrent use. The nil table knows no prefix.
type PrefixTable struct {
	lengths map[uint64]uint8
	longest int
}

// Limits of a prefix table, well above GS1's own of about 171,000 rows.
const (
	maxPrefixRows = 4 << 20
	maxPrefixLine = 256
)

// LoadPrefixTable reads a table of leading digits and the length of the company prefix that begins with them: one row a
// line, the digits (at most 15), a tab, the length, 0 for digits that begin no company prefix. Lines that begin with #
// and empty lines say nothing. It fails with gs1.prefix-table and the line where a row is anything else.
func LoadPrefixTable(r io.Reader) (*PrefixTable, error) {
	t := &PrefixTable{lengths: make(map[uint64]uint8)}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxPrefixLine), maxPrefixLine)
	n := 0
	for lines.Scan() {
		n++
		row := strings.TrimSpace(lines.Text())
		if row == "" || row[0] == '#' {
			continue
		}
		prefix, length, ok := strings.Cut(row, "\t")
		size, err := strconv.ParseUint(strings.TrimSpace(length), 10, 8)
		if !ok || err != nil || size > maxPrefix || prefix == "" || len(prefix) > 15 || !allIn(prefix, digit) {
			return nil, fault(hub.Invalid, "gs1.prefix-table", args{row},
				"a row is digits, a tab, and a length from 0 to 12, got %q",
				"每行应为数字、制表符和 0 到 12 的长度，得到 %q").At(hub.Where{Line: n})
		}
		if len(t.lengths) == maxPrefixRows {
			return nil, fault(hub.TooLarge, "gs1.prefix-table", args{maxPrefixRows},
				"a prefix table has at most %d rows", "前缀表最多 %d 行").At(hub.Where{Line: n})
		}
		t.lengths[prefixKey(prefix)] = uint8(size)
		t.longest = max(t.longest, len(prefix))
	}
	if err := lines.Err(); err != nil {
		return nil, fault(hub.Invalid, "gs1.prefix-table", args{n + 1},
			"the prefix table cannot be read after line %d", "前缀表在第 %d 行之后无法读取").
			At(hub.Where{Line: n + 1}).Because(err)
	}
	return t, nil
}

// prefixKey packs digits and their count.
func prefixKey(digits string) uint64 {
	var v uint64
	for i := range len(digits) {
		v = v*10 + uint64(digits[i]-'0')
	}
	return v<<4 | uint64(len(digits))
}

// Length returns the length of the company prefix at the start of key, by the longest row that matches, or 0 where there
// is none or the digits are marked as unusable.
func (t *PrefixTable) Length(key string) int {
	if t == nil {
		return 0
	}
	n := 0
	for n < len(key) && n < t.longest && in(key[n], digit) {
		n++
	}
	for ; n > 0; n-- {
		if size, ok := t.lengths[prefixKey(key[:n])]; ok {
			return int(size)
		}
	}
	return 0
}

// Len returns how many rows the table has.
func (t *PrefixTable) Len() int {
	if t == nil {
		return 0
	}
	return len(t.lengths)
}
