package gs1

// scheme is one kind of GS1 key in its two URI forms. Its zero fields mean "does not have".
type scheme struct {
	// name is the scheme in an EPC URN, such as "sgtin".
	name string
	// key is the AI of the primary key; ext the AI of the qualifier that carries the serial. Without ext the serial is
	// appended to the key itself.
	key, ext string
	// width is how many digits company prefix and reference have together, without check digit. For text keys it is the
	// greatest number of characters.
	width int
	// text is true for keys whose reference is alphanumeric and that have no check digit; set is their character set.
	text bool
	set  charset
	// leads is true where the first digit of the reference stands before the company prefix in the key.
	leads bool
	// pad is true where the key begins with a filler zero (GRAI).
	pad bool
	// pieces is true where piece and total follow the check digit (ITIP).
	pieces bool
	// serial is the greatest number of characters in the serial, 0 for none. numeric serials hold digits only.
	serial  int
	numeric bool
	// class is true where the scheme names a class, not a thing (urn:epc:class:).
	class bool
	// pattern is true where urn:epc:idpat:…:* names the class level.
	pattern bool
}

// schemes are the EPC schemes with a GS1 key (EPC Tag Data Standard, section 6.3).
//
//nolint:gochecknoglobals // read-only table
var schemes = [...]scheme{
	{name: "sgtin", key: "01", ext: "21", width: 13, leads: true, serial: 20, pattern: true},
	{name: "lgtin", key: "01", ext: "10", width: 13, leads: true, serial: 20, class: true},
	{name: "upui", key: "01", ext: "235", width: 13, leads: true, serial: 28, pattern: true},
	{name: "itip", key: "8006", ext: "21", width: 13, leads: true, pieces: true, serial: 20, pattern: true},
	{name: "sscc", key: "00", width: 17, leads: true},
	{name: "sgln", key: "414", ext: "254", width: 12, serial: 20},
	{name: "pgln", key: "417", width: 12},
	{name: "grai", key: "8003", width: 12, pad: true, serial: 16, pattern: true},
	{name: "gdti", key: "253", width: 12, serial: 17, pattern: true},
	{name: "sgcn", key: "255", width: 12, serial: 12, numeric: true, pattern: true},
	{name: "gsrn", key: "8018", width: 17},
	{name: "gsrnp", key: "8017", width: 17},
	{name: "gsin", key: "402", width: 16},
	{name: "giai", key: "8004", width: 30, text: true, set: cset82},
	{name: "ginc", key: "401", width: 30, text: true, set: cset82},
	{name: "cpi", key: "8010", ext: "8011", width: 30, text: true, set: cset39, serial: 12, numeric: true, pattern: true},
}

// schemeNamed returns the scheme of an EPC URN, or nil.
func schemeNamed(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}

// schemeOf returns the scheme of a Digital Link with that key and finest qualifier, or nil where EPC has none.
func schemeOf(key, ext string) *scheme {
	for i := range schemes {
		s := &schemes[i]
		if s.key == key && (ext == "" || s.ext == ext) {
			return s
		}
	}
	return nil
}

// keyDigits is how many digits the numeric part of the key has in a Digital Link, check digit and pieces included.
func (s *scheme) keyDigits() int {
	n := s.width + 1
	if s.pad {
		n++
	}
	if s.pieces {
		n += 4
	}
	return n
}

// prefixAt is where the company prefix begins in the key.
func (s *scheme) prefixAt() int {
	if s.leads || s.pad {
		return 1
	}
	return 0
}

// appended reports whether the serial follows the key without a qualifier (GRAI, GDTI, GCN).
func (s *scheme) appended() bool { return s.serial > 0 && s.ext == "" }
