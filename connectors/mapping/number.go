package mapping

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// maxDigits bounds the digits and the exponent of a number, so that 1e999999999 costs nothing.
const maxDigits = 64

// text returns v as text when it is text or a number, whose text is kept as it came.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case int:
		return strconv.Itoa(v), true
	}
	return "", false
}

// integer returns v as an int when it is a whole number.
func integer(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case json.Number:
		if i, err := strconv.Atoi(string(v)); err == nil {
			return i, true
		}
		if d, ok := decimal(v); ok {
			var whole apd.Decimal
			whole.Reduce(d)
			if i, err := whole.Int64(); err == nil {
				return int(i), true
			}
		}
	}
	return 0, false
}

// small returns v as an int when that takes no decimal arithmetic.
func small(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case json.Number:
		if len(v) <= 15 {
			i, err := strconv.Atoi(string(v))
			return i, err == nil
		}
	}
	return 0, false
}

// decimal returns v as an exact decimal when it is a number of sane size.
func decimal(v any) (*apd.Decimal, bool) {
	switch v := v.(type) {
	case int:
		return apd.New(int64(v), 0), true
	case json.Number:
		return parseDecimal(string(v))
	}
	return nil, false
}

func parseDecimal(s string) (*apd.Decimal, bool) {
	if s == "" || len(s) > maxDigits {
		return nil, false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' && (c < '0' || c > '9') {
			return nil, false
		}
	}
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxDigits || d.Exponent < -maxDigits {
		return nil, false
	}
	return d, true
}

// numberOf writes d in JSON, without an exponent.
func numberOf(d *apd.Decimal) json.Number {
	if d.IsZero() {
		d.Negative = false
	}
	return json.Number(d.Text('f'))
}

// jsonNumber returns the JSON spelling of a number as people write it: "+1", "007.50" and ".5" become 1, 7.50 and 0.5.
func jsonNumber(s string) (json.Number, bool) {
	s = strings.TrimSpace(s)
	d, ok := parseDecimal(s)
	if !ok {
		return "", false
	}
	if plainNumber(s) {
		return json.Number(s), true
	}
	return numberOf(d), true
}

// plainNumber reports whether s is digits with an optional sign and fraction, spelled as JSON wants it.
func plainNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(s, ".")
	if whole == "" || len(whole) > 1 && whole[0] == '0' || dotted && fraction == "" {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return false
		}
	}
	return true
}

// arithmetic works with 34 significant digits, as decimal128 does.
func arithmetic() *apd.Context {
	c := apd.BaseContext.WithPrecision(34)
	c.MaxExponent, c.MinExponent = 200, -200
	return c
}

// compute applies + - * / or %.
func compute(op string, a, b any) (any, *trouble) {
	if x, ok := small(a); ok {
		if y, ok := small(b); ok {
			if v, ok := computeSmall(op, x, y); ok {
				return v, nil
			}
		}
	}
	x, okX := decimal(a)
	y, okY := decimal(b)
	if !okX || !okY {
		bad := a
		if okX {
			bad = b
		}
		return nil, typeProblem("%s cannot be calculated with: %s", "%s不能参与计算：%s", describe(bad), show(bad)).
			hint("text becomes a number with number(…)", "文本可用 number(…) 转成数字")
	}
	if (op == "/" || op == "%") && y.IsZero() {
		return nil, typeProblem("division by zero", "除数为零")
	}
	var out apd.Decimal
	var err error
	c := arithmetic()
	switch op {
	case "+":
		_, err = c.Add(&out, x, y)
	case "-":
		_, err = c.Sub(&out, x, y)
	case "*":
		_, err = c.Mul(&out, x, y)
	case "/":
		if _, err = c.Quo(&out, x, y); err == nil {
			out.Reduce(&out)
		}
	case "%":
		_, err = c.Rem(&out, x, y)
	}
	if err != nil || out.Form != apd.Finite || out.Exponent > maxDigits || out.Exponent < -2*maxDigits {
		return nil, typeProblem("the result of %s %s %s is too large or too small", "%s %s %s 的结果过大或过小", show(a), op, show(b))
	}
	return numberOf(&out), nil
}

func computeSmall(op string, x, y int) (any, bool) {
	const safe = 1 << 31
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		if x < safe && x > -safe && y < safe && y > -safe {
			return x * y, true
		}
	case "/":
		if y != 0 && x%y == 0 {
			return x / y, true
		}
	case "%":
		if y != 0 {
			return x % y, true
		}
	}
	return nil, false
}

// compare orders two numbers or two texts.
func compare(a, b any) (int, *trouble) {
	if x, ok := small(a); ok {
		if y, ok := small(b); ok {
			return x - y, nil
		}
	}
	if x, ok := decimal(a); ok {
		if y, ok := decimal(b); ok {
			return x.Cmp(y), nil
		}
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	}
	return 0, typeProblem("%s (%s) cannot be compared with %s (%s)", "%s（%s）不能与%s（%s）比较", describe(a), show(a), describe(b), show(b)).
		hint("text becomes a number with number(…), a number becomes text in quotes", "文本可用 number(…) 转成数字；数字加引号即为文本")
}

// equal compares two values; text and numbers are never silently unequal.
func equal(a, b any) (bool, *trouble) {
	ka, kb := kindOf(a), kindOf(b)
	if ka == numberKind && kb == textKind || ka == textKind && kb == numberKind {
		if a == "" || b == "" {
			return false, nil
		}
		_, t := compare(a, b)
		return false, t
	}
	if ka != kb {
		return false, nil
	}
	switch ka {
	case numberKind:
		n, t := compare(a, b)
		return n == 0, t
	case listKind:
		return equalLists(a, b)
	case objectKind:
		return false, typeProblem("objects cannot be compared; compare one of their fields", "对象之间不能比较，请比较其字段")
	case anyKind, nilKind, textKind, boolKind:
	}
	return a == b, nil
}

func equalLists(a, b any) (bool, *trouble) {
	x, _ := a.([]any)
	y, _ := b.([]any)
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if kindOf(x[i]) == listKind {
			return false, typeProblem("lists of lists cannot be compared", "嵌套列表不能比较")
		}
		if ok, t := equal(x[i], y[i]); !ok || t != nil {
			return false, t
		}
	}
	return true, nil
}
