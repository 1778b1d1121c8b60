package epcis_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

func TestXMLSchemaVerdicts(t *testing.T) {
	for _, s := range samples(t) {
		if s.Kind != "xml" {
			continue
		}
		t.Run(s.File, func(t *testing.T) {
			data, err := os.ReadFile(vectors.Path(t, "epcis", s.File))
			if err != nil {
				t.Fatal(err)
			}
			err = epcis.CheckXML(bytes.NewReader(data), epcis.Limits{})
			if want := len(s.XSDValid) > 0; (err == nil) != want {
				t.Errorf("valid: want %v, got %v", want, err)
			}
			t.Log(err)
		})
	}
}

// schemaDoc is a valid document around the members of an ObjectEvent.
func schemaDoc(version, members string) string {
	return `<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:` + version + `" xmlns:x="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
		xmlns:xsd="http://www.w3.org/2001/XMLSchema" schemaVersion="2.0" creationDate="2024-01-01T00:00:00"><EPCISBody><EventList>
<ObjectEvent>` + members + `</ObjectEvent></EventList></EPCISBody></e:EPCISDocument>`
}

func TestXMLSchemaRules(t *testing.T) {
	head := `<eventTime>2024-01-01T00:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset>`
	action := `<action>ADD</action>`
	for name, c := range map[string]struct{ version, members, fault string }{
		"the least":                     {"2", head + action, ""},
		"white space in a time":         {"2", strings.Replace(head, "2024-01-01T00:00:00Z", "\n2024-01-01T00:00:00Z ", 1) + action, ""},
		"a time without zone":           {"2", strings.Replace(head, "00Z", "00", 1) + action, "eventTime"},
		"a time without zone (1.2)":     {"1", strings.Replace(head, "00Z", "00", 1) + "<epcList/>" + action, ""},
		"the 30th of February":          {"2", strings.Replace(head, "01-01T", "02-30T", 1) + action, "eventTime"},
		"a leap second":                 {"2", strings.Replace(head, "00:00Z", "59:60Z", 1) + action, "eventTime"},
		"no epcList in 1.2":             {"1", head + action, "action"},
		"no action":                     {"2", head, "ObjectEvent"},
		"an action in small":            {"2", head + "<action>add</action>", "action"},
		"an action with space":          {"2", head + "<action> ADD</action>", "action"},
		"nothing":                       {"2", "", "ObjectEvent"},
		"an element twice":              {"2", head + action + "<bizStep>a:b</bizStep><bizStep>a:b</bizStep>", "bizStep"},
		"text between elements":         {"2", head + "x" + action, "ObjectEvent"},
		"a namespaced standard one":     {"2", head + "<e:action>ADD</e:action>", "e:action"},
		"an extension":                  {"2", head + action + "<x:a><b c='d'/>e<x:a/></x:a><x:b/>", ""},
		"an extension too early":        {"2", head + "<x:a/>" + action, "x:a"},
		"an extension without name":     {"2", head + action + "<a/>", "a"},
		"a standard after one":          {"2", head + action + "<x:a/><bizStep>a:b</bizStep>", "bizStep"},
		"an empty list of pairs":        {"2", head + action + "<bizTransactionList/>", "bizTransactionList"},
		"a source without type":         {"2", head + action + "<sourceList><source>a:b</source></sourceList>", "source"},
		"an unknown attribute":          {"2", head + action + "<bizTransactionList><bizTransaction kind='a'>b:c</bizTransaction></bizTransactionList>", "bizTransaction"},
		"a quantity":                    {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><quantity>1.50</quantity><uom>KGM</uom></quantityElement></quantityList>", ""},
		"a nil quantity":                {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><quantity xsi:nil='true'/></quantityElement></quantityList>", ""},
		"a quantity in words":           {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><quantity>many</quantity></quantityElement></quantityList>", "quantity"},
		"a quantity with exponent":      {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><quantity>1e3</quantity></quantityElement></quantityList>", "quantity"},
		"a unit without quantity":       {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><uom>KGM</uom></quantityElement></quantityList>", "uom"},
		"a sensor":                      {"2", head + action + "<sensorElementList><sensorElement><sensorReport type='a:b' value='1e3' x:c='d'/></sensorElement></sensorElementList>", ""},
		"a sensor without report":       {"2", head + action + "<sensorElementList><sensorElement/></sensorElementList>", "sensorElement"},
		"a sensor's bad number":         {"2", head + action + "<sensorElementList><sensorElement><sensorReport value='hot'/></sensorElement></sensorElementList>", "sensorReport"},
		"a sensor's child":              {"2", head + action + "<sensorElementList><sensorElement><sensorReport><x:a/></sensorReport></sensorElement></sensorElementList>", "x:a"},
		"ILMD in 1.2":                   {"1", head + "<epcList/>" + action + "<extension><ilmd><x:a/></ilmd></extension>", ""},
		"ILMD of 1.2 in 2.0":            {"2", head + action + "<extension><ilmd/></extension>", "ilmd"},
		"an eventID of 1.2 in 2.0":      {"2", head + "<baseExtension><eventID>a:b</eventID></baseExtension>" + action, "eventID"},
		"an eventID of 2.0 in 1.2":      {"1", head + "<eventID>a:b</eventID><epcList/>" + action, "eventID"},
		"a stated type":                 {"2", head + action + "<x:a xsi:type='xsd:int'>1</x:a>", ""},
		"a type that is not kept":       {"2", head + action + "<x:a><x:b xsi:type='xsd:int'>one</x:b></x:a>", "x:b"},
		"an unknown type":               {"2", head + action + "<x:a xsi:type='xsd:whole'>1</x:a>", "x:a"},
		"an undeclared type":            {"2", head + action + "<x:a xsi:type='y:int'>1</x:a>", "x:a"},
		"an attribute of XML itself":    {"2", head + "<action xml:lang='en'>ADD</action>", "action"},
		"an attribute of a simple type": {"2", head + action + "<x:a b='c' xsi:type='xsd:int'>1</x:a>", "x:a"},
		"a nil that is none":            {"2", head + "<action xsi:nil='maybe'>ADD</action>", "action"},
		"a type for a standard element": {"2", head + "<action xsi:type='String'>ADD</action>", "action"},
		"a nil that may not be":         {"2", head + "<action xsi:nil='true'>ADD</action>", "action"},
		"a nil list":                    {"2", head + "<epcList xsi:nil='false'/>" + action, "epcList"},
		"a type that is derived":        {"2", strings.Replace(head, "<eventTimeZoneOffset>", "<eventTimeZoneOffset xsi:type='xsd:token'>", 1) + action, ""},
		"a type that is not":            {"2", strings.Replace(head, "<eventTimeZoneOffset>", "<eventTimeZoneOffset xsi:type='xsd:int'>", 1) + action, "eventTimeZoneOffset"},
		"a simple type for a list":      {"2", head + "<epcList xsi:type='xsd:string'/>" + action, "epcList"},
		"an integer for a quantity":     {"2", head + action + "<quantityList><quantityElement><epcClass>a:b</epcClass><quantity xsi:type='xsd:int'>1.5</quantity></quantityElement></quantityList>", "quantity"},
		"a time with space behind it":   {"2", head + action + "<x:a xsi:type='xsd:dateTime'>2024-01-01T00:00:00Z\n</x:a>", ""},
		"a time with space before it":   {"2", head + action + "<x:a xsi:type='xsd:dateTime'>\n2024-01-01T00:00:00Z</x:a>", "x:a"},
		"a URI with a space":            {"2", head + action + "<bizStep>http://a/b c</bizStep>", ""},
		"a URI that is none":            {"2", head + action + "<bizStep>1a:b</bizStep>", "bizStep"},
		"children of a simple type":     {"2", head + "<action>ADD<x:a/></action>", "x:a"},
	} {
		t.Run(name, func(t *testing.T) {
			wantFault(t, schemaDoc(c.version, c.members), c.fault)
		})
	}
}

// wantFault checks a document whose first fault is at an element of that name, or that has none.
func wantFault(t *testing.T, doc, at string) {
	t.Helper()
	err := epcis.CheckXML(strings.NewReader(doc), epcis.Limits{})
	var fs hub.Faults
	switch {
	case at == "" && err != nil:
		t.Errorf("refused: %v", err)
	case at != "" && !errors.As(err, &fs):
		t.Errorf("want a fault at %s, got %v", at, err)
	case at != "":
		if where := fs[0].Where; !strings.HasSuffix(where.Pointer, "/"+at) || where.Line < 3 || where.Column == 0 {
			t.Errorf("want a fault at %s, got %v", at, err)
		}
		if fs[0].MessageZh == "" {
			t.Error("the message has no Chinese")
		}
	}
}

// The messages of the query interface, in a document and on their own.
func TestXMLSchemaOfQueries(t *testing.T) {
	const name, declared = "<queryName>q</queryName>", ` xmlns:q="urn:epcglobal:epcis-query:xsd:2"
		xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`
	param := func(value string) string {
		return name + "<params><param><name>n</name>" + value + "</param></params>"
	}
	subscribe := func(controls string) string {
		return name + "<params/><dest>http://a/</dest><controls>" + controls + "</controls><subscriptionID>1</subscriptionID>"
	}
	for what, c := range map[string]struct{ message, content, fault string }{
		"a list of values":              {"Poll", param(`<value xsi:type="q:ArrayOfString"><string>a</string><string>b</string></value>`), ""},
		"a list of something else":      {"Poll", param(`<value xsi:type="q:ArrayOfString"><a>b</a></value>`), "a"},
		"a number":                      {"Poll", param(`<value xsi:type="xsd:int">5</value>`), ""},
		"a number in words":             {"Poll", param(`<value xsi:type="xsd:int">five</value>`), "value"},
		"no value":                      {"Poll", param(``), "param"},
		"a void":                        {"Poll", param(`<value xsi:type="q:VoidHolder"/>`), ""},
		"a void with a space":           {"Poll", param(`<value xsi:type="q:VoidHolder"> </value>`), "value"},
		"no name of the query":          {"Poll", "<params/>", "params"},
		"no parameters":                 {"Poll", name, "q:Poll"},
		"a schedule":                    {"Subscribe", subscribe("<schedule><second>0</second><hour>1</hour></schedule><reportIfEmpty>true</reportIfEmpty>"), ""},
		"a schedule out of order":       {"Subscribe", subscribe("<schedule><hour>1</hour><second>0</second></schedule><reportIfEmpty>true</reportIfEmpty>"), "second"},
		"no reportIfEmpty":              {"Subscribe", subscribe("<trigger>a:b</trigger>"), "controls"},
		"no subscription":               {"Unsubscribe", "", "q:Unsubscribe"},
		"a question without parameters": {"GetQueryNames", "", ""},
		"a question with one":           {"GetQueryNames", name, "queryName"},
		"an answer":                     {"GetQueryNamesResult", "<string>a</string>", ""},
		"a version":                     {"GetVendorVersionResult", "1", ""},
		"an exception":                  {"NoSuchNameException", "<reason>r</reason>", ""},
		"an exception without reason":   {"NoSuchNameException", "", "q:NoSuchNameException"},
		"a failure":                     {"ImplementationException", "<reason>r</reason><severity>ERROR</severity>" + name, ""},
		"a failure of another severity": {"ImplementationException", "<reason>r</reason><severity>BAD</severity>", "severity"},
		"no message":                    {"Ask", "", "q:Ask"},
	} {
		t.Run(what, func(t *testing.T) {
			element := "<q:" + c.message + declared + ">" + c.content + "</q:" + c.message + ">"
			wantFault(t, "<q:EPCISQueryDocument"+declared+` schemaVersion="2.0"
				creationDate="2024-01-01T00:00:00Z"><EPCISBody>`+element+"</EPCISBody></q:EPCISQueryDocument>", c.fault)
			if err := epcis.CheckXML(strings.NewReader(element), epcis.Limits{}); (err == nil) != (c.fault == "") {
				t.Errorf("alone: %v", err)
			}
		})
	}
}

// What libxml2 takes for an xsd:anyURI and what not.
func TestXMLSchemaURIs(t *testing.T) {
	bizStep := func(uri string) error {
		doc := schemaDoc("2", `<eventTime>2024-01-01T00:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset><action>ADD</action><bizStep>`+
			uri+"</bizStep>")
		return epcis.CheckXML(strings.NewReader(doc), epcis.Limits{})
	}
	for _, uri := range []string{
		"", " ", "x", "a b", "%41", "a+b:c", "a/b:c", "?a:b", "#a:b", "http://[::1]/", "//x", "http:", "http:////a", "a#[b]", "{}", "中文", "urn:",
		"http://u:p@h:80/?q#f", "http://:80/", "a:?", "mailto:a@b", "2020", "./:", "*",
	} {
		if err := bizStep(uri); err != nil {
			t.Errorf("%q is refused: %v", uri, err)
		}
	}
	for _, uri := range []string{
		"%", "a%2", "a%zz", "+01:00", "1a:b", "a_b:c", ":x", "://x", "a#b#c", "http://[::1", "http://[::1]x/", "http://a:b", "http://a:/",
		"http://h:2147483648/", "http://u@v@h/", "http://u[x]@h/", "[x]", "a?[b]", "2024-01-01T00:00:00Z",
	} {
		if bizStep(uri) == nil {
			t.Errorf("%q is accepted", uri)
		}
	}
}

func TestXMLSchemaReportsEveryEvent(t *testing.T) {
	doc := schemaDoc("2", "</ObjectEvent><ObjectEvent>")
	var fs hub.Faults
	if err := epcis.CheckXML(strings.NewReader(doc), epcis.Limits{}); !errors.As(err, &fs) || len(fs) != 2 {
		t.Errorf("got %v, want two faults", err)
	}
	many := schemaDoc("2", strings.Repeat("</ObjectEvent><ObjectEvent>", 1000))
	if err := epcis.CheckXML(strings.NewReader(many), epcis.Limits{}); !errors.As(err, &fs) || len(fs) != 20 {
		t.Errorf("got %d faults, want 20", len(fs))
	}
}
