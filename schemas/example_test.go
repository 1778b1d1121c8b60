package schemas_test

import (
	"fmt"

	"github.com/suyuan-io/suyuan/schemas"
)

func ExampleRegistry_ValidateEvent() {
	registry, err := schemas.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(registry.ValidateEvent([]byte(`{
  "type": "ObjectEvent",
  "eventTime": "2019-05-01T14:20:00+01:00",
  "eventTimeZoneOffset": "+01:00",
  "action": "OBSERVE",
  "epcList": ["urn:epc:id:sgtin:7613035.098294.1"],
  "bizStep": "Shipping"
}`)))
	// Output:
	// line 7:14 /bizStep: "Shipping" is not a business step (did you mean "shipping"?)
}
