package gs1_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

func TestRunConvert(t *testing.T) {
	var out, errs bytes.Buffer
	ok, err := gs1.RunConvert([]string{"urn:epc:id:sscc:4012345.3111111111", "nonsense"}, gs1.DigitalLink, gs1.Options{}, &out, &errs)
	if ok || err != nil {
		t.Errorf("ok %v, err %v", ok, err)
	}
	if out.String() != "https://id.gs1.org/00/340123451111111111\n" {
		t.Errorf("out = %q", out.String())
	}
	if !strings.HasPrefix(errs.String(), "nonsense: gs1.not-an-identifier: ") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("errs = %q", errs.String())
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
