package gs1

import "time"

// lintTimeNamed returns the check of dates and times of that name, or nil.
func lintTimeNamed(name string) func(string) Flaw {
	switch name {
	case "yymmd0":
		return lintShortDate
	case "yymmdd":
		return func(data string) Flaw { return withDay(data, lintShortDate(data)) }
	case "yyyymmd0":
		return lintDate
	case "yyyymmdd":
		return func(data string) Flaw { return withDay(data, lintDate(data)) }
	case "hhmi":
		return lintHourMinute
	case "hh":
		return lintHour
	case "mi":
		return lintMinute
	case "ss":
		return lintSecond
	}
	return nil
}

// pivotYear decides the century of a two-digit year (General Specifications, section 7.12, with 2021 as the present, as the
// GS1 Barcode Syntax Tests do): it matters for nothing but February 29.
const pivotYear = 21

// lintShortDate checks YYMMDD; day 00 stands for the whole month.
func lintShortDate(data string) Flaw {
	if f := lintDateText(data, 6); f.Code != "" {
		return f
	}
	century := "20"
	switch yy := number(data[:2]); {
	case yy-pivotYear >= 51:
		century = "19"
	case yy-pivotYear <= -50:
		century = "21"
	}
	f := lintDate(century + data)
	if f.Code == "" {
		return f
	}
	return f.shifted(-2)
}

// lintDate checks YYYYMMDD; day 00 stands for the whole month.
func lintDate(data string) Flaw {
	if f := lintDateText(data, 8); f.Code != "" {
		return f
	}
	year, month, day := number(data[:4]), number(data[4:6]), number(data[6:])
	if month < 1 || month > 12 {
		return Flaw{"illegal-month", 4, 2}
	}
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if day > last {
		return Flaw{"illegal-day", 6, 2}
	}
	return Flaw{}
}

// lintDateText checks the length of a date and that it is digits.
func lintDateText(data string, n int) Flaw {
	if len(data) < n {
		return whole("date-too-short", data)
	}
	if len(data) > n {
		return whole("date-too-long", data)
	}
	return lintDigits(data)
}

// withDay refuses day 00 in a date whose check found f.
func withDay(data string, f Flaw) Flaw {
	if n := len(data); f.Code == "" && data[n-2:] == "00" {
		return Flaw{"illegal-day", n - 2, 2}
	}
	return f
}

// lintHour checks HH.
func lintHour(data string) Flaw { return lintTwoDigits(data, "hour", 23) }

// lintMinute checks MI.
func lintMinute(data string) Flaw { return lintTwoDigits(data, "minute", 59) }

// lintSecond checks SS.
func lintSecond(data string) Flaw { return lintTwoDigits(data, "second", 59) }

// lintTwoDigits checks a part of a time.
func lintTwoDigits(data, part string, most int) Flaw {
	switch {
	case len(data) < 2:
		return whole(part+"-too-short", data)
	case len(data) > 2:
		return whole(part+"-too-long", data)
	}
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	if number(data) > most {
		return whole("illegal-"+part, data)
	}
	return Flaw{}
}

// lintHourMinute checks HHMI.
func lintHourMinute(data string) Flaw {
	switch {
	case len(data) < 4:
		return whole("hour-with-minute-too-short", data)
	case len(data) > 4:
		return whole("hour-with-minute-too-long", data)
	}
	if f := lintHour(data[:2]); f.Code != "" {
		return f
	}
	if f := lintMinute(data[2:]); f.Code != "" {
		return f.shifted(2)
	}
	return Flaw{}
}

// number is the value of a few digits.
func number(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}
