package epcis

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
)

// simpleTypes are the lexical forms of the simple types of XML Schema that EPCIS and its extensions use. A type that is
// known and has no pattern takes every text.
//
//nolint:gochecknoglobals // read-only table
var simpleTypes = func() map[string]*regexp.Regexp {
	decimal, integer := `[+-]?(\d+(\.\d*)?|\.\d+)`, `[+-]?\d+`
	zone := `(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))`
	date := `-?([1-9]\d{3,}|0\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])`
	clock := `(([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?|24:00:00(\.0+)?)`
	m := map[string]*regexp.Regexp{}
	for name, pattern := range map[string]string{
		"string": "", "normalizedString": "", "token": "", "anyURI": "", "anyType": "", "anySimpleType": "", "language": "",
		"QName": "", "NMTOKEN": "", "base64Binary": "", "ENTITY": "", "ID": "", "IDREF": "",
		"Name": `[\pL_:][\pL\pN._:-]*`, "NCName": `[\pL_][\pL\pN._-]*`,
		"boolean": "true|false|1|0", "action": "ADD|OBSERVE|DELETE", "behaviour": "rollback|proceed", "severity": "ERROR|SEVERE",
		"decimal": decimal, "integer": integer, "int": integer, "long": integer, "short": integer,
		"byte": integer, "nonNegativeInteger": `\+?\d+|-0+`, "positiveInteger": `\+?0*[1-9]\d*`,
		"nonPositiveInteger": `-\d+|\+?0+`, "negativeInteger": `-0*[1-9]\d*`, "unsignedLong": `\+?\d+|-0+`,
		"unsignedInt": `\+?\d+|-0+`, "unsignedShort": `\+?\d+|-0+`, "unsignedByte": `\+?\d+|-0+`,
		"double": decimal + `([eE][+-]?\d+)?|-?INF|NaN`, "float": decimal + `([eE][+-]?\d+)?|-?INF|NaN`,
		"hexBinary": `([0-9a-fA-F]{2})*`,
		"dateTime":  date + "T" + clock + zone + "?", "date": date + zone + "?", "time": clock + zone + "?",
		"dateTimeStamp": date + "T" + clock + zone,
		"stamp":         `\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?` + zone,
		"gYear":         `-?\d{4,}` + zone + "?", "gYearMonth": `-?\d{4,}-(0[1-9]|1[0-2])` + zone + "?",
		"gMonth": `--(0[1-9]|1[0-2])` + zone + "?", "gDay": `---(0[1-9]|[12]\d|3[01])` + zone + "?",
		"gMonthDay": `--(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])` + zone + "?",
		"duration":  `-?P(\d+Y)?(\d+M)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?`,
	} {
		m[name] = nil
		if pattern != "" {
			m[name] = regexp.MustCompile("^(?:" + pattern + ")$")
		}
	}
	return m
}()

func knownSimple(name string) bool {
	_, ok := simpleTypes[name]
	return ok && name != "stamp" && name != "action" && name != "behaviour" && name != "severity"
}

// derives reports whether a simple type of XML Schema may take the place of the one that an element has.
func derives(typ, declared string) bool {
	if declared == nillable {
		declared = "decimal"
	}
	for typ != declared {
		base, ok := baseTypes[typ]
		if !ok {
			return false
		}
		typ = base
	}
	return true
}

// baseTypes are the types that the built-in types of XML Schema are derived from (Part 2, section 3).
//
//nolint:gochecknoglobals // read-only table
var baseTypes = map[string]string{
	"normalizedString": "string", "token": "normalizedString", "language": "token", "NMTOKEN": "token", "Name": "token",
	"NCName": "Name", "ID": "NCName", "IDREF": "NCName", "ENTITY": "NCName", "integer": "decimal",
	"nonPositiveInteger": "integer", "negativeInteger": "nonPositiveInteger", "long": "integer", "int": "long",
	"short": "int", "byte": "short", "nonNegativeInteger": "integer", "positiveInteger": "nonNegativeInteger",
	"unsignedLong": "nonNegativeInteger", "unsignedInt": "unsignedLong", "unsignedShort": "unsignedInt",
	"unsignedByte": "unsignedShort",
}

// describeSimple names a type for a message in English and Chinese.
func describeSimple(name string) (en, zh string) {
	switch name {
	case "stamp", "dateTimeStamp":
		return "a date and time with a zone", "带时区的日期时间"
	case "dateTime":
		return "a date and time", "日期时间"
	case "action":
		return "ADD, OBSERVE or DELETE", " ADD、OBSERVE 或 DELETE"
	case "behaviour":
		return "rollback or proceed", " rollback 或 proceed"
	case "severity":
		return "ERROR or SEVERE", " ERROR 或 SEVERE"
	case "decimal", "double", "float":
		return "a number", "数字"
	case "boolean":
		return "true or false", " true 或 false"
	case "anyURI":
		return "a URI", " URI"
	}
	return "of the type " + name, " " + name + " 类型"
}

// validSimple reports whether a text is of a simple type of XML Schema (Part 2).
func validSimple(name, text string) bool {
	re := simpleTypes[name]
	// Types derived from xs:string keep their white space, all others collapse it.
	if name != "action" && name != "behaviour" {
		text = strings.Trim(text, xmlSpace)
	}
	if name == "base64Binary" {
		_, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		return err == nil
	}
	if re == nil {
		return name != "anyURI" || validURI(text)
	}
	if len(text) > 4096 && name != "hexBinary" || !re.MatchString(text) {
		return false
	}
	switch name {
	case "dateTime", "date", "stamp", "dateTimeStamp":
		return realDate(text)
	case "int", "long", "short", "byte":
		_, err := strconv.ParseInt(text, 10, map[string]int{"int": 32, "long": 64, "short": 16, "byte": 8}[name])
		return err == nil
	case "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte":
		_, err := strconv.ParseUint(strings.TrimLeft(text, "+-"), 10, map[string]int{
			"unsignedInt": 32, "unsignedLong": 64, "unsignedShort": 16, "unsignedByte": 8,
		}[name])
		return err == nil
	case "duration":
		return !strings.HasSuffix(text, "P") && !strings.HasSuffix(text, "T")
	}
	return true
}

// realDate reports whether the month of a date has its day.
func realDate(text string) bool {
	text = strings.TrimPrefix(text, "-")
	year, rest, _ := strings.Cut(text, "-")
	y, err := strconv.Atoi(year)
	if err != nil || y == 0 || len(rest) < 5 {
		return false
	}
	month, day := two(rest), two(rest[3:])
	switch month {
	case 4, 6, 9, 11:
		return day >= 1 && day <= 30
	case 2:
		leap := y%4 == 0 && (y%100 != 0 || y%400 == 0)
		return day >= 1 && (day <= 28 || leap && day == 29)
	}
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}
