package epcis_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

const queried = `{
  "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ex": "https://example.org/epcis/"}],
  "type": "ObjectEvent", "eventID": "urn:uuid:1", "action": "ADD", "bizStep": "commissioning", "disposition": "active",
  "eventTime": "2024-05-01T10:00:00+02:00", "eventTimeZoneOffset": "+02:00",
  "epcList": ["urn:epc:id:sgtin:0614141.107346.2017"],
  "quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 200, "uom": "KGM"}],
  "persistentDisposition": {"set": ["completeness_verified"]},
  "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0", "ex:dock": "7"}, "bizLocation": {"id": "urn:epc:id:sgln:4012345.00002.0"},
  "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epc:id:gdti:0614141.00001.1618034"}],
  "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00225"}],
  "sensorElementList": [{
    "sensorMetadata": {"startTime": "2024-05-01T00:00:00Z", "endTime": "2024-05-02T00:00:00Z", "deviceID": "urn:epc:id:giai:4000001.111",
      "ex:fw": "1.2"},
    "sensorReport": [{"type": "Temperature", "value": 26, "sDev": 0.9, "uom": "CEL", "ex:cv": 5},
      {"type": "ex:Door", "booleanValue": true, "stringValue": "open|wide", "hexBinaryValue": "F0f0"}],
    "ex:site": {"ex:room": "B"}}],
  "ilmd": {"ex:lot": "L1", "ex:weights": {"ex:net": 3.50, "ex:best": "2025-01-01T00:00:00Z"}, "ex:w": {"#text": "4", "unit": "KGM"}},
  "ex:score": 12.5, "ex:tags": ["a", "b"], "ex:deep": {"ex:deeper": {"ex:leaf": "x"}},
  "errorDeclaration": {"declarationTime": "2024-06-01T00:00:00Z", "reason": "incorrect_data", "correctiveEventIDs": ["urn:uuid:2"],
    "ex:note": "typo", "ex:more": {"ex:who": "me"}}
}`

