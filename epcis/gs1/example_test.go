package gs1_test

import (
	"fmt"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

func ExampleCanonical() {
	for _, uri := range []string{
		"urn:epc:id:sgtin:7613035.098294.A1",
		"https://brand.example/p/gtin/7613035982949/lot/9121755841/ser/A1?lang=zh",
		"https://brand.example/about",
	} {
		id, ok := gs1.Canonical(uri)
		fmt.Println(id, ok)
	}
	// Output:
	// https://id.gs1.org/01/07613035982949/21/A1 true
	// https://id.gs1.org/01/07613035982949/21/A1 true
	// https://brand.example/about false
}

func ExampleConvert() {
	o := gs1.Options{GCPLength: 7}
	for _, to := range []gs1.Form{gs1.DigitalLink, gs1.URN, gs1.ElementString} {
		out, err := gs1.Convert("(01)07613035982949(10)9121755841", to, o)
		fmt.Println(out, err)
	}
	// Output:
	// https://id.gs1.org/01/07613035982949/10/9121755841 <nil>
	// urn:epc:class:lgtin:7613035.098294.9121755841 <nil>
	// ^0107613035982949109121755841 <nil>
}

func ExampleMatch() {
	fmt.Println(gs1.Match("urn:epc:idpat:sgtin:7613035.*.*", "https://brand.example/01/07613035982949/21/A1"))
	// Output: true
}
