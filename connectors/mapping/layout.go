package mapping

import (
	"strings"
	"unicode/utf8"
)

// field is one part of a layout.
type field uint8

const (
	literalField field = iota + 1
	yearField
	shortYearField
	monthField
	monthNameField
	dayField
	hourField
	hour12Field
	minuteField
	secondField
	fractionField
	halfField
	zoneField
)

// layoutStep reads one part; width 0 takes as many digits as there are, up to two (nine for a fraction).
type layoutStep struct {
	field field
	width int
	text  string
}

// layout is a compiled layout of a time: steps, or the name of a format that is no sequence of fields.
type layout struct {
	source string
	// special is "auto", "iso", "unix", "unixms", "excel" or "excel1904".
	special string
	steps   []layoutStep
	// zoned is true when the text states its own offset, hourly when it states an hour.
	zoned, hourly bool
}

// parseLayout reads a layout in any of the notations that people know: a name (iso, unix, unixms, excel, excel1904), an
// EDIFACT format code (DE 2379: 102, 203, 204, …), Java or Oracle letters, strftime, or Go's reference time.
func parseLayout(src string) (*layout, *trouble) {
	l := &layout{source: src}
	switch src {
	case "", "auto":
		l.special = "auto"
		return l, nil
	case "iso", "unix", "unixms", "excel", "excel1904":
		l.special = src
		l.zoned = src == "unix" || src == "unixms"
		return l, nil
	}
	if java, ok := edifactLayouts()[src]; ok {
		src = java
	}
	var ok bool
	switch {
	case len(src) > 64:
	case strings.Contains(src, "%"):
		ok = l.strftime(src)
	case strings.Contains(src, "2006") || strings.Contains(src, "0601"):
		ok = l.golang(src)
	default:
		ok = l.letters(src)
	}
	dated := false
	for _, st := range l.steps {
		dated = dated || st.field == dayField || st.field == yearField
		l.zoned = l.zoned || st.field == zoneField
		l.hourly = l.hourly || st.field == hourField || st.field == hour12Field
	}
	if !ok || !dated {
		return nil, problem("mapping.layout", "the layout %q is not understood", "无法理解时间格式 %q", l.source).
			hint("write for example 'yyyyMMddHHmmss', 'yyyy-MM-dd HH:mm:ss', '%%Y-%%m-%%d', 'iso', 'unix', 'unixms' or 'excel'",
				"例如 'yyyyMMddHHmmss'、'yyyy-MM-dd HH:mm:ss'、'%%Y-%%m-%%d'、'iso'、'unix'、'unixms' 或 'excel'").at(1)
	}
	return l, nil
}

// edifactLayouts are the date and time formats of UN/EDIFACT data element 2379 that state a point in time.
func edifactLayouts() map[string]string {
	return map[string]string{
		"2": "ddMMyy", "3": "MMddyy", "101": "yyMMdd", "102": "yyyyMMdd", "201": "yyMMddHHmm", "202": "yyMMddHHmmss",
		"203": "yyyyMMddHHmm", "204": "yyyyMMddHHmmss", "205": "yyyyMMddHHmmXX", "303": "yyyyMMddHHmmXX", "304": "yyyyMMddHHmmssXX",
	}
}

func (l *layout) add(f field, width int) {
	l.steps = append(l.steps, layoutStep{field: f, width: width})
}

func (l *layout) literal(s string) {
	if n := len(l.steps); n > 0 && l.steps[n-1].field == literalField {
		l.steps[n-1].text += s
		return
	}
	l.steps = append(l.steps, layoutStep{field: literalField, text: s})
}

// letters reads "yyyy-MM-dd'T'HH:mm:ss.SSSXXX" and "YYYY-MM-DD HH24:MI:SS".
func (l *layout) letters(src string) bool {
	seconds := strings.Contains(src, "s")
	for i := 0; i < len(src); {
		c := src[i]
		if c == '\'' {
			end := strings.IndexByte(src[i+1:], '\'')
			if end < 0 {
				return false
			}
			l.literal(src[i+1 : i+1+end])
			i += end + 2
			continue
		}
		n := 1
		for i+n < len(src) && src[i+n] == c {
			n++
		}
		rest := src[i:]
		if r, size := utf8.DecodeRuneInString(rest); size > 1 {
			l.literal(string(r))
			i += size
			continue
		}
		switch {
		case strings.HasPrefix(rest, "HH24"):
			n = 4
			l.add(hourField, 2)
		case strings.HasPrefix(rest, "MI"):
			n = 2
			l.add(minuteField, 2)
		case !l.letter(c, n, seconds):
			return false
		}
		i += n
	}
	return true
}

