package gs1

import (
	"github.com/suyuan-io/suyuan/hub"
)

// SGTIN returns the canonical Digital Link of one trade item: 01/gtin/21/serial. The GTIN has 8, 12, 13, or 14 digits;
// with 7 or 11 its check digit is missing and computed. The serial is 1 to 20 characters of set 82.
//
// The builders return [hub.Invalid] faults: gs1.key-length and gs1.not-digits for the key, gs1.check-digit for one that is
// wrong, gs1.serial for the serial. Serials are given as printed; the builders escape them.
func SGTIN(gtin, serial string) (string, error) {
	return buildItem("sgtin", gtin, serial)
}

// LGTIN returns the canonical Digital Link of a batch of a trade item: 01/gtin/10/lot. See [SGTIN].
func LGTIN(gtin, lot string) (string, error) {
	return buildItem("lgtin", gtin, lot)
}

// UPUI returns the canonical Digital Link of a unit pack of tobacco: 01/gtin/235/tpx. See [SGTIN].
func UPUI(gtin, tpx string) (string, error) {
	return buildItem("upui", gtin, tpx)
}

// GTIN returns the canonical Digital Link of a class of trade items: 01/gtin. See [SGTIN].
func GTIN(gtin string) (string, error) {
	return buildItem("sgtin", gtin, "")
}

// SSCC returns the canonical Digital Link of a logistic unit: 00/sscc, 18 digits, or 17 without the check digit.
func SSCC(sscc string) (string, error) {
	return buildKey("sscc", sscc, "")
}

// SGLN returns the canonical Digital Link of a place: 414/gln, and /254/extension unless that is empty or "0". The GLN
// has 13 digits, or 12 without the check digit.
func SGLN(gln, extension string) (string, error) {
	if extension == "0" {
		extension = ""
	}
	return buildKey("sgln", gln, extension)
}

// PGLN returns the canonical Digital Link of a party: 417/gln.
func PGLN(gln string) (string, error) {
	return buildKey("pgln", gln, "")
}

// GRAI returns the canonical Digital Link of a returnable asset: 8003/0 and 13 digits (12 without the check digit, 14 with
// the leading zero), and the serial, which may be empty for the type of asset.
func GRAI(asset, serial string) (string, error) {
	if len(asset) == 14 && asset[0] == '0' {
		asset = asset[1:]
	}
	return buildKey("grai", asset, serial)
}

// GIAI returns the canonical Digital Link of an individual asset: 8004 and up to 30 characters of set 82 that begin with
// the company prefix.
func GIAI(asset string) (string, error) {
	return buildText("giai", asset, "")
}

// GSRN returns the canonical Digital Link of a service recipient: 8018 and 18 digits, or 17 without the check digit.
func GSRN(number string) (string, error) {
	return buildKey("gsrn", number, "")
}

// GSRNP returns the canonical Digital Link of a service provider: 8017 and 18 digits, or 17 without the check digit.
func GSRNP(number string) (string, error) {
	return buildKey("gsrnp", number, "")
}

// GDTI returns the canonical Digital Link of a document: 253 and 13 digits, or 12 without the check digit, and the serial,
// which may be empty for the type of document.
func GDTI(document, serial string) (string, error) {
	return buildKey("gdti", document, serial)
}

// GCN returns the canonical Digital Link of a coupon: 255 and 13 digits, or 12 without the check digit, and the numeric
// serial, which may be empty.
func GCN(coupon, serial string) (string, error) {
	return buildKey("sgcn", coupon, serial)
}

// GINC returns the canonical Digital Link of a consignment: 401 and up to 30 characters of set 82.
func GINC(consignment string) (string, error) {
	return buildText("ginc", consignment, "")
}

// GSIN returns the canonical Digital Link of a shipment: 402 and 17 digits, or 16 without the check digit.
func GSIN(shipment string) (string, error) {
	return buildKey("gsin", shipment, "")
}

// CPI returns the canonical Digital Link of a component or part: 8010 and up to 30 characters of set 39, and the numeric
// serial, which may be empty for the type of part.
func CPI(part, serial string) (string, error) {
	return buildText("cpi", part, serial)
}

// ITIP returns the canonical Digital Link of one piece of a trade item: 8006/gtin, piece, total, and the serial, which may
// be empty. Piece and total are from 1 to 99.
func ITIP(gtin string, piece, total int, serial string) (string, error) {
	if piece < 1 || total > 99 || piece > total {
		return "", fault(hub.Invalid, "gs1.pieces", args{piece, total},
			"piece %d of %d: both are from 1 to 99 and the piece is not above the total",
			"第 %d 件，共 %d 件：两数须在 1 到 99 之间，且件号不大于总数")
	}
	key, err := padGTIN(gtin)
	if err != nil {
		return "", err
	}
	two := func(n int) []byte { return []byte{byte('0' + n/10), byte('0' + n%10)} }
	return join(schemeNamed("itip"), key+string(two(piece))+string(two(total)), serial)
}

