package mapping

import (
	"strconv"
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

// civil is a date and time as written.
type civil struct {
	year, month, day, hour, minute, second, nano int
	// offset is the stated offset in seconds when zoned.
	offset int
	zoned  bool
	half   byte // 'A' or 'P' when the hour is of twelve
}

// read reads text as the layout says; the trouble names the first part that does not fit.
func (l *layout) read(text string) (civil, *trouble) {
	c := civil{month: 1, day: 1}
	rest := text
	for i := range l.steps {
		st := &l.steps[i]
		next, what := st.read(rest, &c)
		if what.en != "" {
			return c, problem("map.time", "%q does not fit the layout %q: %s expected at character %d", "%q 不符合格式 %q：第 %[4]d 个字符处应为%[3]s",
				clip(text), l.source, what, len([]rune(text))-len([]rune(rest))+1)
		}
		rest = next
	}
	if rest != "" {
		return c, problem("map.time", "%q does not fit the layout %q: %q is left over", "%q 不符合格式 %q：末尾多出 %q", clip(text), l.source, clip(rest))
	}
	return c, c.settle(text)
}

// settle applies am and pm and checks the ranges.
func (c *civil) settle(text string) *trouble {
	if c.half != 0 {
		if c.hour < 1 || c.hour > 12 {
			return outOfRange(text, bilingual{"hour", "小时"}, c.hour)
		}
		c.hour %= 12
		if c.half == 'P' {
			c.hour += 12
		}
	}
	if c.hour == 24 && c.minute == 0 && c.second == 0 && c.nano == 0 {
		return problem("map.time", "%q is hour 24; EPCIS has no such hour", "%q 的小时为 24，EPCIS 不允许", clip(text)).
			hint("write the next day, hour 00", "请写成次日 00 时")
	}
	switch {
	case c.month < 1 || c.month > 12:
		return outOfRange(text, bilingual{"month", "月份"}, c.month)
	case c.day < 1 || c.day > daysIn(c.year, c.month):
		return outOfRange(text, bilingual{"day", "日期"}, c.day)
	case c.hour > 23:
		return outOfRange(text, bilingual{"hour", "小时"}, c.hour)
	case c.minute > 59:
		return outOfRange(text, bilingual{"minute", "分钟"}, c.minute)
	case c.second > 59:
		return outOfRange(text, bilingual{"second", "秒"}, c.second)
	case c.year < 1 || c.year > 9999:
		return outOfRange(text, bilingual{"year", "年份"}, c.year)
	}
	return nil
}

func outOfRange(text string, what bilingual, got int) *trouble {
	return problem("map.time", "%q is no time: the %s would be %d", "%q 不是有效时间：%s为 %d", clip(text), what, got).
		hint("check the layout, or the record", "请检查时间格式或原始记录")
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// read takes one part off text; what names the part when it is not there.
func (st *layoutStep) read(text string, c *civil) (rest string, what bilingual) {
	switch st.field {
	case literalField:
		rest, ok := strings.CutPrefix(text, st.text)
		if !ok {
			return text, bilingual{strconv.Quote(st.text), strconv.Quote(st.text)}
		}
		return rest, what
	case monthNameField:
		return readMonth(text, c)
	case halfField:
		return readHalf(text, c)
	case zoneField:
		return readZone(text, c)
	case fractionField:
		return readFraction(text, st.width, c)
	case yearField, shortYearField, monthField, dayField, hourField, hour12Field, minuteField, secondField:
	}
	n, rest, ok := digits(text, st.width)
	if !ok {
		return text, st.field.words()
	}
	st.field.set(c, n)
	return rest, what
}

// digits takes width digits off text, or one or two when width is 0.
func digits(text string, width int) (n int, rest string, ok bool) {
	most := width
	if width == 0 {
		most = 2
	}
	i := 0
	for i < most && i < len(text) && text[i] >= '0' && text[i] <= '9' {
		n = n*10 + int(text[i]-'0')
		i++
	}
	return n, text[i:], i > 0 && (width == 0 || i == width)
}

func (f field) set(c *civil, n int) {
	switch f {
	case yearField:
		c.year = n
	case shortYearField:
		c.year = 2000 + n
		if n >= 70 {
			c.year = 1900 + n
		}
	case monthField:
		c.month = n
	case dayField:
		c.day = n
	case hourField, hour12Field:
		c.hour = n
	case minuteField:
		c.minute = n
	case secondField:
		c.second = n
	case literalField, monthNameField, fractionField, halfField, zoneField:
	}
}

func (f field) words() bilingual {
	switch f {
	case yearField:
		return bilingual{"four digits of the year", "四位年份"}
	case shortYearField:
		return bilingual{"two digits of the year", "两位年份"}
	case monthField:
		return bilingual{"the month", "月份"}
	case dayField:
		return bilingual{"the day", "日期"}
	case hourField, hour12Field:
		return bilingual{"the hour", "小时"}
	case minuteField:
		return bilingual{"the minute", "分钟"}
	case literalField, secondField, monthNameField, fractionField, halfField, zoneField:
	}
	return bilingual{"the second", "秒"}
}

func readMonth(text string, c *civil) (string, bilingual) {
	names := [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
	lower := strings.ToLower(text[:min(len(text), 9)])
	for i, name := range names {
		for _, form := range []string{name, name[:3]} {
			if strings.HasPrefix(lower, form) {
				c.month = i + 1
				return text[len(form):], bilingual{}
			}
		}
	}
	return text, bilingual{"the name of a month", "英文月份名"}
}

func readHalf(text string, c *civil) (string, bilingual) {
	if len(text) >= 2 {
		switch strings.ToUpper(text[:2]) {
		case "AM", "PM":
			c.half = text[0] &^ 0x20
			return text[2:], bilingual{}
		}
	}
	return text, bilingual{"AM or PM", "AM 或 PM"}
}

func readFraction(text string, width int, c *civil) (string, bilingual) {
	i, n := 0, 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' && (width == 0 && i < 9 || i < width) {
		n = n*10 + int(text[i]-'0')
		i++
	}
	if i == 0 || width > 0 && i < width {
		return text, bilingual{"the fraction of the second", "秒的小数"}
	}
	for range 9 - i {
		n *= 10
	}
	c.nano = n
	return text[i:], bilingual{}
}

func readZone(text string, c *civil) (string, bilingual) {
	text = strings.TrimPrefix(text, " ")
	for _, utc := range []string{"Z", "UTC", "GMT"} {
		if rest, ok := strings.CutPrefix(text, utc); ok {
			c.offset, c.zoned = 0, true
			return rest, bilingual{}
		}
	}
	for _, n := range []int{6, 5, 3} {
		if len(text) >= n {
			if sec, ok := parseOffset(text[:n]); ok {
				c.offset, c.zoned = sec, true
				return text[n:], bilingual{}
			}
		}
	}
	return text, bilingual{"an offset such as +08:00", "时区偏移，例如 +08:00"}
}

// parseOffset reads +08:00, +0800 or +08 as seconds east of UTC; EPCIS allows up to 14 hours.
func parseOffset(s string) (int, bool) {
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, rest, ok := digits(s[1:], 2)
	m := 0
	if ok && rest != "" {
		m, rest, ok = digits(strings.TrimPrefix(rest, ":"), 2)
	}
	if !ok || rest != "" || m > 59 || h*60+m > 14*60 {
		return 0, false
	}
	sec := h*3600 + m*60
	if s[0] == '-' {
		sec = -sec
	}
	return sec, true
}

// clip shortens text for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 48 {
		return string(r[:47]) + "…"
	}
	return s
}
