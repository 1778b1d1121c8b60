package epcis_test

import (
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
)

// An event's identity does not depend on how it was written.
func ExampleReadDocument() {
	doc := `{
	  "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"brand": "https://brand.example/"}],
	  "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2024-05-01T09:00:00Z",
	  "epcisBody": {"eventList": [
	    {"type": "ObjectEvent", "eventTime": "2024-05-01T10:00:00+02:00", "eventTimeZoneOffset": "+02:00", "action": "OBSERVE",
	     "epcList": ["urn:epc:id:sgtin:4012345.098765.12"], "bizStep": "shipping", "brand:pallet": "0007"}]}}`
	_, err := epcis.ReadDocument(strings.NewReader(doc), epcis.Limits{}, func(it epcis.Item) error {
		e, err := it.Event()
		if err != nil {
			return err
		}
		text, err := e.PreHash(epcis.CBV20)
		fmt.Printf("line %d: %s\n", it.Line, text)
		return err
	})
	fmt.Println(err)
	// Output:
	// line 5: eventType=ObjectEventeventTime=2024-05-01T08:00:00.000ZeventTimeZoneOffset=+02:00epcListepc=https://id.gs1.org/01/04012345987652/21/12action=OBSERVEbizStep=https://ref.gs1.org/cbv/BizStep-shipping{https://brand.example/}pallet=7
	// <nil>
}
