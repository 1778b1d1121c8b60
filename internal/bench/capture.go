package bench

import (
	"bytes"
	"fmt"
)

// Document is an EPCIS document of n events from the given number of a run.
func Document(run string, from, n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"EPCISDocument",` +
		`"schemaVersion":"2.0","creationDate":"2026-11-30T00:00:00.000Z","epcisBody":{"eventList":[`)
	for i := from; i < from+n; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"ObjectEvent","eventTime":"2026-11-%02dT%02d:%02d:%02d.000+01:00","eventTimeZoneOffset":"+01:00",`+
			`"action":"OBSERVE","bizStep":"shipping","disposition":"in_transit",`+
			`"epcList":["https://id.gs1.org%s","https://id.gs1.org/01/07613035982949/21/A%s","https://id.gs1.org/01/07613035982949/21/B%s"],`+
			`"readPoint":{"id":"https://id.gs1.org/414/5391520850004/254/%d"},"bizLocation":{"id":"https://id.gs1.org/414/5391520850004"},`+
			`"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:5391520850004:PO%d"}]}`,
			1+i%28, i%24, i%60, i/60%60, Item(run, i), Serial(run, i), Serial(run, i), i%16, i/1000)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}
