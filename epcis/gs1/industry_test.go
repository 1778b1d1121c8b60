package gs1_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// Keys of other industries than GS1's are checked, kept as they are, and found by pattern.
func TestIdentifiersOfIndustries(t *testing.T) {
	for value, code := range map[string]string{
		"urn:epc:id:gid:95100000.12345.400":             "",
		"urn:epc:id:gid:268435455.16777215.68719476735": "",
		"urn:epc:id:gid:268435456.1.1":                  "gs1.field",
		"urn:epc:id:gid:1.16777216.1":                   "gs1.field",
		"urn:epc:id:gid:1.1.68719476736":                "gs1.field",
		"urn:epc:id:gid:01.1.1":                         "gs1.field",
		"urn:epc:id:gid:1.1":                            "gs1.fields",
		"urn:epc:id:gid:1.1.*":                          "gs1.field",
		"urn:epc:idpat:gid:95100000.12345.*":            "",
		"urn:epc:idpat:gid:95100000.*.*":                "",
		"urn:epc:idpat:gid:95100000.*.1":                "gs1.pattern",
		"urn:epc:idpat:gid:95100000.12345.1":            "gs1.pattern",
		"urn:epc:id:usdod:2S194.12345678901":            "",
		"urn:epc:id:usdod:W81X9C.0":                     "",
		"urn:epc:id:usdod:2O194.1":                      "gs1.field",
		"urn:epc:id:usdod:2S194.A1":                     "gs1.field",
		"urn:epc:id:adi:2S194..12345678901":             "",
		"urn:epc:id:adi:W81X9C.3KL984PX1.2WMA52":        "",
		"urn:epc:id:adi:W81X9C.3%2FKL-9.%232WMA52":      "",
		"urn:epc:id:adi:W81X9C.3kl.1":                   "gs1.field",
		"urn:epc:id:adi:W81X9C.3.":                      "gs1.field",
		"urn:epc:id:adi:W81X9C.3.%23":                   "gs1.field",
		"urn:epc:id:bic:CSQU3054383":                    "",
		"urn:epc:id:bic:CSQU3054384":                    "gs1.field",
		"urn:epc:id:bic:CSQX3054383":                    "gs1.field",
		"urn:epc:id:imovn:9074729":                      "",
		"urn:epc:id:imovn:9074728":                      "gs1.field",
		"urn:epc:id:imovn:907472":                       "gs1.field",
		"urn:epc:idpat:imovn:*":                         "gs1.scheme",
	} {
		err := gs1.Check(value, gs1.Options{Strict: true})
		if got := codeOf(err); got != code || err != nil && hub.AsFault(err).MessageZh == "" {
			t.Errorf("%s: got %q, want %q: %v", value, got, code, err)
		}
		if code != "" {
			continue
		}
		if urn, err := gs1.Convert(value, gs1.URN, gs1.Options{}); urn != value || err != nil {
			t.Errorf("%s as URN is %s, %v", value, urn, err)
		}
		if _, err := gs1.Convert(value, gs1.DigitalLink, gs1.Options{}); codeOf(err) != "gs1.no-link" {
			t.Errorf("%s as link: %v", value, err)
		}
		if id, ok := gs1.Canonical(value); id != value || ok {
			t.Errorf("the canonical form of %s is %s, %v", value, id, ok)
		}
	}
}
