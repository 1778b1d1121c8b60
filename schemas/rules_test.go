package schemas_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/schemas"
)

func everything(digits func(string) error) schemas.ValidateOptions {
	return schemas.ValidateOptions{Rules: true, CheckDigits: digits}
}

// eventWith returns an event of the type with these fields beside the ones that every event has.
func eventWith(eventType, fields string) []byte {
	return fmt.Appendf(nil, `{"type":%q,"eventTime":"2019-05-01T14:20:00Z","eventTimeZoneOffset":"+01:00",%s}`, eventType, fields)
}

const (
	epcs     = `"epcList":["urn:epc:id:sgtin:7613035.098294.1"]`
	children = `"childEPCs":["urn:epc:id:sgtin:7613035.098294.1"]`
)

func TestRulesRefuseWhatTheSchemaLetsPass(t *testing.T) {
	quantity := func(q string) string {
		return `"action":"ADD","quantityList":[{"epcClass":"urn:epc:class:lgtin:1.2.3",` + q + `}]`
	}
	sensor := func(s string) string { return `"action":"OBSERVE",` + epcs + `,"sensorElementList":[` + s + `]` }
	for name, c := range map[string]struct {
		event []byte
		want  []string // code and pointer of each fault
	}{
		"aggregation that adds without parent":    {eventWith("AggregationEvent", `"action":"ADD",`+children), []string{"rule.parent-required "}},
		"aggregation that deletes without parent": {eventWith("AggregationEvent", `"action":"DELETE"`), []string{"rule.parent-required "}},
		"aggregation that observes":               {eventWith("AggregationEvent", `"action":"OBSERVE",`+children), nil},
		"aggregation with parent":                 {eventWith("AggregationEvent", `"action":"ADD","parentID":"urn:epc:id:sscc:7613035.0000000017",`+children), nil},
		"unit without quantity":                   {eventWith("ObjectEvent", quantity(`"uom":"KGM"`)), []string{"rule.uom-without-quantity /quantityList/0/uom"}},
		"fraction of a piece":                     {eventWith("ObjectEvent", quantity(`"quantity":1.5`)), []string{"rule.count /quantityList/0/quantity"}},
		"no pieces":                               {eventWith("ObjectEvent", quantity(`"quantity":0`)), []string{"rule.count /quantityList/0/quantity"}},
		"pieces written as 2.0":                   {eventWith("ObjectEvent", quantity(`"quantity":2.0`)), nil},
		"pieces written as 2e1":                   {eventWith("ObjectEvent", quantity(`"quantity":2e1`)), nil},
		"weight":                                  {eventWith("ObjectEvent", quantity(`"quantity":0.5,"uom":"KGM"`)), nil},
		"persistent disposition in an aggregation": {
			eventWith("AggregationEvent", `"action":"OBSERVE","persistentDisposition":{"set":["lost"]},`+children),
			[]string{"schema.enum /persistentDisposition/set/0"},
		},
		"a field twice":        {eventWith("ObjectEvent", `"action":"ADD","action":"ADD",`+epcs), []string{"rule.field-twice /action"}},
		"a field twice, below": {eventWith("ObjectEvent", `"action":"ADD","example:a":{"b":1,"b":2},`+epcs), []string{"rule.field-twice /example:a/b"}},
		"device stated twice": {
			eventWith("ObjectEvent", sensor(`{"sensorMetadata":{"deviceID":"urn:epc:id:giai:1.2","bizRules":"a:b"},"sensorReport":[{"type":"Count"},{"type":"Count","deviceID":"urn:epc:id:giai:1.2","bizRules":"a:b"}]}`)),
			[]string{"rule.sensor-attribute-twice /sensorElementList/0/sensorReport/1/deviceID"},
		},
		"observed later": {
			eventWith("ObjectEvent", sensor(`{"sensorMetadata":{"time":"2019-05-01T14:20:00+01:00"},"sensorReport":[{"type":"Count"}]},{"sensorReport":[{"type":"Count","time":"2019-05-01T15:20:00.001+01:00"}]}`)),
			[]string{"rule.sensor-after-event /sensorElementList/1/sensorReport/0/time"},
		},
		"backwards": {
			eventWith("ObjectEvent", sensor(`{"sensorMetadata":{"startTime":"2019-05-01T14:00:00Z","endTime":"2019-05-01T13:59:59Z"},"sensorReport":[{"type":"Count"}]}`)),
			[]string{"rule.sensor-interval /sensorElementList/0/sensorMetadata/endTime"},
		},
		"in the leap second of the event": {
			[]byte(`{"type":"ObjectEvent","eventTime":"2016-12-31T23:59:60Z","eventTimeZoneOffset":"+00:00",` +
				sensor(`{"sensorReport":[{"type":"Count","time":"2016-12-31t23:59:60z"}]}`) + `}`), nil,
		},
		"a wrong check digit": {eventWith("ObjectEvent", `"action":"ADD","epcList":["https://id.gs1.org/01/07613035982949/21/1","https://id.gs1.org/01/BAD"],"readPoint":{"id":"https://id.gs1.org/414/BAD"}`), []string{
			"rule.identifier /epcList/1", "rule.identifier /readPoint/id",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			reg := open(t)
			if err := reg.ValidateEvent(c.event); err != nil {
				t.Fatalf("the schema refuses it: %v", err)
			}
			err := reg.With(everything(digits)).ValidateEvent(c.event)
			if diff := cmp.Diff(c.want, places(err)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			var want []string
			for _, place := range c.want {
				code, pointer, _ := strings.Cut(place, " ")
				want = append(want, code+" /epcisBody/eventList/1"+pointer)
			}
			good := eventWith("ObjectEvent", `"action":"ADD",`+epcs)
			err = reg.With(everything(digits)).ValidateDocument(document(good, c.event))
			if diff := cmp.Diff(want, places(err)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

// digits stands for the check of GS1 keys.
func digits(id string) error {
	if strings.Contains(id, "BAD") {
		return errors.New("the check digit is wrong")
	}
	return nil
}

// places returns code and pointer of each fault of err.
func places(err error) []string {
	var faults hub.Faults
	if !errors.As(err, &faults) {
		return nil
	}
	var list []string
	for _, f := range faults {
		list = append(list, f.Code+" "+f.Where.Pointer)
	}
	return list
}

func TestRulesAreNoPartOfTheVerdict(t *testing.T) {
	reg := open(t)
	event := eventWith("AggregationEvent", `"action":"DELETE"`)
	report := reg.Report("a.json", document(event), digits, schemas.ReportOptions{})
	if !report.Valid || len(report.Lines) != 1 || report.Lines[0] != "valid a.json" {
		t.Errorf("verdict: %+v", report)
	}
	if len(report.Warnings) != 1 || !strings.HasPrefix(report.Warnings[0], "warning a.json: rule.parent-required: ") {
		t.Errorf("warnings: %q", report.Warnings)
	}
}

func TestAdviceNamesPrefixesThatNothingDeclares(t *testing.T) {
	reg := open(t)
	const standard = `"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"`
	for name, c := range map[string]struct {
		context, fields string
		want            []string
	}{
		"declared":                   {`[` + standard + `,{"ex":"https://ex.example/"}]`, `"ex:a":{"ex:b":1}`, nil},
		"declared by the standard":   {standard, `"gs1:a":1,"cbvmda:b":1,"rdfs:comment":"c"`, nil},
		"not declared":               {standard, `"ex:a":1,"ex:b":2,"other:c":{"ex:d":1}`, []string{"/ex:a", "/other:c"}},
		"within":                     {`[` + standard + `,{"ex":"https://ex.example/"}]`, `"ex:a":[{"x2:b":1}]`, []string{"/ex:a/0/x2:b"}},
		"whole URIs":                 {standard, `"https://ex.example/a":1,"urn:ex:b":2`, nil},
		"declared where it is used":  {standard, `"urn:ex:a":{"@context":{"ex":"https://ex.example/"},"ex:b":1}`, nil},
		"a context of unknown words": {`[` + standard + `,"https://other.example/context.jsonld"]`, `"ex:a":1`, nil},
		"declared as in the drafts":  {standard, `"ex:a":{"@xmlns:ex":"https://ex.example/","#text":"1"}`, nil},
		"a term with a definition":   {`[` + standard + `,{"ex":{"@id":"https://ex.example/","@prefix":true}}]`, `"ex:a":1`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			event := []byte(`{"@context":` + c.context + `,` + string(eventWith("ObjectEvent", `"action":"ADD",`+epcs+`,`+c.fields))[1:])
			var want []string
			for _, pointer := range c.want {
				want = append(want, "advice.prefix-undeclared "+pointer)
			}
			err := reg.With(schemas.ValidateOptions{Advice: true}).ValidateDocument(event)
			if diff := cmp.Diff(want, places(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := reg.With(everything(nil)).ValidateDocument(event); err != nil {
				t.Errorf("capture refuses it: %v", err)
			}
			if r := reg.Report("f", event, nil, schemas.ReportOptions{All: true}); !r.Valid || len(r.Warnings) != len(want) {
				t.Errorf("report %+v", r)
			}
		})
	}
}

func TestRulesAcceptOurOwnEvents(t *testing.T) {
	strict := open(t).With(everything(nil))
	for name, data := range events(t) {
		if err := strict.ValidateEvent(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Third-party samples, some of GS1 itself, break rules; each complaint must name one of the rules and a place.
func TestRulesOnSamplesNameRuleAndPlace(t *testing.T) {
	strict := open(t).With(everything(nil))
	complaints := 0
	for _, s := range samples(t) {
		var faults hub.Faults
		if !s.valid || !errors.As(strict.ValidateDocument(s.data), &faults) {
			continue
		}
		for _, f := range faults {
			complaints++
			if !strings.HasPrefix(f.Code, "rule.") || f.Where.Line == 0 || f.Where.Pointer == "" || f.HintZh == "" {
				t.Errorf("%s: %+v", s.name, *f)
			}
		}
	}
	if complaints == 0 {
		t.Error("no sample breaks a rule: the rules were not asked")
	}
}

// placesOf returns the place of each fault of err.
func placesOf(err error) []hub.Where {
	var faults hub.Faults
	if !errors.As(err, &faults) {
		return nil
	}
	var list []hub.Where
	for _, f := range faults {
		list = append(list, f.Where)
	}
	return list
}
