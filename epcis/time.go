package epcis

import (
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// ParseTime parses an EPCIS time: an XML Schema dateTime with a zone (EPCIS 2.0 section 7.4.1), any number of decimals,
// of which nine are kept. Two forms that time.Parse refuses are taken as ISO 8601 means them: the leap second 23:59:60
// is the first instant of the next minute, because neither Go nor any store can tell them apart, and 24:00:00 is the
// first instant of the next day.
func ParseTime(s string) (time.Time, error) {
	c, ok := scanClock(s)
	if !ok {
		f := faultf(hub.Invalid, "epcis.time", "%q is no time with a zone", "%q 不是带时区的时间", s)
		return time.Time{}, hinted(f, "write it like 2013-06-08T14:58:56.591+02:00", "请写成 2013-06-08T14:58:56.591+02:00 的形式")
	}
	return c.time(), nil
}

// clock is a parsed time.
type clock struct {
	year, month, day, hour, minute, second, nano int
	// offset is the zone in seconds east of UTC.
	offset int
}

// time returns the time in its own zone, utc the same instant in UTC.
func (c clock) time() time.Time {
	if c.offset == 0 {
		return c.utc()
	}
	return c.utc().In(time.FixedZone("", c.offset))
}

func (c clock) utc() time.Time {
	return time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second-c.offset, c.nano, time.UTC)
}

// scanClock parses YYYY-MM-DDThh:mm:ss[.f…](Z|±hh:mm). T and Z may be lower case (RFC 3339).
func scanClock(s string) (c clock, ok bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return c, false
	}
	c.year = two(s[0:])*100 + two(s[2:])
	c.month, c.day, c.hour, c.minute, c.second = two(s[5:]), two(s[8:]), two(s[11:]), two(s[14:]), two(s[17:])
	if two(s) < 0 || two(s[2:]) < 0 || !c.valid() {
		return c, false
	}
	rest := s[19:]
	if rest[0] == '.' {
		n := digits(rest[1:])
		if n == 0 {
			return c, false
		}
		c.fraction(rest[1 : 1+n])
		rest = rest[1+n:]
	}
	c.offset, ok = scanZone(rest)
	return c, ok
}

// two reads two digits, or returns -1.
func two(s string) int {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

func (c *clock) valid() bool {
	if c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.minute < 0 || c.minute > 59 || c.second < 0 {
		return false
	}
	if c.day > 28 && time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC).Day() != c.day {
		return false
	}
	switch {
	case c.second == 60:
		return c.minute == 59
	case c.hour == 24:
		return c.minute == 0 && c.second == 0
	}
	return c.second < 60 && c.hour >= 0 && c.hour < 24
}

func (c *clock) fraction(f string) {
	scale := 100_000_000
	for i := range len(f) {
		c.nano += int(f[i]-'0') * scale
		scale /= 10
	}
}

func scanZone(s string) (seconds int, ok bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, m := two(s[1:]), two(s[4:])
	if h < 0 || m < 0 || m > 59 || h > 14 || h == 14 && m > 0 {
		return 0, false
	}
	seconds = h*3600 + m*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
