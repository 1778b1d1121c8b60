package mapping

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a mapping that names a zone must mean the same on a machine without zone files

	"github.com/cockroachdb/apd/v3"
)

// zone is what places a naive time: a fixed offset, or a location of the IANA database.
type zone struct {
	offset   int
	location *time.Location // nil for a fixed offset
}

// parseZone reads "+08:00", "Z" or "Asia/Shanghai".
func parseZone(s string) (*zone, *trouble) {
	if s == "Z" || s == "UTC" {
		return &zone{}, nil
	}
	if sec, ok := parseOffset(s); ok {
		return &zone{offset: sec}, nil
	}
	if s != "" && s != "Local" && len(s) < 64 {
		if loc, err := time.LoadLocation(s); err == nil {
			return &zone{location: loc}, nil
		}
	}
	return nil, problem("mapping.timezone", "%q is no time zone", "%q 不是有效时区", clip(s)).
		hint("write an offset such as \"+08:00\", or a name such as \"Asia/Shanghai\"", "请写偏移，例如 \"+08:00\"，或名称，例如 \"Asia/Shanghai\"")
}

// in returns the offset in seconds of the civil time c in the zone.
func (z *zone) in(c civil) int {
	if z.location == nil {
		return z.offset
	}
	_, offset := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, z.location).Zone()
	return offset
}

// of returns the civil time of an instant in the zone.
func (z *zone) of(t time.Time) civil {
	loc := z.location
	if loc == nil {
		loc = time.FixedZone("", z.offset)
	}
	t = t.In(loc)
	_, offset := t.Zone()
	return civil{year: t.Year(), month: int(t.Month()), day: t.Day(), hour: t.Hour(), minute: t.Minute(), second: t.Second(), nano: t.Nanosecond(), offset: offset, zoned: true}
}

// readTime reads a text or number as the layout says.
func readTime(l *layout, v string, z *zone) (civil, *trouble) {
	v = strings.TrimSpace(v)
	var c civil
	var t *trouble
	switch l.special {
	case "":
		c, t = l.read(v)
	case "auto":
		c, t = readAuto(v, z)
	case "iso":
		c, t = readISO(v)
	case "unix", "unixms":
		c, t = readUnix(v, l.special == "unixms", z)
	default:
		c, t = readExcel(v, l.special == "excel1904")
	}
	if t != nil || c.zoned {
		return c, t
	}
	if z == nil {
		return c, problem("map.time", "%q has no time zone, and the mapping names none", "%q 没有时区，映射也未指定时区", clip(v)).
			hint("add timezone: \"+08:00\" at the top of the mapping, or the zone as third argument of ts", "请在映射顶部添加 timezone: \"+08:00\"，或作为 ts 的第三个参数")
	}
	c.offset, c.zoned = z.in(c), true
	return c, nil
}

// readAuto recognises what is unambiguous: ISO 8601, and digits by their number: 8, 12, 14 and 17 are a date and time as
// Chinese customs writes it, 10 and 13 are Unix seconds and milliseconds.
func readAuto(v string, z *zone) (civil, *trouble) {
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return readISO(v)
		}
	}
	var java string
	switch len(v) {
	case 8:
		java = "yyyyMMdd"
	case 10:
		return readUnix(v, false, z)
	case 12:
		java = "yyyyMMddHHmm"
	case 13:
		return readUnix(v, true, z)
	case 14:
		java = "yyyyMMddHHmmss"
	case 17:
		java = "yyyyMMddHHmmssSSS"
	default:
		return civil{}, unknownTime(v)
	}
	l := &layout{source: java}
	l.letters(java)
	return l.read(v)
}

func unknownTime(v string) *trouble {
	return problem("map.time", "%q is no time in a form that is known without a layout", "无法在没有格式的情况下识别时间 %q", clip(v)).
		hint("give the layout, for example ts(row.time, 'dd.MM.yyyy HH:mm')", "请给出格式，例如 ts(row.time, 'dd.MM.yyyy HH:mm')")
}