// buildItem builds the link of a key that begins with a GTIN.
func buildItem(name, gtin, serial string) (string, error) {
	key, err := padGTIN(gtin)
	if err != nil {
		return "", err
	}
	s := schemeNamed(name)
	if serial == "" && s.name != "sgtin" {
		return "", serialFault(s, serial)
	}
	return join(s, key, serial)
}

// padGTIN completes a GTIN to 14 digits.
func padGTIN(gtin string) (string, error) {
	full := gtin
	switch len(gtin) {
	case 7, 11:
		if allIn(gtin, digit) {
			full = gtin + string(checkDigit(gtin))
		}
	case 8, 12, 13, 14:
	default:
		return "", hinted(fault(hub.Invalid, "gs1.key-length", args{gtin, len(gtin)},
			"a GTIN has 8, 12, 13, or 14 digits, got %q with %d", "GTIN 应为 8、12、13 或 14 位数字，得到 %q，共 %d 位"),
			"check whether a spreadsheet dropped leading zeros", "请检查表格软件是否去掉了前导零")
	}
	if err := verify(full); err != nil {
		return "", err
	}
	return "000000"[:14-len(full)] + full, nil
}

// verify refuses a key that is not digits or whose check digit is wrong.
func verify(key string) error {
	if !allIn(key, digit) {
		return fault(hub.Invalid, "gs1.not-digits", args{key}, "%q must be digits only", "%q 必须全部为数字")
	}
	if !checked(key) {
		return checkDigitFault(key)
	}
	return nil
}

// checkDigitFault says which check digit was expected.
func checkDigitFault(key string) error {
	want := string(checkDigit(key[:len(key)-1]))
	return hinted(fault(hub.Invalid, "gs1.check-digit", args{key, key[len(key)-1:], want},
		"the check digit of %q is %s, it should be %s", "%q 的校验位是 %s，应为 %s"),
		"look for a mistyped digit", "请检查是否有数字输错")
}

// buildKey builds the link of a numeric key with check digit; with one digit less the check digit is computed.
func buildKey(name, key, serial string) (string, error) {
	s := schemeNamed(name)
	switch len(key) {
	case s.width:
		if allIn(key, digit) {
			key += string(checkDigit(key))
		}
	case s.width + 1:
	default:
		return "", fault(hub.Invalid, "gs1.key-length", args{title(s), s.width + 1, key, len(key)},
			"the %s has %d digits, got %q with %d", "%s 应为 %d 位数字，得到 %q，共 %d 位")
	}
	if err := verify(key); err != nil {
		return "", err
	}
	if s.pad {
		key = "0" + key
	}
	return join(s, key, serial)
}

// buildText builds the link of an alphanumeric key.
func buildText(name, key, serial string) (string, error) {
	s := schemeNamed(name)
	if len(key) > s.width || len(key) < minPrefix || !allIn(key[:4], digit) || !allIn(key, s.set) {
		return "", fault(hub.Invalid, "gs1.key-text", args{title(s), s.width, key},
			"the %s begins with a company prefix and has at most %d characters of its set, got %q",
			"%s 应以厂商识别代码开头，最多 %d 个字符且属于其字符集，得到 %q")
	}
	return join(s, string(appendEscaped(nil, key, urnSafe)), serial)
}

// join puts key and serial together; the serial is as printed.
func join(s *scheme, key, serial string) (string, error) {
	if serial != "" {
		set := cset82
		if s.numeric {
			set = digit
		}
		if len(serial) > s.serial || !allIn(serial, set) {
			return "", serialFault(s, serial)
		}
	}
	b := make([]byte, 0, 96)
	b = append(b, canonicalStem...)
	b = append(b, '/')
	b = append(b, s.key...)
	b = append(b, '/')
	b = append(b, key...)
	if serial == "" {
		return string(b), nil
	}
	if s.ext != "" {
		b = append(b, '/')
		b = append(b, s.ext...)
		b = append(b, '/')
	}
	return string(appendEscaped(b, serial, urnSafe)), nil
}

// serialFault says what a serial may be.
func serialFault(s *scheme, serial string) error {
	if s.numeric {
		return fault(hub.Invalid, "gs1.serial", args{title(s), s.serial, serial},
			"the serial of the %s is 1 to %d digits, got %q", "%s 的序列号应为 1 到 %d 位数字，得到 %q")
	}
	return fault(hub.Invalid, "gs1.serial", args{title(s), s.serial, serial},
		"the serial, lot, or extension of the %s is 1 to %d characters of GS1 set 82, got %q",
		"%s 的序列号、批号或扩展应为 1 到 %d 个 GS1 字符集 82 的字符，得到 %q")
}
