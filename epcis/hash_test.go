package epcis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

const context = `"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",` +
	`{"ex":"https://ex.example/","plain":"https://plain.example"}]`

func preHash(t *testing.T, members string, d epcis.Dialect) string {
	t.Helper()
	text, err := parse(t, "{"+context+","+members+"}").PreHash(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Each rule of CBV 2.0 section 8.9 alone. The type stands first everywhere and is left out of what is wanted.
func TestPreHashRules(t *testing.T) {
	for name, c := range map[string][2]string{
		"fields in their order": {
			`"action":"ADD","eventTimeZoneOffset":"+01:00","bizStep":"x:y","parentID":"p:1","epcList":["b:1"],"eventTime":"2024-01-01T00:00:00Z"`,
			"eventTime=2024-01-01T00:00:00.000ZeventTimeZoneOffset=+01:00epcListepc=b:1parentID=p:1action=ADDbizStep=x:y",
		},
		"inputs before children, outputs behind quantities": {
			`"outputEPCList":["o:1"],"childEPCs":["c:1"],"inputEPCList":["i:1"],"inputQuantityList":[{"epcClass":"q:1"}]`,
			"inputEPCListepc=i:1childEPCsepc=c:1inputQuantityListquantityElementepcClass=q:1outputEPCListepc=o:1",
		},
		"what is never hashed": {
			`"recordTime":"2024-01-01T00:00:00Z","eventID":"e:1","errorDeclaration":{"declarationTime":"2024-01-01T00:00:00Z","ex:a":1},"certificationInfo":["c:1"]`,
			"",
		},
		"empty lists and texts":     {`"epcList":[],"quantityList":[],"bizStep":"","disposition":"  ","readPoint":{"id":""},"sensorElementList":[]`, ""},
		"duplicates are kept":       {`"epcList":["b:2","a:1","b:2"]`, "epcListepc=a:1epc=b:2epc=b:2"},
		"sorted by bytes":           {`"epcList":["é:1","z:1","A:1","a:1"]`, "epcListepc=A:1epc=a:1epc=z:1epc=é:1"},
		"sorted after conversion":   {`"epcList":["urn:epc:id:sgtin:0614141.107346.2","urn:epc:id:sscc:0614141.1234567890"]`, "epcListepc=https://id.gs1.org/00/106141412345678908epc=https://id.gs1.org/01/10614141073464/21/2"},
		"white space is trimmed":    {`"epcList":["  a:1\n"],"uom":"x"`, "epcListepc=a:1uom=x"},
		"a set of one stands bare":  {`"epcList":"a:1","bizTransactionList":{"bizTransaction":"b:1"}`, "epcListepc=a:1bizTransactionListbizTransaction=b:1"},
		"type before value":         {`"bizTransactionList":[{"bizTransaction":"b:1","type":"po"},{"bizTransaction":"a:1"}]`, "bizTransactionListbizTransaction=a:1type=https://ref.gs1.org/cbv/BTT-pobizTransaction=b:1"},
		"sources and destinations":  {`"sourceList":[{"type":"location","source":"s:1"}],"destinationList":[{"type":"urn:epcglobal:cbv:sdt:owning_party","destination":"d:1"}]`, "sourceListtype=https://ref.gs1.org/cbv/SDT-locationsource=s:1destinationListtype=https://ref.gs1.org/cbv/SDT-owning_partydestination=d:1"},
		"quantities":                {`"quantityList":[{"uom":"KGM","quantity":1.50,"epcClass":"q:1"}]`, "quantityListquantityElementepcClass=q:1quantity=1.5uom=KGM"},
		"set before unset":          {`"persistentDisposition":{"unset":["damaged"],"set":["recalled","active"]}`, "persistentDispositionset=https://ref.gs1.org/cbv/Disp-activeset=https://ref.gs1.org/cbv/Disp-recalledunset=https://ref.gs1.org/cbv/Disp-damaged"},
		"words, URNs and addresses": {`"bizStep":"urn:epcglobal:cbv:bizstep:shipping","disposition":"https://ref.gs1.org/cbv/Disp-active"`, "bizStep=https://ref.gs1.org/cbv/BizStep-shippingdisposition=https://ref.gs1.org/cbv/Disp-active"},
		"a CURIE of the standard":   {`"bizStep":"cbv:BizStep-shipping"`, "bizStep=https://ref.gs1.org/cbv/BizStep-shipping"},
		"a CURIE of the user":       {`"bizStep":"ex:own"`, "bizStep=ex:own"},
		"an unknown word":           {`"bizStep":"own"`, "bizStep=own"},
		"other CBV URNs":            {`"bizTransactionList":[{"bizTransaction":"urn:epcglobal:cbv:bt:0614141073467:1"}]`, "bizTransactionListbizTransaction=urn:epcglobal:cbv:bt:0614141073467:1"},
		"a Digital Link elsewhere":  {`"epcList":["https://brand.example/a/01/04012345999990/21/X1?k=v#f"]`, "epcListepc=https://id.gs1.org/01/04012345999990/21/X1"},
		"the lot yields to the serial": {
			`"epcList":["https://id.gs1.org/01/04012345999990/10/L1/21/X1"]`, "epcListepc=https://id.gs1.org/01/04012345999990/21/X1",
		},
		"SGLN without extension": {`"readPoint":{"id":"urn:epc:id:sgln:4012345.00001.0"}`, "readPointid=https://id.gs1.org/414/4012345000016"},
		"sensor fields":          {`"sensorElementList":[{"sensorReport":[{"uom":"CEL","value":1,"type":"gs1:Temperature","component":"x","exception":"ALARM_CONDITION"}],"sensorMetadata":{"bizRules":"r:1","time":"2024-01-01T00:00:00Z"}}]`, "sensorElementsensorMetadatatime=2024-01-01T00:00:00.000ZbizRules=r:1sensorReporttype=https://ref.gs1.org/voc/Temperatureexception=https://ref.gs1.org/voc/ALARM_CONDITIONvalue=1component=https://ref.gs1.org/cbv/Comp-xuom=CEL"},
		"ILMD before extensions": {`"ex:b":"2","ilmd":{"ex:a":"1"}`, "ilmd{https://ex.example/}a=1{https://ex.example/}b=2"},
		"http before https":      {`"ex:b":"1","http://a.example/b":"2"`, "{http://a.example/}b=2{https://ex.example/}b=1"},
		"extension times stay":   {`"ex:time":"2024-01-01T00:00:00+01:00"`, "{https://ex.example/}time=2024-01-01T00:00:00+01:00"},
		"extension numbers":      {`"ex:n":["007","+1.0",0.10,"-0"]`, "{https://ex.example/}n=0{https://ex.example/}n=0.1{https://ex.example/}n=1{https://ex.example/}n=7"},
		"an empty extension":     {`"ex:a":"","ex:b":{},"ex:c":[],"ex:d":null`, "{https://ex.example/}a{https://ex.example/}b"},
		"children with values":   {`"ex:a":{"#text":"1","unit":"KGM","ex:b":["2","1"]}`, "{https://ex.example/}a=1unit=KGM{https://ex.example/}b=1{https://ex.example/}b=2"},
		"nested arrays are flat": {`"ex:a":[["1"],["2",["3"]]]`, "{https://ex.example/}a=1{https://ex.example/}a=2{https://ex.example/}a=3"},
		"comments":               {`"rdfs:comment":"c","comment":"c","ex:a":{"rdfs:comment":"c","ex:b":"1"}`, "{https://ex.example/}a{https://ex.example/}b=1"},
		"extensions of fields":   {`"readPoint":{"id":"r:1","ex:x":"1"},"bizLocation":{"id":"l:1","ex:y":"2"},"ilmd":{"ex:i":"3"},"ex:z":"4"`, "readPointid=r:1bizLocationid=l:1ilmd{https://ex.example/}i=3readPoint{https://ex.example/}x=1bizLocation{https://ex.example/}y=2{https://ex.example/}z=4"},
		"extensions of sensors":  {`"sensorElementList":[{"sensorMetadata":{"ex:m":"1"},"sensorReport":[{"type":"Speed","ex:r":"2"}],"ex:e":"3"}]`, "sensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedsensorElementsensorMetadata{https://ex.example/}m=1sensorReport{https://ex.example/}r=2{https://ex.example/}e=3"},
		"extensions in the order of their reports": {
			`"sensorElementList":[{"sensorReport":[{"type":"Speed","value":9,"ex:r":"a"},{"type":"Speed","value":7,"ex:r":"b"}]},
				{"sensorReport":[{"type":"Mass","ex:r":"c"}]}]`,
			"sensorElementsensorReporttype=https://ref.gs1.org/voc/MasssensorElementsensorReporttype=https://ref.gs1.org/voc/Speedvalue=7" +
				"sensorReporttype=https://ref.gs1.org/voc/Speedvalue=9sensorElementsensorReport{https://ex.example/}r=c" +
				"sensorElementsensorReport{https://ex.example/}r=bsensorReport{https://ex.example/}r=a",
		},
		"extensions of reports that are alike": {
			`"sensorElementList":[{"sensorReport":[{"type":"Speed","ex:r":"b"},{"type":"Speed","ex:r":"a"}]}]`,
			"sensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedsensorReporttype=https://ref.gs1.org/voc/Speed" +
				"sensorElementsensorReport{https://ex.example/}r=asensorReport{https://ex.example/}r=b",
		},
		"namespaces without slash": {
			`"readPoint":{"id":"r:1","plain:x":"1"},"sensorElementList":[{"sensorReport":[{"type":"Speed"}],"plain:e":"3"}],"ex:a":"1"`,
			"readPointid=r:1sensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedreadPoint{https://plain.example}x=1sensorElementListsensorElement{https://plain.example}e=3{https://ex.example/}a=1",
		},
		"a field that stands where it does not belong": {
			`"sensorElementList":[{"sensorReport":[{"type":"Speed","bizRules":"r:1"}]}],"ex:a":"1"`,
			"sensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedsensorElementListsensorElementsensorReportbizRules=r:1{https://ex.example/}a=1",
		},
		"a field that stands where it does not belong, beside an extension": {
			`"sensorElementList":[{"sensorReport":[{"type":"Speed","bizRules":"r:1","ex:r":"2"}]}]`,
			"sensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedsensorElementsensorReport{https://ex.example/}r=2",
		},
		"master data without a declaration, as XML has it": {`"ilmd":{"cbvmda:lotNumber":"L1"}`, "ilmd{urn:epcglobal:cbv:mda}lotNumber=L1"},
		"a text in a language":                             {`"ex:n":{"@value":"奶粉","@language":"zh"},"ex:m":{"@value":"1","@type":"xsd:int"}`, "{https://ex.example/}m=1{https://ex.example/}n=奶粉{http://www.w3.org/XML/1998/namespace}lang=zh"},
		"the event's own context":                          {`"ex:a":"1"`, "{https://ex.example/}a=1"},
		"an empty ILMD":                                    {`"ilmd":{}`, "ilmd"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := preHash(t, `"type":"T",`+c[0], epcis.CBV20), "eventType=T"+c[1]; got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// The 2.1 draft leaves extensions where they were found.
func TestPreHashRulesOf21(t *testing.T) {
	for name, c := range map[string][2]string{
		"extensions of fields": {
			`"readPoint":{"id":"r:1","ex:x":"1"},"ilmd":{"ex:i":"3"},"ex:z":"4"`,
			"readPointid=r:1{https://ex.example/}x=1ilmd{https://ex.example/}i=3{https://ex.example/}z=4",
		},
		"sensors": {
			`"sensorElementList":[{"sensorMetadata":{"ex:m":"1"},"sensorReport":[{"type":"Speed","ex:r":"2"}],"ex:e":"3"}]`,
			"sensorElementListsensorElementsensorMetadata{https://ex.example/}m=1sensorReporttype=https://ref.gs1.org/voc/Speed" +
				"{https://ex.example/}r=2{https://ex.example/}e=3",
		},
		"a field that stands where it does not belong": {
			`"sensorElementList":[{"sensorReport":[{"type":"Speed","bizRules":"r:1"}]}]`,
			"sensorElementListsensorElementsensorReporttype=https://ref.gs1.org/voc/SpeedsensorElementListsensorElementsensorReportbizRules=r:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := preHash(t, `"type":"T",`+c[0], epcis.CBV21), "eventType=T"+c[1]; got != want {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

func TestPreHashTimes(t *testing.T) {
	for in, want := range map[string]string{
		"2024-01-01T00:00:00Z":                   "2024-01-01T00:00:00.000Z",
		"2024-01-01T00:00:00+05:30":              "2023-12-31T18:30:00.000Z",
		"2024-01-01T00:00:00.1234Z":              "2024-01-01T00:00:00.123Z",
		"2024-01-01T00:00:00.1235Z":              "2024-01-01T00:00:00.124Z",
		"2024-01-01T00:00:00.0005Z":              "2024-01-01T00:00:00.001Z",
		"2023-12-31T23:59:59.9995Z":              "2024-01-01T00:00:00.000Z",
		"2023-12-31T23:59:59.99949999999999999Z": "2023-12-31T23:59:59.999Z",
		"2016-12-31T23:59:60Z":                   "2017-01-01T00:00:00.000Z",
		"2024-02-29T24:00:00Z":                   "2024-03-01T00:00:00.000Z",
		"2024-01-01T00:00:00":                    "2024-01-01T00:00:00",
		"yesterday":                              "yesterday",
	} {
		got := preHash(t, `"type":"T","eventTime":"`+in+`"`, epcis.CBV20)
		if want = "eventType=TeventTime=" + want; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// What the reference does with these has no published vector; this is what we do.
func TestPreHashNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"1e3": "1000", "1E+3": "1000", "12.5e-3": "0.0125", "-0.0": "0", "-0.50": "-0.5", ".5": "0.5", "5.": "5", "+7": "7",
		"0": "0", "000": "0", "100": "100", "12345678901234567890.5": "12345678901234567890.5", "1_000": "1_000",
		"1e": "1e", "1e99999": "1e99999", "--1": "--1", "1.2.3": "1.2.3", "0x10": "0x10", "-": "-", ".": ".", "INF": "INF",
		"١": "١",
	} {
		got := preHash(t, `"type":"T","ex:n":"`+in+`"`, epcis.CBV20)
		if want = "eventType=T{https://ex.example/}n=" + want; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// A JSON number is a double; as text the same digits stay.
func TestPreHashOfLongNumbers(t *testing.T) {
	got := preHash(t, `"type":"T","ex:a":12345678901234567890.5,"ex:b":"12345678901234567890.5","ex:c":1e2,"ex:d":0.30000000000000004`,
		epcis.CBV20)
	want := "eventType=T{https://ex.example/}a=12345678901234567000{https://ex.example/}b=12345678901234567890.5" +
		"{https://ex.example/}c=100{https://ex.example/}d=0.30000000000000004"
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

// One event in JSON and in XML has one hash, whatever the details of its notation.
func TestTwinsHaveOneHash(t *testing.T) {
	inXML := `<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:1" xmlns:a="https://ex.example/"><EPCISBody><EventList>
		<ObjectEvent><eventTime>2024-01-01T01:00:00.0000+01:00</eventTime><eventTimeZoneOffset>+01:00</eventTimeZoneOffset>
		<baseExtension><eventID>urn:uuid:1</eventID></baseExtension>
		<epcList><epc>urn:epc:id:sgtin:0614141.107346.2017</epc></epcList><action>ADD</action>
		<bizStep>urn:epcglobal:cbv:bizstep:commissioning</bizStep>
		<extension><quantityList><quantityElement><epcClass>urn:epc:class:lgtin:4012345.012345.998877</epcClass>
		<quantity>+010.50</quantity></quantityElement></quantityList>
		<ilmd><a:lot>L1</a:lot><extension/></ilmd></extension>
		<a:n xml:lang="zh">奶粉</a:n><a:w unit="KGM">5</a:w><a:t>1</a:t><a:t>2</a:t></ObjectEvent></EventList></EPCISBody></epcis:EPCISDocument>`
	inJSON := `{` + context + `,"type":"ObjectEvent","eventTime":"2024-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00",
		"eventID":"urn:uuid:2","epcList":["https://id.gs1.org/01/10614141073464/21/2017"],"action":"ADD","bizStep":"commissioning",
		"quantityList":[{"epcClass":"https://id.gs1.org/01/04012345123456/10/998877","quantity":10.5}],
		"ilmd":{"ex:lot":"L1"},"ex:t":[2,1],"ex:n":{"@value":"奶粉","@language":"zh"},"ex:w":{"#text":5,"unit":"KGM"}}`
	x, j := readEvents(t, []byte(inXML))[0], parse(t, inJSON)
	for _, d := range []epcis.Dialect{epcis.CBV20, epcis.CBV21} {
		if got, want := must(t)(x.PreHash(d)), must(t)(j.PreHash(d)); got != want {
			t.Errorf("%s:\nXML  %s\nJSON %s", d, got, want)
		}
	}
}

func TestHashAlgorithms(t *testing.T) {
	e := parse(t, `{"type":"ObjectEvent"}`)
	for a, digits := range map[epcis.Algorithm]int{
		epcis.SHA256: 64, epcis.SHA384: 96, epcis.SHA512: 128, epcis.SHA3256: 64,
	} {
		got, err := e.HashWith(a, epcis.CBV21)
		want := fmt.Sprintf("ni:///%s;%s?ver=CBV2.1", a, strings.Repeat("x", digits))
		if err != nil || len(got) != len(want) || !strings.HasPrefix(got, "ni:///"+string(a)+";") {
			t.Errorf("%s: got %q, %v", a, got, err)
		}
	}
	want := "ni:///sha-256;7aa6d15415d4b429d7c4f7b3f1aaebcdbd9a12ad5c6ff4951247b61e621b9659?ver=CBV2.0"
	if got := must(t)(e.Hash(epcis.CBV20)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := e.HashWith("md5", epcis.CBV20); hub.KindOf(err) != hub.Invalid {
		t.Errorf("md5: got %v", err)
	}
	if _, err := e.Hash("CBV3.0"); hub.KindOf(err) != hub.Invalid {
		t.Errorf("CBV3.0: got %v", err)
	}
}
