package gs1_test

import (
	"errors"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

func TestCheckDigit(t *testing.T) {
	for digits, want := range map[string]byte{
		"761303598294": '9', "0952012345678": '8', "00614141123456789": '0', "1": '7', "0": '0', "12345678901234567": '5',
	} {
		if got, err := gs1.CheckDigit(digits); err != nil || got != want {
			t.Errorf("CheckDigit(%q) = %c, %v; want %c", digits, got, err, want)
		}
	}
	for _, bad := range []string{"", "12a", "１２"} {
		if _, err := gs1.CheckDigit(bad); hub.AsFault(err).Code != "gs1.not-digits" {
			t.Errorf("CheckDigit(%q): %v", bad, err)
		}
	}
}

func TestCheckPair(t *testing.T) {
	for data, want := range map[string]string{"1987654Ad4X4bL5ttr2310c": "2K", "": "22", "!": "22"} {
		if got, err := gs1.CheckPair(data); err != nil || got != want {
			t.Errorf("CheckPair(%q) = %q, %v; want %q", data, got, err, want)
		}
	}
	if _, err := gs1.CheckPair("a b"); hub.AsFault(err).Code != "gs1.charset" {
		t.Errorf("a space: %v", err)
	}
}

func TestBuilders(t *testing.T) {
	two := func(f func(string, string) (string, error), a, b string) func() (string, error) {
		return func() (string, error) { return f(a, b) }
	}
	one := func(f func(string) (string, error), a string) func() (string, error) {
		return func() (string, error) { return f(a) }
	}
	for name, c := range map[string]struct {
		build func() (string, error)
		want  string // a link, or the code of a fault
	}{
		"gtin-13":                     {two(gs1.SGTIN, "7613035982949", "A1"), "https://id.gs1.org/01/07613035982949/21/A1"},
		"gtin-12":                     {one(gs1.GTIN, "614141123452"), "https://id.gs1.org/01/00614141123452"},
		"gtin-8 without check digit":  {one(gs1.GTIN, "9780311"), "https://id.gs1.org/01/00000097803119"},
		"gtin-12 without check digit": {one(gs1.GTIN, "61414112345"), "https://id.gs1.org/01/00614141123452"},
		"wrong check digit":           {two(gs1.SGTIN, "7613035982948", "A1"), "gs1.check-digit"},
		"gtin of nine digits":         {one(gs1.GTIN, "123456789"), "gs1.key-length"},
		"gtin with a letter":          {one(gs1.GTIN, "761303598294X"), "gs1.not-digits"},
		"gtin in full-width digits":   {one(gs1.GTIN, "７６１３"), "gs1.not-digits"},
		"serial with reserved":        {two(gs1.SGTIN, "7613035982949", `a/b%&?<>"#`[:9]), "https://id.gs1.org/01/07613035982949/21/a%2Fb%25%26%3F%3C%3E%22"},
		"serial with a space":         {two(gs1.SGTIN, "7613035982949", "a b"), "gs1.serial"},
		"serial of 21":                {two(gs1.SGTIN, "7613035982949", "123456789012345678901"), "gs1.serial"},
		"lot":                         {two(gs1.LGTIN, "7613035982949", "9121755841"), "https://id.gs1.org/01/07613035982949/10/9121755841"},
		"no lot":                      {two(gs1.LGTIN, "7613035982949", ""), "gs1.serial"},
		"tpx":                         {two(gs1.UPUI, "7613035982949", "x"), "https://id.gs1.org/01/07613035982949/235/x"},
		"sscc":                        {one(gs1.SSCC, "340123451111111111"), "https://id.gs1.org/00/340123451111111111"},
		"sscc without check digit":    {one(gs1.SSCC, "34012345111111111"), "https://id.gs1.org/00/340123451111111111"},
		"sscc too short":              {one(gs1.SSCC, "3401234511111111"), "gs1.key-length"},
		"sgln":                        {two(gs1.SGLN, "4012345000054", "122"), "https://id.gs1.org/414/4012345000054/254/122"},
		"sgln extension 0":            {two(gs1.SGLN, "401234500005", "0"), "https://id.gs1.org/414/4012345000054"},
		"pgln":                        {one(gs1.PGLN, "4012345000054"), "https://id.gs1.org/417/4012345000054"},
		"grai":                        {two(gs1.GRAI, "4012345999990", "1"), "https://id.gs1.org/8003/040123459999901"},
		"grai with its zero":          {two(gs1.GRAI, "04012345999990", ""), "https://id.gs1.org/8003/04012345999990"},
		"giai":                        {one(gs1.GIAI, "4012345ABC/345"), "https://id.gs1.org/8004/4012345ABC%2F345"},
		"giai without prefix":         {one(gs1.GIAI, "ABC345"), "gs1.key-text"},
		"gsrn":                        {one(gs1.GSRN, "385888700111111111"), "https://id.gs1.org/8018/385888700111111111"},
		"gsrnp":                       {one(gs1.GSRNP, "38588870011111111"), "https://id.gs1.org/8017/385888700111111111"},
		"gdti":                        {two(gs1.GDTI, "4012345000092", "PO-4711"), "https://id.gs1.org/253/4012345000092PO-4711"},
		"gcn":                         {two(gs1.GCN, "401234522222", "1"), "https://id.gs1.org/255/40123452222271"},
		"gcn with letters":            {two(gs1.GCN, "401234522222", "A"), "gs1.serial"},
		"ginc":                        {one(gs1.GINC, "0614141xyz47/11"), "https://id.gs1.org/401/0614141xyz47%2F11"},
		"gsin":                        {one(gs1.GSIN, "1234567890512345"), "https://id.gs1.org/402/12345678905123457"},
		"cpi":                         {two(gs1.CPI, "4012345AB/12", "7"), "https://id.gs1.org/8010/4012345AB%2F12/8011/7"},
		"itip": {func() (string, error) { return gs1.ITIP("4012345123456", 1, 2, "S") },
			"https://id.gs1.org/8006/040123451234560102/21/S"},
		"itip piece above total": {func() (string, error) { return gs1.ITIP("4012345123456", 3, 2, "S") }, "gs1.pieces"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.build()
			if f, ok := errors.AsType[*hub.Fault](err); ok {
				got = f.Code
				if f.Kind != hub.Invalid || f.Message == "" || f.MessageZh == "" {
					t.Errorf("fault is not complete: %#v", f)
				}
			}
			if got != c.want {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			if err != nil {
				return
			}
			if id, ok := gs1.Canonical(got); id != got || !ok {
				t.Errorf("%q is not canonical: %q", got, id)
			}
		})
	}
}