func TestQueryMatches(t *testing.T) {
	e := parse(t, queried)
	in := epcis.Setting{
		RecordedAt: time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC),
		Within: func(id, ancestor string) bool {
			return id == "https://id.gs1.org/414/4012345000023" && ancestor == "https://id.gs1.org/414/4012345999990"
		},
	}
	for _, group := range []struct {
		want    bool
		queries string
	}{
		{true, `
			eventType=ObjectEvent
			eventType=ObjectEvent,AggregationEvent
			eventType=AggregationEvent&eventType=ObjectEvent
			GE_eventTime=2024-05-01T08:00:00Z
			GE_eventTime=2024-05-01T10:00:00%2B02:00
			LT_eventTime=2024-05-01T08:00:00.001Z
			GE_recordTime=2024-07-01T00:00:00Z
			EQ_action=ADD&EQ_bizStep=commissioning
			EQ_bizStep=urn:epcglobal:cbv:bizstep:commissioning
			EQ_bizStep=https://ref.gs1.org/cbv/BizStep-commissioning
			EQ_bizStep=shipping|commissioning
			EQ_disposition=active
			EQ_persistentDisposition_set=completeness_verified
			EQ_readPoint=https://id.gs1.org/414/4012345000016
			EQ_readPoint=urn:epc:id:sgln:4012345.00001.0
			WD_readPoint=urn:epc:id:sgln:4012345.00001.0
			WD_bizLocation=urn:epc:id:sgln:4012345.99999.0
			EQ_bizTransaction_po=https://id.gs1.org/253/06141410000121618034
			EQ_source_owning_party=urn:epc:id:pgln:4012345.00225
			MATCH_epc=https://id.gs1.org/01/10614141073464/21/2017
			MATCH_epc=urn:epc:idpat:sgtin:0614141.107346.*
			MATCH_epc=urn:epc:idpat:sgtin:0614141.*.*
			MATCH_anyEPC=urn:epc:id:sgtin:0614141.107346.2017
			MATCH_epcClass=https://id.gs1.org/01/04012345123456/10/998877
			MATCH_anyEPCClass=urn:epc:class:lgtin:4012345.012345.998877
			EQ_eventID=urn:uuid:1
			EQ_quantity=200
			GT_quantity=199.5&LE_quantity=200
			EQ_quantity_GRM=200000
			EXISTS_errorDeclaration=true
			EXISTS_errorDeclaration=false
			GE_errorDeclarationTime=2024-06-01T00:00:00Z
			EQ_errorReason=incorrect_data
			EQ_correctiveEventID=urn:uuid:2
			EQ_ERROR_DECLARATION_ex:note=typo
			EQ_INNER_ERROR_DECLARATION_ex:who=me
			GE_startTime=2024-05-01T00:00:00Z&LT_endTime=2024-05-03T00:00:00Z
			EQ_type=Temperature
			EQ_type=gs1:Temperature
			EQ_type=https://ref.gs1.org/voc/Temperature
			EQ_deviceID=https://id.gs1.org/8004/4000001111
			EQ_booleanValue=true
			EQ_stringValue=open|wide
			EQ_hexBinaryValue=f0f0
			GE_value_CEL=26&LE_value_CEL=26
			EQ_type=gs1:Temperature&GE_value_KEL=299.15
			EQ_value_FAH=78.8
			LT_value_FAH=78.9
			EQ_sDev_KEL=0.9
			EQ_ex:score=12.5
			EQ_ex:score=12.50
			GE_ex:score=12.5&LT_ex:score=13
			EQ_https://example.org/epcis/score=12.5
			EQ_ex:tags=b
			EQ_INNER_ex:leaf=x
			EXISTS_ex:score
			EXISTS_INNER_ex:leaf=true
			EQ_ILMD_ex:lot=L1
			EQ_ILMD_ex:lot=L0|L1
			GE_INNER_ILMD_ex:net=3.5
			GT_INNER_ILMD_ex:best=2024-12-31T23:59:59Z
			EXISTS_ILMD_ex:weights
			HASATTR_ex:w=unit
			EQATTR_ex:w_unit=KGM
			EQ_readPoint_ex:dock=7
			EQ_SENSORREPORT_ex:cv=5
			EQ_SENSORMETADATA_ex:fw=1.2
			EXISTS_SENSORELEMENT_ex:site
			EQ_INNER_SENSORELEMENT_ex:room=B`},
		{false, `
			eventType=AggregationEvent
			LT_eventTime=2024-05-01T08:00:00Z
			GE_eventTime=2024-05-01T08:00:00.001Z
			LT_recordTime=2024-07-01T00:00:00Z
			EQ_action=OBSERVE
			EQ_bizStep=shipping
			EQ_bizStep=commissioning&EQ_disposition=in_transit
			EQ_persistentDisposition_unset=completeness_verified
			WD_bizLocation=urn:epc:id:sgln:4012345.00001.0
			EQ_bizTransaction_inv=https://id.gs1.org/253/06141410000121618034
			EQ_destination_owning_party=urn:epc:id:pgln:4012345.00225
			MATCH_epc=urn:epc:id:sgtin:0614141.107346.2018
			MATCH_epc=urn:epc:class:lgtin:4012345.012345.998877
			MATCH_parentID=urn:epc:id:sgtin:0614141.107346.2017
			MATCH_inputEPC=urn:epc:id:sgtin:0614141.107346.2017
			MATCH_epcClass=urn:epc:id:sgtin:0614141.107346.2017
			GT_quantity=200
			EQ_quantity_LTR=200
			LT_errorDeclarationTime=2024-06-01T00:00:00Z
			EQ_errorReason=did_not_occur
			EQ_type=Speed
			EQ_booleanValue=false
			GT_value_KEL=299.15
			GE_value_PAL=1
			GE_value_XYZ=1
			EQ_ex:score=12
			EQ_ex:lot=L1
			EQ_ILMD_ex:net=3.5
			EQ_INNER_ex:score=12.5
			EQ_bizLocation_ex:dock=7
			EXISTS_ex:nothing
			HASATTR_ex:w=size
			EQATTR_ex:w_unit=GRM
			LT_ex:score=12.5`},
	} {
		for line := range strings.SplitSeq(strings.TrimSpace(group.queries), "\n") {
			line = strings.TrimSpace(line)
			t.Run(line, func(t *testing.T) {
				values, err := url.ParseQuery(line)
				if err != nil {
					t.Fatal(err)
				}
				q, err := epcis.ParseQuery(values, epcis.NewContext(map[string]string{"ex": "https://example.org/epcis/"}))
				if err != nil {
					t.Fatal(err)
				}
				if got := q.Matches(e, in); got != group.want {
					t.Errorf("matches: got %v, want %v", got, group.want)
				}
			})
		}
	}
}

func TestQueryKnowsAPrefixByItsNamespace(t *testing.T) {
	q, err := epcis.ParseQuery(url.Values{"EQ_other:score": {"12.5"}},
		epcis.NewContext(map[string]string{"other": "https://example.org/epcis/"}))
	if err != nil {
		t.Fatal(err)
	}
	if !q.Matches(parse(t, queried), epcis.Setting{}) {
		t.Error("the same namespace under another prefix did not match")
	}
}