func (l *layout) letter(c byte, n int, seconds bool) bool {
	width := n
	if n == 1 {
		width = 0
	}
	switch c {
	case 'y', 'Y', 'u':
		if n == 2 {
			l.add(shortYearField, 2)
			return true
		}
		l.add(yearField, 4)
		return n == 4 || n == 1
	case 'M':
		if n >= 3 {
			l.add(monthNameField, 0)
			return true
		}
		l.add(monthField, width)
	case 'd', 'D':
		l.add(dayField, width)
	case 'H', 'k':
		l.add(hourField, width)
	case 'h', 'K':
		l.add(hour12Field, width)
	case 'm':
		l.add(minuteField, width)
	case 's':
		l.add(secondField, width)
	case 'S':
		if !seconds {
			l.add(secondField, width)
			return n <= 2
		}
		l.add(fractionField, n)
		return n <= 9
	case 'a':
		l.add(halfField, 0)
		return true
	case 'X', 'x', 'Z':
		l.add(zoneField, 0)
		return true
	default:
		l.literal(strings.Repeat(string(c), n))
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') || c == 'T'
	}
	return n <= 2 || c == 'S'
}

// strftime reads "%Y-%m-%d %H:%M:%S".
func (l *layout) strftime(src string) bool {
	src = strings.NewReplacer("%F", "%Y-%m-%d", "%T", "%H:%M:%S", "%R", "%H:%M", "%D", "%m/%d/%y").Replace(src)
	for i := 0; i < len(src); i++ {
		if src[i] != '%' {
			l.literal(src[i : i+1])
			continue
		}
		if i++; i < len(src) && src[i] == '-' {
			i++
		}
		if i >= len(src) {
			return false
		}
		switch src[i] {
		case 'Y':
			l.add(yearField, 4)
		case 'y':
			l.add(shortYearField, 2)
		case 'm':
			l.add(monthField, 0)
		case 'b', 'B', 'h':
			l.add(monthNameField, 0)
		case 'd', 'e':
			l.add(dayField, 0)
		case 'H':
			l.add(hourField, 0)
		case 'I':
			l.add(hour12Field, 0)
		case 'M':
			l.add(minuteField, 0)
		case 'S':
			l.add(secondField, 0)
		case 'f', 'L':
			l.add(fractionField, 0)
		case 'p', 'P':
			l.add(halfField, 0)
		case 'z':
			l.add(zoneField, 0)
		case '%':
			l.literal("%")
		default:
			return false
		}
	}
	l.fixWidths()
	return true
}

// fixWidths makes fields that touch another number exactly two digits wide, so that "%Y%m%d" reads 20191107.
func (l *layout) fixWidths() {
	for i := range l.steps {
		st := &l.steps[i]
		numeric := func(f field) bool {
			return f != literalField && f != monthNameField && f != halfField && f != zoneField
		}
		if st.width == 0 && st.field != fractionField && numeric(st.field) && i+1 < len(l.steps) && numeric(l.steps[i+1].field) {
			st.width = 2
		}
	}
}

// golang reads Go's reference time "2006-01-02T15:04:05Z07:00".
func (l *layout) golang(src string) bool {
	type part struct {
		text  string
		field field
		width int
	}
	parts := []part{{"2006", yearField, 4}, {"January", monthNameField, 0}, {"Jan", monthNameField, 0}, {"Z07:00", zoneField, 0},
		{"-07:00", zoneField, 0}, {"Z0700", zoneField, 0}, {"-0700", zoneField, 0}, {"MST", zoneField, 0}, {"PM", halfField, 0},
		{"01", monthField, 2}, {"02", dayField, 2}, {"03", hour12Field, 2}, {"04", minuteField, 2}, {"05", secondField, 2}, {"06", shortYearField, 2},
		{"15", hourField, 2}, {"_2", dayField, 0}, {"1", monthField, 0}, {"2", dayField, 0}, {"3", hour12Field, 0}, {"4", minuteField, 0}, {"5", secondField, 0}}
next:
	for len(src) > 0 {
		for _, p := range parts {
			if strings.HasPrefix(src, p.text) {
				l.add(p.field, p.width)
				src = src[len(p.text):]
				continue next
			}
		}
		if zeros := len(src) - len(strings.TrimLeft(src, "0")); zeros > 0 {
			l.add(fractionField, min(zeros, 9))
			src = src[zeros:]
			continue
		}
		if src[0] == '9' {
			l.add(fractionField, 0)
			src = strings.TrimLeft(src, "9")
			continue
		}
		l.literal(src[:1])
		src = src[1:]
	}
	return true
}
