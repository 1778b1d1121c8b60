package gs1

import "strings"

// coupon reads the fields of a North American coupon code (AI 8110) or positive offer file code (AI 8112) one after the
// other (GS1 US, North American Coupon Application Guideline). It stops at the first flaw.
type coupon struct {
	data  string
	table *PrefixTable
	at    int
	flaw  Flaw
}

// fail keeps the first flaw.
func (c *coupon) fail(code string, at, n int) {
	if c.flaw.Code == "" {
		c.flaw = Flaw{code, at, n}
	}
}

// ok reports whether no flaw was found yet.
func (c *coupon) ok() bool { return c.flaw.Code == "" }

// left is how many digits are left.
func (c *coupon) left() int { return len(c.data) - c.at }

// code reads one digit that is among allowed.
func (c *coupon) code(name, allowed string) {
	if !c.ok() {
		return
	}
	switch {
	case c.left() == 0:
		c.fail("coupon-missing-"+name, 0, len(c.data))
	case strings.IndexByte(allowed, c.data[c.at]) < 0:
		c.fail("coupon-invalid-"+name, c.at, 1)
	default:
		c.at++
	}
}

// take reads n digits.
func (c *coupon) take(name string, n int) string {
	if !c.ok() {
		return ""
	}
	if c.left() < n {
		at := c.at
		if c.left() == 0 {
			at = 0
		}
		c.fail(name, at, len(c.data)-at)
		return ""
	}
	c.at += n
	return c.data[c.at-n : c.at]
}

// sized reads a digit among allowed that says how long the field after it is (plus extra), and the field.
func (c *coupon) sized(name, allowed string, extra int) string {
	if !c.ok() {
		return ""
	}
	if c.left() == 0 {
		c.fail("coupon-missing-"+name+"-vli", 0, len(c.data))
		return ""
	}
	d := c.data[c.at]
	if strings.IndexByte(allowed, d) < 0 {
		c.fail("coupon-invalid-"+name+"-length", c.at, 1)
		return ""
	}
	c.at++
	n := int(d-'0') + extra
	if d == '9' && extra > 0 && len(allowed) < 10 {
		n = 0 // 9 says that the field is left out
	}
	return c.take("coupon-truncated-"+name, n)
}

// prefix reads a company prefix after its length.
func (c *coupon) prefix(name, allowed string) {
	at := c.at + 1
	text := c.sized(name, allowed, 6)
	if c.ok() && text != "" {
		if f := lintPrefix(text, c.table); f.Code != "" {
			c.fail(f.Code, at, len(text))
		}
	}
}

// purchase reads what must be bought: requirement, its kind, and the family of products.
func (c *coupon) purchase(nth string) {
	c.sized(nth+"-purchase-requirement", "12345", 0)
	c.code(nth+"-purchase-requirement-code", "012349")
	c.take("coupon-truncated-"+nth+"-purchase-family-code", 3)
}

// date reads a date.
func (c *coupon) date(short, invalid string) string {
	at := c.at
	text := c.take(short, 6)
	if !c.ok() {
		return ""
	}
	if withDay(text, lintShortDate(text)).Code != "" {
		c.fail(invalid, at, 6)
	}
	return text
}

// option reports whether optional field d comes next, and steps over its digit.
func (c *coupon) option(d byte) bool {
	if !c.ok() || c.left() == 0 || c.data[c.at] != d {
		return false
	}
	c.at++
	return true
}

// end refuses what is left.
func (c *coupon) end() Flaw {
	if c.ok() && c.left() > 0 {
		c.fail("coupon-excess-data", c.at, c.left())
	}
	return c.flaw
}

const anyDigit = "0123456789"

// lintCouponCode checks the fields of AI 8110.
func lintCouponCode(data string, table *PrefixTable) Flaw {
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	c := &coupon{data: data, table: table}
	c.prefix("gcp", "0123456")
	c.take("coupon-truncated-offer-code", 6)
	c.sized("save-value", "12345", 0)
	c.purchase("1st")
	if c.option('1') {
		c.code("additional-purchase-rules-code", "0123")
		c.purchase("2nd")
		c.prefix("2nd-purchase-gcp", "01234569")
	}
	if c.option('2') {
		c.purchase("3rd")
		c.prefix("3rd-purchase-gcp", "01234569")
	}
	c.dates()
	if c.option('5') {
		c.sized("serial-number", anyDigit, 6)
	}
	if c.option('6') {
		c.prefix("retailer-gcp-or-gln", "1234567")
	}
	if c.option('9') {
		c.code("save-value-code", "01256")
		c.code("save-value-applies-to-item", "012")
		c.code("store-coupon-flag", anyDigit)
		c.code("dont-multiply-flag", "01")
	}
	return c.end()
}

// dates reads the optional expiration and start dates, which must not contradict each other.
func (c *coupon) dates() {
	expiry := ""
	if c.option('3') {
		expiry = c.date("coupon-too-short-for-expiration-date", "coupon-invalid-expiration-date")
	}
	if !c.option('4') {
		return
	}
	at := c.at
	start := c.date("coupon-too-short-for-start-date", "coupon-invalid-start-date")
	if c.ok() && expiry != "" && start > expiry {
		c.fail("coupon-expiration-before-start", at-8, 14)
	}
}

// lintCouponOffer checks the fields of AI 8112.
func lintCouponOffer(data string, table *PrefixTable) Flaw {
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	c := &coupon{data: data, table: table}
	c.code("format-code", "01")
	c.prefix("funder", "0123456")
	c.take("coupon-truncated-offer-code", 6)
	c.sized("serial-number", anyDigit, 6)
	return c.end()
}
