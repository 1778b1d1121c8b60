package mapping

import (
	"strconv"
	"strings"
)

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

// write returns the time as EPCIS writes it: 2019-11-07T18:13:43+08:00, with a fraction only when there is one.
func (c civil) write() string {
	b := make([]byte, 0, 35)
	b = appendDigits(b, c.year, 4)
	b = appendDigits(append(b, '-'), c.month, 2)
	b = appendDigits(append(b, '-'), c.day, 2)
	b = appendDigits(append(b, 'T'), c.hour, 2)
	b = appendDigits(append(b, ':'), c.minute, 2)
	b = appendDigits(append(b, ':'), c.second, 2)
	if c.nano > 0 {
		b = appendDigits(append(b, '.'), c.nano, 9)
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	if c.offset == 0 {
		return string(append(b, 'Z'))
	}
	return string(appendOffset(b, c.offset))
}

func appendDigits(b []byte, n, width int) []byte {
	start := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := len(b) - 1; i >= start; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// appendOffset writes +08:00.
func appendOffset(b []byte, seconds int) []byte {
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	b = appendDigits(append(b, sign), seconds/3600, 2)
	return appendDigits(append(b, ':'), seconds/60%60, 2)
}
