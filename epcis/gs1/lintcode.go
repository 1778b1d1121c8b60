package gs1

import "strings"

// lintCodeNamed returns the check of coded values of that name, or nil.
func lintCodeNamed(name string) func(string) Flaw {
	switch name {
	case "iso3166":
		return func(data string) Flaw { return lintList(data, isCountryNumber, "not-iso3166") }
	case "iso3166999":
		return func(data string) Flaw {
			if data == "999" {
				return Flaw{} // several countries
			}
			return lintList(data, isCountryNumber, "not-iso3166-or-999")
		}
	case "iso3166alpha2":
		return func(data string) Flaw { return lintList(data, isCountryLetters, "not-iso3166-alpha2") }
	case "iso4217":
		return func(data string) Flaw { return lintList(data, isCurrencyNumber, "not-iso4217") }
	case "packagetype":
		return func(data string) Flaw { return lintList(data, isPackageType, "invalid-package-type") }
	case "iban":
		return lintIBAN
	case "iso5218":
		return func(data string) Flaw { return lintOneOf(data, "0129", "invalid-biological-sex-code") }
	case "winding":
		return func(data string) Flaw { return lintOneOf(data, "019", "invalid-winding-direction") }
	case "yesno":
		return func(data string) Flaw { return lintOneOf(data, "01", "not-zero-or-one") }
	case "hyphen":
		return lintHyphen
	case "mediatype":
		return lintMediaType
	case "latitude":
		return func(data string) Flaw { return lintAngle(data, "latitude", "1800000000") }
	case "longitude":
		return func(data string) Flaw { return lintAngle(data, "longitude", "3600000000") }
	}
	return nil
}

// lintList wants a code of a list.
func lintList(data string, list codeList, code string) Flaw {
	if !list.has(data) {
		return whole(code, data)
	}
	return Flaw{}
}

// lintOneOf wants one of some characters.
func lintOneOf(data, allowed, code string) Flaw {
	if len(data) != 1 || strings.IndexByte(allowed, data[0]) < 0 {
		return whole(code, data)
	}
	return Flaw{}
}

// lintHyphen wants hyphens only.
func lintHyphen(data string) Flaw {
	if data == "" || strings.Trim(data, "-") != "" {
		return whole("not-hyphen", data)
	}
	return Flaw{}
}

// lintMediaType wants an AIDC media type that ICCBBA has assigned (01 to 10) or left to local use (80 to 99).
func lintMediaType(data string) Flaw {
	if isDigits(data, 2) {
		if n := number(data); n >= 1 && n <= 10 || n >= 80 {
			return Flaw{}
		}
	}
	return whole("invalid-media-type", data)
}

// lintAngle wants ten digits not above most: degrees times 10^7, counted from the south pole or from the antimeridian.
func lintAngle(data, name, most string) Flaw {
	if len(data) != 10 {
		return whole(name+"-invalid-length", data)
	}
	if f := lintDigits(data); f.Code != "" {
		return f
	}
	if data > most {
		return whole("invalid-"+name, data)
	}
	return Flaw{}
}

// The lengths of an IBAN: country code, checksum, and account number (ISO 13616).
const (
	shortestIBAN = 11
	longestIBAN  = 34
)

// lintIBAN checks country, length, characters, and checksum of an IBAN (ISO 13616).
func lintIBAN(data string) Flaw {
	switch {
	case len(data) < 4:
		return whole("iban-too-short", data)
	case !isCountryLetters.has(data[:2]):
		return Flaw{"illegal-iban-country-code", 0, 2}
	case len(data) > longestIBAN:
		return whole("iban-too-long", data)
	case len(data) < shortestIBAN:
		return whole("iban-too-short", data)
	}
	sum := 0
	for i := range len(data) {
		at := (i + 4) % len(data) // the first four characters count last
		switch c := data[at]; {
		case in(c, digit):
			sum = (sum*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			sum = (sum*100 + int(c-'A') + 10) % 97
		default:
			return charFlaw("invalid-iban-character", data, at)
		}
	}
	if sum != 1 {
		return Flaw{"incorrect-iban-checksum", 2, 2}
	}
	return Flaw{}
}
