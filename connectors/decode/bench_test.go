package decode_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
)

const (
	benchRow = "CK20191107001,启赋有机幼儿配方奶粉3阶段,7613035982949,9121755841,6,2019-11-07 21:18:56,\"易碎,轻放\"\n"
	benchXML = `<Movement kind="EAL"><ReferenceNumber>19IEDUB400001</ReferenceNumber><Goods><Item seq="1">启赋 &lt;900 g&gt;</Item>` +
		`<Item seq="2">Cartons</Item></Goods><ArrivalDateTime>2019-06-22T08:30:00Z</ArrivalDateTime></Movement>` + "\n"
	benchJSON = `{"code":"02130081810167359142","at":"2019-11-08T08:13:08+08:00","city":"上海","weight":0.9,"events":[{"op":"签收"}]}` + "\n"
	benchEDI  = "UNH+1+DESADV:D:96A:UN'BGM+351+D1+9'DTM+137:20190508:102'CPS+1'PAC+1++CT'PCI+33E'GIN+BJ+376130350000000018'" +
		"LIN+1++7613035982949:EN'QTY+12:6'FTX+AAA+++It?'s organic'UNT+11+1'\n"
)

func bench(b *testing.B, format, settings, item string) {
	b.Helper()
	d := newDecoder(b, format, settings)
	b.SetBytes(int64(len(item)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := decode.All(d, strings.NewReader(item), func(connectors.Piece, decode.Tree) error { n++; return nil })
		if err != nil || n == 0 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	bench(b, "csv", "", "a,b,c,d,e,f,g\n"+strings.Repeat(benchRow, 2000))
}

func BenchmarkCSVSplit(b *testing.B) {
	item := "a,b,c,d,e,f,g\n" + strings.Repeat(benchRow, 2000)
	d := newDecoder(b, "csv", "")
	b.SetBytes(int64(len(item)))
	for b.Loop() {
		if err := d.Split(strings.NewReader(item), func(connectors.Piece) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStandardCSV reads the same rows with encoding/csv into maps.
func BenchmarkStandardCSV(b *testing.B) {
	item := "a,b,c,d,e,f,g\n" + strings.Repeat(benchRow, 2000)
	b.SetBytes(int64(len(item)))
	b.ReportAllocs()
	for b.Loop() {
		r := csv.NewReader(strings.NewReader(item))
		names, err := r.Read()
		if err != nil {
			b.Fatal(err)
		}
		for {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			tree := make(map[string]any, len(names))
			for i, n := range names {
				tree[n] = row[i]
			}
		}
	}
}

func BenchmarkXML(b *testing.B) {
	bench(b, "xml", "{split: /Movements/Movement}", "<Movements>"+strings.Repeat(benchXML, 1000)+"</Movements>")
}

// BenchmarkStandardXML reads the same tokens with encoding/xml and builds nothing.
func BenchmarkStandardXML(b *testing.B) {
	item := "<Movements>" + strings.Repeat(benchXML, 1000) + "</Movements>"
	b.SetBytes(int64(len(item)))
	b.ReportAllocs()
	for b.Loop() {
		d := xml.NewDecoder(strings.NewReader(item))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkNDJSON(b *testing.B) { bench(b, "ndjson", "", strings.Repeat(benchJSON, 2000)) }

// BenchmarkJSONSplit cuts a webhook's body of 100 records that all stand on one line.
func BenchmarkJSONSplit(b *testing.B) {
	record := strings.ReplaceAll(strings.Repeat(benchJSON, 6), "\n", "")
	record = `{"parts":[` + strings.ReplaceAll(record, "}{", "},{") + `]}`
	body := []byte(`{"records":[` + strings.Repeat(record+",", 99) + record + `]}`)
	d := newDecoder(b, "json", "split: /records")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := d.Split(inMemory{bytes.NewReader(body), body}, func(connectors.Piece) error { n++; return nil }); err != nil || n != 100 {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkStandardJSON reads the same lines with encoding/json.
func BenchmarkStandardJSON(b *testing.B) {
	item := strings.Repeat(benchJSON, 2000)
	b.SetBytes(int64(len(item)))
	b.ReportAllocs()
	for b.Loop() {
		for line := range bytes.Lines([]byte(item)) {
			var v any
			if err := json.Unmarshal(line, &v); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchInterchange() string {
	return unb + strings.Repeat(benchEDI, 1000) + "UNZ+1000+7'"
}

func BenchmarkEDIFACT(b *testing.B) { bench(b, "edifact", "", benchInterchange()) }

func BenchmarkEDIFACTGuided(b *testing.B) { bench(b, "edifact", "guide: DESADV", benchInterchange()) }
