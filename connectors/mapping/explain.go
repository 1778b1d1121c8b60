package mapping

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/suyuan-io/suyuan/hub"
)

// Language is one that messages exist in.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Explain renders the faults of err for a person: each with its message, the line of the file that it is in, a caret
// under the place, and what to do. Files are read from fsys; those that are not there are left out.
func Explain(fsys fs.FS, err error, lang Language) string {
	var all hub.Faults
	if !errors.As(err, &all) {
		all = hub.Faults{hub.AsFault(err)}
	}
	var b strings.Builder
	for i, f := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		explain(&b, fsys, f, lang)
	}
	return b.String()
}

func explain(b *strings.Builder, fsys fs.FS, f *hub.Fault, lang Language) {
	message, hint := f.Message, f.Hint
	if lang == Chinese {
		message, hint = pick(f.MessageZh, message), pick(f.HintZh, hint)
	}
	if w := f.Where.String(); w != "" {
		fmt.Fprintf(b, "%s: ", w)
	}
	fmt.Fprintf(b, "%s [%s]\n", message, f.Code)
	excerpt(b, fsys, f.Where)
	if site, ok := errors.AsType[*Site](f.Err); ok {
		fmt.Fprintf(b, "  %s\n", site)
		excerpt(b, fsys, site.Mapping)
	} else if f.Err != nil {
		fmt.Fprintf(b, "  %v\n", f.Err)
	}
	if hint != "" {
		fmt.Fprintf(b, "  → %s\n", hint)
	}
}

func pick(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// excerpt writes the line of w with a caret under its column, as wide as the word there.
func excerpt(b *strings.Builder, fsys fs.FS, w hub.Where) {
	if fsys == nil || w.File == "" || w.Line == 0 || !fs.ValidPath(w.File) {
		return
	}
	src, err := fs.ReadFile(fsys, w.File)
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimPrefix(string(src), "\ufeff"), "\n")
	if w.Line > len(lines) {
		return
	}
	line := []rune(strings.TrimRight(lines[w.Line-1], "\r"))
	from := 0
	if w.Column > 60 { // keep the place in view
		from = w.Column - 60
	}
	if from > len(line) {
		return
	}
	shown := line[from:min(len(line), from+120)]
	number := fmt.Sprintf("%5d", w.Line)
	fmt.Fprintf(b, "%s | %s\n", number, strings.ReplaceAll(string(shown), "\t", " "))
	if w.Column < 1 || w.Column-1 > len(line) {
		return
	}
	fmt.Fprintf(b, "%s | %s%s\n", strings.Repeat(" ", len(number)), blanks(line[from:w.Column-1]), strings.Repeat("^", wordAt(line, w.Column-1)))
}

// blanks is as wide as the text on a terminal, where ideographs take two columns.
func blanks(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(' ')
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0xFF01 && r <= 0xFF60 || r >= 0x3000 && r <= 0x303F {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wordAt is the length of the name or number at i, at least 1.
func wordAt(line []rune, i int) int {
	n := 0
	for i+n < len(line) && (line[i+n] == '_' || unicode.IsLetter(line[i+n]) || unicode.IsDigit(line[i+n])) {
		n++
	}
	return max(1, n)
}
