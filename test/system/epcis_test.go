package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// A partner's EPCIS client needs nothing but the address: what it captures is recorded in the hub's log, found again in
// either form of its identifiers, and has a receipt.
func TestAnEPCISClientIsServedByTheBinary(t *testing.T) {
	p := hubtest.HookSite(t).Start()
	const document = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"EPCISDocument","schemaVersion":"2.0",
"creationDate":"2026-01-01T00:00:00Z","epcisBody":{"eventList":[{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z",
"eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:7613035.098294.42"],"bizStep":"shipping"}]}}`
	header := http.Header{"Content-Type": {"application/ld+json"}}
	if status, body := p.Do(http.MethodPost, "/epcis/capture", []byte(document), header); status != http.StatusAccepted {
		t.Fatalf("capture: %d %s", status, body)
	}
	var answer struct {
		Type string
		Body struct {
			Results struct {
				Events struct {
					List []json.RawMessage `json:"eventList"`
				} `json:"resultsBody"`
			} `json:"queryResults"`
		} `json:"epcisBody"`
	}
	query := "/epcis/events?MATCH_anyEPC=" + url.QueryEscape("https://id.gs1.org/01/07613035982949/21/42")
	p.Await("the captured event", func() bool {
		return p.Get(query, &answer) == http.StatusOK && len(answer.Body.Results.Events.List) == 1
	})
	if answer.Type != "EPCISQueryDocument" || !bytes.Contains(answer.Body.Results.Events.List[0], []byte("shipping")) {
		t.Errorf("the answer is %+v", answer)
	}
	p.Await("its checkpoint", func() bool { size, committed := p.LogSize(); return size == 1 && committed == 1 })
	if receipt := p.ReceiptAt(0); !json.Valid(receipt) {
		t.Errorf("the receipt is %s", receipt)
	}
	invalid := strings.Replace(document, "shipping", "shiping", 1)
	if status, body := p.Do(http.MethodPost, "/epcis/capture", []byte(invalid), header); status != http.StatusBadRequest ||
		!bytes.Contains(body, []byte("epcisException:ValidationException")) || !bytes.Contains(body, []byte("/epcisBody/eventList/0/bizStep")) {
		t.Errorf("an invalid document: %d %s", status, body)
	}
}
