package gs1

import "strings"

// Check says what is wrong with an identifier, or returns nil.
//
// EPC URNs are held to the EPC Tag Data Standard, with reserved characters let through unless o is strict. A Digital Link
// must lead to a key of the right length and characters; o adds the company prefix (GCPLength, Table), the check digit
// (CheckDigits), or every rule (Strict). What EPC has no URN for is held to every rule anyway. The check digit is verified
// anyway where a link says more than an EPC could: one with a consumer product variant, with both lot and serial, or with
// attributes was never translated from an EPC. Element strings are always held to the content of every AI. A bracketed one
// stands for all that is said of an item, so it must be complete; a raw one is one carrier's message, whose companions may
// be on another carrier (GS1 General Specifications, section 4.13), so it must be complete only where o is strict.
func Check(value string, o Options) error {
	from, ok := written(value)
	if !ok {
		return notGS1.fault(value)
	}
	switch from {
	case URN:
		if len(value) > maxURI {
			return tooLong(len(value))
		}
		if _, _, _, ok := industry(value); ok {
			return checkIndustry(value)
		}
		if _, why := parseURN(value, o.reading()); why != fine {
			return why.fault(value)
		}
		return nil
	case DigitalLink:
		return checkLink(value, o)
	case ElementString, Bracketed:
		m, err := readElements(value, from, o)
		if err != nil {
			return err
		}
		return associate(m.elements, from == Bracketed || o.Strict)
	}
	return notGS1.fault(value)
}

// checkLink checks a Digital Link.
func checkLink(uri string, o Options) error {
	if l, ok := parseLink(uri); o.Strict || ok && schemeOf(l.key, l.finestLoosely().ai) == nil {
		m, err := readStrict(uri, true)
		if err != nil {
			return err
		}
		if err := lintAll(m.elements, o.assigned()); err != nil {
			return err
		}
		return associate(m.elements, true)
	}
	n, err := o.readLink(uri)
	if err != nil {
		return err
	}
	if err := n.checkPrefix(o); err != nil {
		return err
	}
	attributes, err := readAttributes(uri)
	if err != nil {
		return err
	}
	if o.CheckDigits || n.beyondEPC || len(attributes.elements) > 0 {
		if err := n.verifyDigit(); err != nil {
			return err
		}
	}
	if err := lintAll(attributes.elements, o.assigned()); err != nil {
		return err
	}
	return associate(append(attributes.elements, element{applicationOf(n.scheme.key), n.value}), false)
}

// readAttributes reads the query of a link that is read leniently.
func readAttributes(uri string) (m message, err error) {
	if !hasParameters(uri) {
		return m, nil
	}
	_, query, _ := strings.Cut(uri, "?")
	query, _, _ = strings.Cut(query, "#")
	return m, m.addQuery(query, true)
}

// verifyDigit refuses a key with a wrong check digit.
func (n named) verifyDigit() error {
	if n.scheme.text {
		return nil
	}
	key := n.value[:n.scheme.keyDigits()]
	if n.scheme.pieces {
		key = key[:14]
	}
	if !checked(key) {
		return checkDigitFault(key)
	}
	return nil
}

// checkPrefix checks the company prefix of a key, where o says anything of it.
func (n named) checkPrefix(o Options) error {
	if o.GCPLength == 0 && o.Table == nil {
		return nil
	}
	if n.scheme.key == "8004" || n.scheme.key == "8010" && n.serial == "" {
		// Assets and classes of parts are numbered by people who do not know their prefix: only the lengths count.
		size, err := o.prefixLength(n.value)
		if err == nil && size > len(n.value) {
			return badReference.fault(n.value)
		}
		return err
	}
	_, err := n.parts(o)
	return err
}
