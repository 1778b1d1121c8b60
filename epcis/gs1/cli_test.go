package gs1_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

func TestEveryValueHasItsLine(t *testing.T) {
	var out bytes.Buffer
	values := []string{"nonsense", "urn:epc:id:sscc:4012345.3111111111"}
	ok, err := gs1.RunConvert(values, gs1.DigitalLink, gs1.Options{}, &out)
	if ok || err != nil {
		t.Errorf("ok %v, err %v", ok, err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "invalid nonsense: gs1.not-an-identifier: ") ||
		lines[1] != "https://id.gs1.org/00/340123451111111111" {
		t.Errorf("out = %q", out.String())
	}
}

// A scanner may transmit what it reads without any sign that it is an element string. Only a key with a right check digit
// tells one then; everything else is refused.
func TestElementStringWithoutFNC1(t *testing.T) {
	for value, want := range map[string]string{
		"010952012345678821ABC":             "^010952012345678821ABC",
		"010952012345678810ABC\x1d21XYZ":    "^010952012345678810ABC^21XYZ",
		"00340123451111111111":              "^00340123451111111111",
		"010952012345678821ABC\x1d17260101": "^010952012345678821ABC^17260101",
		"0109520123456789":                  "", // the check digit is wrong
		"01095201234567":                    "",
		"09520123456788":                    "",
		"991234":                            "",
		"21ABC":                             "",
		"":                                  "",
	} {
		got, err := gs1.Convert(value, gs1.ElementString, gs1.Options{})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Convert(%q) = %q, %v; want %q", value, got, err, want)
		}
	}
}

func TestRunCheck(t *testing.T) {
	var out bytes.Buffer
	ok, err := gs1.RunCheck([]string{"(01)09520123456788", "(01)09520123456789"}, gs1.Options{}, &out)
	if ok || err != nil {
		t.Errorf("ok %v, err %v", ok, err)
	}
	lines := strings.Split(out.String(), "\n")
	if lines[0] != "valid (01)09520123456788" ||
		!strings.HasPrefix(lines[1], "invalid (01)09520123456789: gs1.incorrect-check-digit: ") || len(lines) != 3 {
		t.Errorf("out = %q", out.String())
	}
	if ok, err := gs1.RunCheck([]string{"(01)09520123456788"}, gs1.Options{}, &out); !ok || err != nil {
		t.Errorf("a valid value: %v, %v", ok, err)
	}
	if _, err := gs1.RunCheck([]string{"x"}, gs1.Options{}, broken{}); err == nil {
		t.Error("a failure to write is not reported")
	}
}

// broken is a writer whose reader has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestParseForm(t *testing.T) {
	for _, f := range []gs1.Form{gs1.DigitalLink, gs1.URN, gs1.ElementString, gs1.Bracketed} {
		if got, err := gs1.ParseForm(f.String()); err != nil || got != f {
			t.Errorf("ParseForm(%q) = %v, %v", f, got, err)
		}
	}
	if _, err := gs1.ParseForm("xml"); codeOf(err) != "gs1.form" {
		t.Errorf("an unknown form: %v", err)
	}
}
