package gs1

import (
	"slices"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Some EPC schemes carry keys that are not GS1's: general identifiers, and those of the US military, the aviation and
// shipping industries (EPC Tag Data Standard, sections 6.3.12 to 6.3.17). They have no Digital Link and no element string;
// their URN is their only form, and what an event says of them is found by it.

// industry takes an EPC URN or pattern of such a scheme apart. ok is false for every other text.
func industry(uri string) (name string, fields []string, pattern, ok bool) {
	rest, ok := strings.CutPrefix(uri, urnID)
	if !ok {
		rest, pattern = strings.CutPrefix(uri, urnPattern)
	}
	name, body, found := strings.Cut(rest, ":")
	if !found || !ok && !pattern {
		return "", nil, false, false
	}
	switch name {
	case "gid", "usdod", "adi":
	case "bic", "imovn":
		if pattern {
			return "", nil, false, false
		}
	default:
		return "", nil, false, false
	}
	return name, strings.Split(body, "."), pattern, true
}

// checkIndustry says what is wrong with an EPC URN of an industry.
func checkIndustry(uri string) error {
	name, fields, pattern, _ := industry(uri)
	want := map[string]int{"gid": 3, "usdod": 2, "adi": 3, "bic": 1, "imovn": 1}[name]
	if len(fields) != want {
		return fault(hub.Invalid, "gs1.fields", args{shorten(uri), want, len(fields)},
			"%q should have %d fields between dots behind its scheme, it has %d", "%q 的方案之后应有 %d 个以点分隔的字段，实际有 %d 个")
	}
	open := false
	for i, f := range fields {
		switch {
		case pattern && f == "*":
			open = true
		case open:
			return badPattern.fault(uri)
		case !industryField(name, i, f):
			return fault(hub.Invalid, "gs1.field", args{shorten(f), shorten(uri), industryForm(name)},
				"%q in %q is not right: the form is %s", "%[2]q 中的 %[1]q 有误，格式为 %[3]s")
		}
	}
	if pattern && !open {
		return badPattern.fault(uri)
	}
	return nil
}

// industryForm says how the URN of a scheme is put together.
func industryForm(name string) string {
	switch name {
	case "gid":
		return "urn:epc:id:gid:MANAGER.CLASS.SERIAL (numbers below 2^28, 2^24 and 2^36)"
	case "usdod":
		return "urn:epc:id:usdod:CAGE-or-DODAAC.SERIAL (a number below 2^36)"
	case "adi":
		return "urn:epc:id:adi:CAGE-or-DODAAC.PART.SERIAL (0-9 A-Z - %2F, a serial may begin with %23)"
	case "bic":
		return "urn:epc:id:bic:OWNER-NUMBER-DIGIT (ISO 6346, such as CSQU3054383)"
	}
	return "urn:epc:id:imovn:NUMBER (7 digits, the last a check digit, such as 9074729)"
}

// industryField checks the i-th field of a URN.
func industryField(name string, i int, f string) bool {
	switch name {
	case "gid":
		return below(f, []int{28, 24, 36}[i])
	case "bic":
		return isContainer(f)
	case "imovn":
		return isVessel(f)
	case "usdod":
		return i == 0 && isSupplier(f) || i == 1 && below(f, 36)
	}
	switch i { // adi
	case 0:
		return isSupplier(f)
	case 1:
		n, ok := partLen(f)
		return ok && n <= 32
	}
	n, ok := partLen(strings.TrimPrefix(f, "%23"))
	return ok && n > 0 && n <= 30 && (n <= 29 || !strings.HasPrefix(f, "%23"))
}

// below reports whether s is a number below 2^bits without leading zeros.
func below(s string, bits int) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n < 1<<bits && (s == "0" || s[0] != '0' && s[0] != '+')
}

// isSupplier reports whether s is a CAGE code (5 characters) or a DoDAAC (6).
func isSupplier(s string) bool {
	return (len(s) == 5 || len(s) == 6) && strings.Trim(s, digits+"ABCDEFGHJKLMNPQRSTUVWXYZ") == ""
}

// partLen counts the characters of a part or serial number of the aviation industry.
func partLen(s string) (n int, ok bool) {
	s = strings.ReplaceAll(s, "%2F", "-")
	return len(s), strings.Trim(s, digits+upper+"-") == ""
}

// isContainer reports whether s is a container code with the right check digit (ISO 6346): letters count from 10 on without
// the multiples of 11, each place twice as much as the one before.
func isContainer(s string) bool {
	if len(s) != 11 || strings.Trim(s[:4], upper) != "" || !strings.Contains("JRUZ", s[3:4]) || !allIn(s[4:], digit) {
		return false
	}
	sum := 0
	for i := range 10 {
		v := int(s[i] - '0')
		if i < 4 {
			v = int(s[i]-'A') + 10
			v += (v - 1) / 10 // B is 12, L is 23, V is 34
		}
		sum += v << i
	}
	return sum%11%10 == int(s[10]-'0')
}

// isVessel reports whether s is the number of a vessel with the right check digit (IMO resolution A.1117(30)).
func isVessel(s string) bool {
	if !isDigits(s, 7) {
		return false
	}
	sum := 0
	for i := range 6 {
		sum += int(s[i]-'0') * (7 - i)
	}
	return sum%10 == int(s[6]-'0')
}

// convertIndustry writes an EPC URN of an industry in another form, of which there is none.
func convertIndustry(uri string, to Form) (string, error) {
	if err := checkIndustry(uri); err != nil {
		return "", err
	}
	if to == URN {
		return uri, nil
	}
	return "", hinted(fault(hub.Invalid, "gs1.no-link", args{shorten(uri)},
		"%q carries a key that is not GS1's: it has no other form than the URN", "%q 使用的不是 GS1 主键，除 URN 外没有其他形式"),
		"use the URN as it is", "请直接使用该 URN")
}

// industryPrefix returns what everything begins with that a pattern of an industry matches, apart from the pattern itself.
func industryPrefix(text string) (prefix string, ok bool) {
	name, fields, pattern, ok := industry(text)
	if !ok || !pattern || len(text) > maxURI || checkIndustry(text) != nil {
		return "", false
	}
	prefix = urnID + name + ":"
	for _, f := range fields[:slices.Index(fields, "*")] {
		prefix += f + "."
	}
	return prefix, true
}