// readISO reads ISO 8601 as it is met: date and time parted by T or a blank, seconds, fraction and offset optional, the
// time itself optional.
func readISO(v string) (civil, *trouble) {
	c := civil{}
	r := &isoReader{rest: v}
	r.take(4, &c.year)
	r.sep("-", "/")
	r.take(0, &c.month)
	r.sep("-", "/")
	r.take(0, &c.day)
	if r.bad {
		return c, unknownTime(v)
	}
	if r.rest == "" {
		return c, c.settle(v)
	}
	r.sep("T", " ", "t")
	r.take(0, &c.hour)
	r.sep(":")
	r.take(2, &c.minute)
	if r.optional(":") {
		r.take(2, &c.second)
	}
	if r.optional(".", ",") {
		r.part(func(s string) (string, bilingual) { return readFraction(s, 0, &c) })
		r.rest = strings.TrimLeft(r.rest, "0123456789") // beyond nanoseconds
	}
	if r.rest != "" {
		r.part(func(s string) (string, bilingual) { return readZone(s, &c) })
	}
	if r.bad || r.rest != "" {
		return c, unknownTime(v)
	}
	return c, c.settle(v)
}

// isoReader takes parts off a text; bad is set once one is not there.
type isoReader struct {
	rest string
	bad  bool
}

func (r *isoReader) take(width int, into *int) {
	n, rest, ok := digits(r.rest, width)
	*into, r.rest = n, rest
	r.bad = r.bad || !ok
}

func (r *isoReader) optional(marks ...string) bool {
	for _, m := range marks {
		if rest, ok := strings.CutPrefix(r.rest, m); ok {
			r.rest = rest
			return true
		}
	}
	return false
}

func (r *isoReader) sep(marks ...string) { r.bad = !r.optional(marks...) || r.bad }

func (r *isoReader) part(read func(string) (string, bilingual)) {
	rest, what := read(r.rest)
	r.rest, r.bad = rest, r.bad || what.en != ""
}

func readUnix(v string, milli bool, z *zone) (civil, *trouble) {
	d, ok := parseDecimal(v)
	if !ok {
		return civil{}, problem("map.time", "%q is no Unix time", "%q 不是 Unix 时间", clip(v))
	}
	scale := int32(9)
	if milli {
		scale = 6
	}
	var nanos apd.Decimal
	nanos.Set(d)
	nanos.Exponent += scale
	var whole apd.Decimal
	if _, err := arithmetic().RoundToIntegralValue(&whole, &nanos); err != nil {
		return civil{}, problem("map.time", "%q is no Unix time", "%q 不是 Unix 时间", clip(v))
	}
	n, err := whole.Int64()
	if err != nil {
		return civil{}, problem("map.time", "%q is too large for a Unix time", "%q 超出 Unix 时间范围", clip(v)).
			hint("milliseconds are written with 'unixms'", "毫秒请用 'unixms'")
	}
	if z == nil {
		z = &zone{}
	}
	return z.of(time.Unix(0, n)), nil
}

// readExcel reads a serial date of a spreadsheet: days since 1899-12-30, or since 1904-01-01 where the workbook says so.
func readExcel(v string, from1904 bool) (civil, *trouble) {
	d, err := strconv.ParseFloat(v, 64)
	if err != nil || d < 0 || d > 2_958_466 {
		return civil{}, problem("map.time", "%q is no serial date of a spreadsheet", "%q 不是电子表格的日期序列号", clip(v))
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if from1904 {
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	days := int(d)
	millis := int64((d-float64(days))*86_400_000 + 0.5)
	t := epoch.AddDate(0, 0, days).Add(time.Duration(millis) * time.Millisecond)
	if off := t.Nanosecond() % int(time.Second); off > 999_000_000 { // a serial is exact to about 20 µs; 59.9995 s is 60 s
		t = t.Truncate(time.Second).Add(time.Second)
	}
	c := (&zone{}).of(t)
	c.zoned, c.offset = false, 0
	return c, nil
}

// offsetOf returns the offset that an ISO time states at its end, as EPCIS writes it.
func offsetOf(t string) (string, bool) {
	if strings.HasSuffix(t, "Z") {
		return "+00:00", true
	}
	if len(t) < len("2006-01-02T15:04+08:00") {
		return "", false
	}
	tail := t[len(t)-6:]
	if _, ok := parseOffset(tail); ok && tail[3] == ':' {
		return tail, true
	}
	return "", false
}
