package gs1_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

// The checks of company prefixes ask the table that they are given, those within coupons too.
func TestChecksAskThePrefixTable(t *testing.T) {
	table, err := gs1.LoadPrefixTable(strings.NewReader("012345\t6\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		check, data string
		at, n       int // n is 0 where the data is right
	}{
		{"gcppos1", "0123456", 0, 0},
		{"gcppos1", "6543210", 0, 7},
		{"gcppos1", "012", 0, 3},
		{"gcppos2", "90123456", 0, 0},
		{"gcppos2", "96543210", 1, 7},
		{"couponcode", "0012345123456" + "11110123", 0, 0},
		{"couponcode", "0654321123456" + "11110123", 1, 6},
		{"couponcode", "0012345123456" + "11110123" + "610123459", 0, 0},
		{"couponcode", "0012345123456" + "11110123" + "616543219", 23, 7},
		{"couponposoffer", "00012345123456" + "0123456", 0, 0},
		{"couponposoffer", "00654321123456" + "0123456", 2, 6},
	} {
		flaw, known := gs1.Lint(c.check, c.data, table)
		if !known || (flaw != nil) != (c.n > 0) || flaw != nil && (flaw.At != c.at || flaw.Len != c.n) {
			t.Errorf("%s of %s: %+v", c.check, c.data, flaw)
		}
		if flaw, _ := gs1.Lint(c.check, c.data, nil); flaw != nil && c.data != "012" {
			t.Errorf("%s of %s without a table: %+v", c.check, c.data, flaw)
		}
	}
}

func TestPrefixTableTakesTheLongestRow(t *testing.T) {
	table, err := gs1.LoadPrefixTable(strings.NewReader("# a comment\n\n40\t7\n401\t9\n4019\t0\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"40234": 7, "40134": 9, "4019": 0, "41": 0, "": 0, "4": 0, "40A": 7} {
		if got := table.Length(key); got != want {
			t.Errorf("Length(%q) = %d, want %d", key, got, want)
		}
	}
	var none *gs1.PrefixTable
	if table.Len() != 3 || none.Len() != 0 || none.Length("40") != 0 {
		t.Error("sizes are wrong")
	}
	urn, err := gs1.ToURN("https://id.gs1.org/01/04012345123456/21/9", gs1.Options{Table: table})
	if err != nil || urn != "urn:epc:id:sgtin:401234512.0345.9" {
		t.Errorf("ToURN = %q, %v", urn, err)
	}
	if _, err := gs1.ToURN("https://id.gs1.org/414/4019999000054", gs1.Options{Table: table}); codeOf(err) != "gs1.prefix-unassigned" {
		t.Errorf("an unusable prefix: %v", err)
	}
}

func TestPrefixTableRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no tab": "40 7\n", "no number": "40\tx\n", "a letter": "4A\t7\n", "no prefix": "\t7\n", "length above 12": "40\t13\n",
		"an endless line": "40\t7\n" + strings.Repeat("1", 1000), "an endless prefix": strings.Repeat("1", 16) + "\t7\n",
	} {
		if _, err := gs1.LoadPrefixTable(strings.NewReader(text)); codeOf(err) != "gs1.prefix-table" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPrefixTable(f *testing.F) {
	f.Add([]byte("40\t7\n#\n4019\t0\n"), "4019")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		table, err := gs1.LoadPrefixTable(bytes.NewReader(text))
		if err != nil {
			return
		}
		if n := table.Length(key); n < 0 || n > 12 {
			t.Fatalf("length %d", n)
		}
	})
}
