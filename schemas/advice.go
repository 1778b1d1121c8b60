package schemas

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// uriAdvice says how a text that is not a URI becomes one.
func uriAdvice(s string) (hint, hintZh string) {
	switch {
	case s == "":
		return "leave the field out when there is no value", "没有值时请不要写这个字段"
	case s != strings.TrimSpace(s):
		return "remove the white space around it", "请去掉首尾空白"
	case isDigits(s) && (len(s) == 8 || len(s) == 12 || len(s) == 13 || len(s) == 14 || len(s) == 18):
		return "identifiers are URIs: an EPC URN (urn:epc:id:sgtin:…, urn:epc:id:sscc:…) or a GS1 Digital Link (https://id.gs1.org/01/…/21/…)",
			"标识要写成 URI：EPC URN（urn:epc:id:sgtin:…、urn:epc:id:sscc:…）或 GS1 Digital Link（https://id.gs1.org/01/…/21/…）"
	case schemeLength(s) == 0:
		return "begin with a scheme or prefix and a colon: urn:epc:id:…, https://…, or example:… with a prefix from @context",
			"要以方案或前缀加冒号开头：urn:epc:id:…、https://…，或带 @context 前缀的 example:…"
	}
	for i, r := range s {
		if r == '%' {
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				continue
			}
			return "write a percent sign as %25", "百分号请写成 %25"
		}
		if r >= utf8.RuneSelf || uriBytes[r] == 0 && r != '#' && r != '[' && r != ']' {
			enc := percentEncode(r)
			return fmt.Sprintf("the character %q is not allowed in a URI; write %s", r, enc),
				fmt.Sprintf("URI 中不能有字符 %q；请写成 %s", r, enc)
		}
	}
	return "check host, port and brackets", "请检查主机名、端口和方括号"
}

// adviseIdentifier says how the bare digits of a GS1 key are written where they stand.
func adviseIdentifier(f *hub.Fault, p place) {
	key := strings.TrimSpace(p.node.str())
	if !isDigits(key) {
		return
	}
	tokens := strings.Split(p.pointer, "/")
	field := tokens[len(tokens)-1]
	if isDigits(field) {
		field = tokens[len(tokens)-2]
	}
	say := func(path, also, alsoZh string) {
		f.Hint = "write \"https://id.gs1.org/" + path + "\"" + also
		f.HintZh = "请写 \"https://id.gs1.org/" + path + "\"" + alsoZh
	}
	gtin := strings.Repeat("0", max(0, 14-len(key))) + key
	isGTIN := len(key) == 8 || len(key) >= 12 && len(key) <= 14
	switch {
	case len(key) == 18:
		say("00/"+key, "", "")
	case len(key) == 13 && (field == "source" || field == "destination"):
		say("417/"+key, " for a party, with 414 for a location", " 表示参与方；地点用 414")
	case len(key) == 13 && field == "id" && len(tokens) > 2 && (tokens[len(tokens)-2] == "readPoint" || tokens[len(tokens)-2] == "bizLocation"):
		say("414/"+key, "", "")
	case isGTIN && field == "epcClass":
		say("01/"+gtin, ", with /10/LOT behind it for a lot", "；按批次时后加 /10/批号")
	case isGTIN && (strings.HasSuffix(strings.ToLower(field), "epcs") || strings.HasSuffix(field, "EPCList") || field == "epcList" || field == "parentID"):
		say("01/"+gtin+"/21/SERIAL", " with the item's serial number; without serial numbers state a quantity list", "，SERIAL 为单件序列号；没有序列号时请用数量列表")
	}
}

func percentEncode(r rune) string {
	var b strings.Builder
	for _, c := range []byte(string(r)) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// Looks of times that are nearly right.
var (
	looseTime = regexp.MustCompile(`^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[Tt ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?\s*(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$`)
	epochTime = regexp.MustCompile(`^\d{10}(\d{3})?$`)
)

// timeAdvice says how a text that is not a date-time becomes one.
func timeAdvice(s string) (hint, hintZh string) {
	s = strings.TrimSpace(s)
	if fixed := fixTime(s); fixed != "" {
		if hasZone := looseTime.FindStringSubmatch(s)[8] != ""; !hasZone {
			return fmt.Sprintf("add the zone of the local time, here +08:00: %q", fixed),
				fmt.Sprintf("请加上当地时区，此处以 +08:00 为例：%q", fixed)
		}
		return fmt.Sprintf("write %q", fixed), fmt.Sprintf("请写 %q", fixed)
	}
	if epochTime.MatchString(s) {
		return "write the Unix time as \"2026-01-31T08:30:00+08:00\"", "请把时间戳写成 \"2026-01-31T08:30:00+08:00\""
	}
	return "write \"2026-01-31T08:30:00+08:00\": an existing date, T, time to the second, zone", "请写成 \"2026-01-31T08:30:00+08:00\"：存在的日期、T、精确到秒的时间、时区"
}

// fixTime rewrites a nearly right time, with +08:00 where it states no zone. It returns "" when that is not possible.
func fixTime(s string) string {
	m := looseTime.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	pad := func(s, none string) string {
		if s == "" {
			return none
		}
		return strings.Repeat("0", max(0, 2-len(s))) + s
	}
	zone := m[8]
	switch len(zone) {
	case 0:
		zone = "+08:00"
	case 3:
		zone += ":00"
	case 5:
		zone = zone[:3] + ":" + zone[3:]
	}
	fixed := m[1] + "-" + pad(m[2], "") + "-" + pad(m[3], "") + "T" + pad(m[4], "00") + ":" + pad(m[5], "00") + ":" + pad(m[6], "00") + m[7] + zone
	if !isDateTime(fixed) {
		return ""
	}
	return fixed
}
