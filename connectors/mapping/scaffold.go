package mapping

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Sample is a decoded record to make a first mapping from.
type Sample struct {
	// Name is the mapping's name: the files are NAME.yaml and NAME.test.yaml.
	Name string
	Row  any
	// File is the sample's file as the test names it, relative to the test; Record is the number of the record in it, 0
	// when it is the only one. Without File the row stands in the test.
	File   string
	Record int
	// Timezone places the sample's naive times, "+08:00" unless given.
	Timezone string
}

// Scaffold writes a mapping that works for the sample, and a test that expects exactly what it makes. It guesses from
// names and values: check digits tell GTIN, GLN and SSCC, and what reads as a time is one. What it could not guess is
// marked with CHECK.
func Scaffold(s Sample) (mapping, tests []byte, err error) {
	if s.Timezone == "" {
		s.Timezone = "+08:00"
	}
	z, t := parseZone(s.Timezone)
	if t != nil {
		return nil, nil, t.fault(hub.Invalid)
	}
	g := &guess{zone: z}
	if segments, t := segmentsOf(s.Row); t == nil {
		g.edi(segments)
	} else {
		g.look(s.Row, "row", 0)
	}
	mapping = []byte(g.write(s))
	m, err := Load(fstest.MapFS{"m.yaml": {Data: mapping}}, "m.yaml")
	if err != nil {
		return nil, nil, fmt.Errorf("scaffold mapping: %w", err)
	}
	out, err := m.Map(Input{Row: s.Row, Provider: "test", Connector: "test", RecordID: "test", ReceivedAt: testTime()}, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("scaffold mapping: %w", err)
	}
	return mapping, []byte(scaffoldTests(s, out)), nil
}

// testTime is when the records of tests were received, unless a test says otherwise.
func testTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// write renders the mapping.
func (g *guess) write(s Sample) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s: what each record means. docs/mapping.md explains every key and function; try changes with", s.Name)
	line("# suyuan connector test, and see their effect on real records with suyuan connector preview.")
	line("version: 1")
	line("timezone: %s   # CHECK: where the times without a zone were written", jsonText(s.Timezone))
	line("context: { example: https://ns.example.com/ }   # CHECK: an address of your own for fields of your own")
	line("events:")
	line("  - event:")
	line("      type: ObjectEvent")
	if g.time == "" {
		g.time = "meta.receivedAt"
		line("      # CHECK: no time was found in the sample; this is when the record arrived")
	}
	line("      eventTime: %s", jsonText("= "+g.time))
	line("      action: OBSERVE   # CHECK: ADD when things come into being here, DELETE when they end")
	line("      # bizStep: shipping   # CHECK: what happened: commissioning, packing, shipping, receiving, …")
	g.writeThings(line)
	if g.place != "" {
		line("      readPoint: { id: %s }", jsonText("= sgln("+g.place+")"))
	}
	if g.order != "" {
		line("      bizTransactionList:")
		line("        - { type: po, bizTransaction: %s }   # CHECK: the kind of document, and a URI of your own", jsonText("= 'https://ns.example.com/order/' + escape("+g.order+")"))
	}
	for _, f := range g.rest {
		line("      %s: %s", jsonText("example:"+f.name), jsonText("=? "+f.path))
	}
	if g.gtin != "" && g.name != "" && g.list == "" {
		line("master:")
		line("  - product: %s", jsonText("= "+g.gtin))
		line("    attributes: { name: %s }", jsonText("=? "+g.name))
	}
	return b.String()
}

// writeThings renders what the event is about.
func (g *guess) writeThings(line func(string, ...any)) {
	var epc, class, quantity string
	switch {
	case g.sscc != "":
		epc = "sscc(" + g.sscc + ")"
	case g.gtin != "" && g.serial != "":
		epc = "sgtin(" + g.gtin + ", " + g.serial + ")"
	case g.gtin != "" && g.lot != "":
		class = "lgtin(" + g.gtin + ", " + g.lot + ")"
	case g.gtin != "":
		class = "gtin(" + g.gtin + ")"
	default:
		line("      # CHECK: no GTIN, SSCC or serial number was found; this stands for the record itself")
		epc = "'https://ns.example.com/record/' + hash(meta.recordID)"
	}
	if g.quantity != "" {
		quantity = g.quantity
	}
	name := "epcList"
	if class != "" {
		name = "quantityList"
	}
	line("      %s:", name)
	dash := "- "
	if g.list != "" && (g.gtin != "" || g.sscc != "") {
		line("        - each: %s", jsonText("= "+g.list))
		dash = "  value: "
	}
	if class == "" {
		line("        %s%s", dash, jsonText("= "+epc))
		return
	}
	if quantity == "" {
		line("        %s{ epcClass: %s }", dash, jsonText("= "+class))
		return
	}
	line("        %s{ epcClass: %s, quantity: %s }", dash, jsonText("= "+class), jsonText("= number("+quantity+")"))
}

// scaffoldTests renders the test.
func scaffoldTests(s Sample, out Output) string {
	var b strings.Builder
	b.WriteString("# What " + s.Name + ".yaml must make of its sample. CHECK every value against what really happened.\ncases:\n")
	b.WriteString("  - name: the sample\n")
	if s.File != "" {
		b.WriteString("    file: " + scalarYAML(s.File) + "\n")
		if s.Record > 0 {
			fmt.Fprintf(&b, "    record: %d\n", s.Record)
		}
	} else if nested(s.Row) {
		b.WriteString("    row:\n")
		writeYAML(&b, s.Row, 6, false)
	} else {
		b.WriteString("    row: " + leafYAML(s.Row) + "\n")
	}
	b.WriteString("    expect:\n      exact: true\n")
	writeYAML(&b, outputTree(out), 6, false)
	return b.String()
}