func TestQueryRefuses(t *testing.T) {
	for line, parameter := range map[string]string{
		"EQ_action=FOO":                     "EQ_action",
		"EQ_action=":                        "EQ_action",
		"orderDirection=UP":                 "orderDirection",
		"orderBy=bizStep":                   "orderBy",
		"GE_eventTime=yesterday":            "GE_eventTime",
		"GE_eventTime=2024-05-01T10:00:00":  "GE_eventTime",
		"EQ_bizstep=shipping":               "EQ_bizstep",
		"nonsense=1":                        "nonsense",
		"GT_quantity=many":                  "GT_quantity",
		"GT_quantity=1&GT_quantity=2":       "GT_quantity",
		"GT_bizStep=shipping":               "GT_bizStep",
		"LE_eventTime=2024-05-01T10:00:00Z": "LE_eventTime",
		"EQ_ILMD_lot=1":                     "EQ_ILMD_lot",
		"GT_ex:score=high":                  "GT_ex:score",
		"EXISTS_errorDeclaration=perhaps":   "EXISTS_errorDeclaration",
		"eventCountLimit=0":                 "eventCountLimit",
		"eventCountLimit=2":                 "eventCountLimit",
		"eventCountLimit=2&maxEventCount=3&orderBy=eventTime": "eventCountLimit",
		"perPage=-1": "perPage",
		"EQATTR_x=1": "EQATTR_x",
		"GE_value=3": "GE_value",
	} {
		t.Run(line, func(t *testing.T) {
			values, err := url.ParseQuery(line)
			if err != nil {
				t.Fatal(err)
			}
			_, err = epcis.ParseQuery(values, nil)
			f := hub.AsFault(err)
			if err == nil || f.Kind != hub.Invalid || !strings.HasPrefix(f.Code, "epcis.query.") || f.Where.Pointer != parameter {
				t.Errorf("got %v (%+v), want a refusal of %s", err, f, parameter)
			}
			if f.MessageZh == "" {
				t.Error("the message has no Chinese")
			}
		})
	}
}

func TestQuerySuggestsTheNearestParameter(t *testing.T) {
	_, err := epcis.ParseQuery(url.Values{"EQ_bizStepp": {"shipping"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "EQ_bizStep?") {
		t.Errorf("got %v", err)
	}
}

func TestQueryJSON(t *testing.T) {
	q, err := epcis.ParseQueryJSON([]byte(`{"@context": {"p": "https://example.org/epcis/"}, "eventType": ["ObjectEvent"],
		"GE_p:score": 12, "EXISTS_errorDeclaration": null, "EQ_value_CEL": [25, 26]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !q.Matches(parse(t, queried), epcis.Setting{}) {
		t.Error("did not match")
	}
	if _, err := epcis.ParseQueryJSON([]byte(`{"EQ_action": {"a": 1}}`)); err == nil {
		t.Error("took an object for a value")
	}
}

func TestQueryOrders(t *testing.T) {
	at := func(eventTime, score string) *epcis.Event {
		extra := ""
		if score != "" {
			extra = `,"ex:n":` + score
		}
		return parse(t, `{"@context":{"ex":"https://example.org/"},"type":"ObjectEvent","eventTime":"`+eventTime+`"`+extra+`}`)
	}
	events := []*epcis.Event{
		at("2024-01-01T00:00:00Z", "9"), at("2024-01-01T02:30:00+02:00", "10"), at("2023-12-31T23:00:00-05:00", ""),
	}
	for orderBy, want := range map[string]string{"eventTime": "210", "https://example.org/n": "102"} {
		q, err := epcis.ParseQuery(url.Values{"orderBy": {orderBy}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		order := []int{0, 1, 2}
		slices.SortStableFunc(order, func(a, b int) int {
			return q.Compare(events[a], events[b], epcis.Setting{}, epcis.Setting{})
		})
		got := ""
		for _, i := range order {
			got += string(rune('0' + i))
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", orderBy, got, want)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("EQ_INNER_ILMD_ex:net=3.5&GE_value_KEL=1&MATCH_epc=urn:epc:idpat:sgtin:*.*.*")
	f.Add("EQATTR_a_b_c=d&HASATTR_x=y&EQ_ATTR_=&orderBy=a:b")
	e, err := epcis.ParseEvent([]byte(queried), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := epcis.ParseQuery(values, nil)
		if err != nil {
			return
		}
		q.Matches(e, epcis.Setting{})
		q.Compare(e, e, epcis.Setting{}, epcis.Setting{})
	})
}

func parse(t *testing.T, s string) *epcis.Event {
	t.Helper()
	e, err := epcis.ParseEvent([]byte(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A query may name twenty thousand things and an event fifteen thousand: one event was compared with one query for minutes, so that no
// page's time was kept. This took an hour.
func TestManyThingsAreLookedUp(t *testing.T) {
	named := func(what string, n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf(`"https://id.gs1.org/01/07613035982949/21/%s%d"`, what, i)
		}
		return strings.Join(ids, ",")
	}
	q, err := epcis.ParseQueryJSON([]byte(`{"MATCH_anyEPC":[` + named("A", 20_000) + `,"urn:epc:id:sgtin:7613035.098294.B14999"]}`))
	if err != nil {
		t.Fatal(err)
	}
	event := func(what string) *epcis.Event {
		e, err := epcis.ParseEvent([]byte(`{"type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","epcList":[`+
			named(what, 15_000)+`]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	hit, miss := event("B"), event("C")
	for range 20 {
		if !q.Matches(hit, epcis.Setting{}) || q.Matches(miss, epcis.Setting{}) {
			t.Fatal("the one thing that both name is not found, or one that neither does")
		}
	}
}
