package epcisrest

import (
	"encoding/json"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schedule says at which times a scheduled query runs (EPCIS 2.0 section 8.2.5.3): the times, in UTC, whose every field has
// one of the stated values. A field that is left out stands for any value, but below the finest stated field for the
// first: {"hour":"1","minute":"5"} is 01:05:00 every day.
type schedule struct {
	// second to dayOfWeek are sets of values, as bits.
	second, minute, hour, dayOfMonth, month, dayOfWeek uint64
}

// scheduleField is a field of a schedule: its name in JSON and in URLs, its header, and its range.
type scheduleField struct {
	name, header string
	low, high    int
	set          *uint64
}

// fields lists the fields from fine to coarse; dayOfWeek, 1 for Monday, is beside dayOfMonth.
func (s *schedule) fields() []scheduleField {
	return []scheduleField{
		{"second", "GS1-Query-Second", 0, 59, &s.second},
		{"minute", "GS1-Query-Minute", 0, 59, &s.minute},
		{"hour", "GS1-Query-Hour", 0, 23, &s.hour},
		{"dayOfMonth", "GS1-Query-DayOfMonth", 1, 31, &s.dayOfMonth},
		{"dayOfWeek", "GS1-Query-DayOfWeek", 1, 7, &s.dayOfWeek},
		{"month", "GS1-Query-Month", 1, 12, &s.month},
	}
}

func badSchedule(field, en, zh string) error {
	return refuse(subscriptionControls, http.StatusBadRequest, "epcis.schedule", en, zh).at("/schedule/"+field).
		hint(`write numbers and ranges like "0,15,[30-45]"`, `请写成数字或范围，如 "0,15,[30-45]"`)
}

// parseScheduleJSON parses the JSON object of a schedule.
func parseScheduleJSON(data []byte) (schedule, error) {
	var members map[string]any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return schedule{}, badSchedule("", "schedule is no JSON object", "schedule 必须是 JSON 对象")
	}
	texts := map[string]string{}
	for name, v := range members {
		switch v := v.(type) {
		case string:
			texts[name] = v
		case json.Number:
			texts[name] = v.String()
		default:
			return schedule{}, badSchedule(name, name+" is neither text nor a number", name+" 必须是文本或数字")
		}
	}
	return parseSchedule(texts)
}

// parseSchedule parses the fields of a schedule by their names.
func parseSchedule(texts map[string]string) (schedule, error) {
	var s schedule
	fields := s.fields()
	for name := range texts {
		if !slices.ContainsFunc(fields, func(f scheduleField) bool { return f.name == name }) {
			return s, badSchedule(name, name+" is no field of a schedule", "schedule 没有字段 "+name)
		}
	}
	if len(texts) == 0 {
		return s, badSchedule("", "the schedule is empty", "schedule 为空")
	}
	finer := true
	for _, f := range fields {
		text, stated := texts[f.name]
		if !stated {
			for v := f.low; v <= f.high; v++ {
				*f.set |= 1 << v
				if finer && f.name != "dayOfMonth" && f.name != "dayOfWeek" {
					break
				}
			}
			continue
		}
		finer = false
		set, ok := parseSet(text, f.low, f.high)
		if !ok {
			return s, badSchedule(f.name, f.name+" is "+strconv.Quote(text)+"; it has values from "+strconv.Itoa(f.low)+" to "+
				strconv.Itoa(f.high), f.name+" 的值 "+strconv.Quote(text)+" 无效，范围为 "+strconv.Itoa(f.low)+" 到 "+strconv.Itoa(f.high))
		}
		*f.set = set
	}
	if _, ok := texts["month"]; ok && texts["dayOfMonth"] == "" && texts["dayOfWeek"] == "" {
		s.dayOfMonth = 1 << 1 // the finest stated field is the month
	}
	if _, ok := s.next(time.Unix(0, 0)); !ok {
		return s, badSchedule("", "no day ever matches the schedule", "没有任何日期符合该 schedule")
	}
	return s, nil
}

// parseSet parses element(,element)* where an element is a number or [low-high].
func parseSet(text string, low, high int) (set uint64, ok bool) {
	if len(text) > 512 {
		return 0, false
	}
	for element := range strings.SplitSeq(text, ",") {
		from, to := element, element
		if inner, ranged := strings.CutPrefix(element, "["); ranged {
			if inner, ranged = strings.CutSuffix(inner, "]"); !ranged {
				return 0, false
			}
			if from, to, ranged = strings.Cut(inner, "-"); !ranged {
				return 0, false
			}
		}
		a, okA := parseValue(from)
		b, okB := parseValue(to)
		if !okA || !okB || a < low || b > high || a > b {
			return 0, false
		}
		for v := a; v <= b; v++ {
			set |= 1 << v
		}
	}
	return set, true
}

func parseValue(s string) (int, bool) {
	if s == "" || len(s) > 2 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func has(set uint64, v int) bool { return set>>v&1 == 1 }

// from returns the first member of set that is at least v.
func from(set uint64, v int) (int, bool) {
	if set >>= v; set == 0 {
		return 0, false
	}
	return v + bits.TrailingZeros64(set), true
}

// horizon is how many days a matching one is looked for: every combination of day, month and weekday comes within 28 years,
// but for a century without its leap day.
const horizon = 40 * 366

// next returns the first matching time after t.
func (s *schedule) next(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Second).Add(time.Second)
	hour, minute, second := t.Clock()
	day := t.Truncate(24 * time.Hour)
	for range horizon {
		if s.day(day) {
			if h, m, sec, ok := s.clock(hour, minute, second); ok {
				return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second), true
			}
		}
		day = day.Add(24 * time.Hour)
		hour, minute, second = 0, 0, 0
	}
	return time.Time{}, false
}

func (s *schedule) day(t time.Time) bool {
	weekday := int(t.Weekday())
	if weekday == 0 {
		weekday = 7
	}
	return has(s.month, int(t.Month())) && has(s.dayOfMonth, t.Day()) && has(s.dayOfWeek, weekday)
}

// clock returns the first matching time of day that is not before the given one.
func (s *schedule) clock(hour, minute, second int) (h, m, sec int, ok bool) {
	for ; ; hour, minute, second = h+1, 0, 0 {
		if h, ok = from(s.hour, hour); !ok {
			return 0, 0, 0, false
		}
		if h > hour {
			minute, second = 0, 0
		}
		for ; ; minute, second = m+1, 0 {
			if m, ok = from(s.minute, minute); !ok {
				break
			}
			if m > minute {
				second = 0
			}
			if sec, ok = from(s.second, second); ok {
				return h, m, sec, true
			}
		}
	}
}
