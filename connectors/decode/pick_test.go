package decode_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/decode"
)

// pick picks names of a record, and holds what comes against Decode: the same faults, the same values.
func pick(t *testing.T, d decode.Decoder, preamble, body []byte, names []string) map[string]any {
	t.Helper()
	whole, want := d.Decode(preamble, body)
	p, ok := d.(decode.Picker)
	if !ok {
		t.Fatal("not a Picker")
	}
	wanted := decode.NewNames(names)
	tree, err := p.Pick(preamble, body, wanted)
	if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
		t.Fatalf("%q: Pick says %v, Decode %v", body, err, want)
	}
	if err != nil {
		return nil
	}
	for range 2 { // the second in memory that was released
		again, err := p.Pick(preamble, body, wanted)
		if diff := cmp.Diff(tree.Value, again.Value); err != nil || diff != "" {
			t.Fatalf("%q again: %v: %s", body, err, diff)
		}
		again.Release()
	}
	all, isObject := whole.Value.(map[string]any)
	picked, _ := tree.Value.(map[string]any)
	if !isObject {
		if diff := cmp.Diff(whole.Value, tree.Value); diff != "" {
			t.Fatal(diff)
		}
		return nil
	}
	for _, name := range names {
		got, has := picked[name]
		want, should := all[name]
		if diff := cmp.Diff(want, got); has != should || diff != "" {
			t.Fatalf("%s of %q: there %v, want %v: %s", name, body, has, should, diff)
		}
	}
	return picked
}

func TestPickLeavesOut(t *testing.T) {
	d := newDecoder(t, "json", "")
	body := []byte(` {"a":"x\u00e9\n","b":{"c":[1,-2.50e+3,true,null,{}],"d":""} , "e" : 0.5,"é":"é","skip":{"deep":[[{"x":"\\"}]]},"t":false}`)
	got := pick(t, d, nil, body, []string{"a", "b", "é", "missing"})
	if len(got) != 3 {
		t.Errorf("picked %v", got)
	}
	many := strings.Split("a b c d e f g h i j k l", " ")
	if got := pick(t, d, nil, body, many); len(got) != 3 {
		t.Errorf("picked %v", got)
	}
	csv := newDecoder(t, "csv", "")
	head, row := []byte("a,b,c"), []byte(`1,"x ""y""",3`)
	pick(t, csv, head, row, []string{"b"}) // reads the header
	if got := pick(t, csv, head, row, []string{"b", "z"}); len(got) != 1 || got["b"] != `x "y"` {
		t.Errorf("picked %v", got)
	}
	if got := pick(t, csv, []byte("b,a,c"), row, []string{"b"}); got["b"] != "1" {
		t.Errorf("picked %v", got)
	}
}

// What Decode refuses, Pick refuses with the same words, also in what it leaves out.
func TestPickRefusesAlike(t *testing.T) {
	d := newDecoder(t, "json", "maxDepth: 4")
	for _, body := range []string{
		``, `{`, `{"a":1`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`, `{"a":nulL}`,
		`{"z":1,"z":2}`, `{"z":1,"\u007a":2}`, `{"x":{"z":1,"z":2}}`, `{"z":"\ud800"}`, `{"z":"\x"}`, "{\"z\":\"\x01\"}", "{\"z\":\"\xff\"}", "{\"\xff\":1}",
		`{"z":[1 2]}`, `{"z":[1,]}`, `{"z":[,1]}`, `{"z":[[[[[]]]]]}`, `{"z":{"z":{"z":{"z":{}}}}}`, `{"a":1}{}`, `{"a":1} x`, "{\"a\":1}\x00", `[1]`, `"a"`, `null`, `{"a":'b'}`,
		"\xef\xbb\xbf{\"a\":1}", "{\"a\":1\u00a0}", `{"a":1,"b":2,"a":3}`, `{"":1,"":2}`,
	} {
		pick(t, d, nil, []byte(body), []string{"a", "b"})
	}
	var wide bytes.Buffer // names that repeat among very many
	wide.WriteString(`{"n":0`)
	for i := range 600 {
		wide.WriteString(`,"n` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + `":1`)
	}
	pick(t, d, nil, append(bytes.Clone(wide.Bytes()), '}'), []string{"n"})
	pick(t, d, nil, append(bytes.Clone(wide.Bytes()), `,"n":1}`...), []string{"n"})
}

func FuzzPickJSON(f *testing.F) {
	for _, s := range []string{benchJSON, `{"a":{"b":[1,2,{"c":"\u00e9"}]},"b":-1.5e-3,"a":2}`, `{"a":"😀\ud83d\ude00"}`, `[{}]`} {
		f.Add([]byte(s))
	}
	d := newDecoder(f, "json", "maxDepth: 8")
	f.Fuzz(func(t *testing.T, body []byte) { pick(t, d, nil, body, []string{"a", "code", "", "events"}) })
}

func FuzzPickCSV(f *testing.F) {
	f.Add([]byte("a,b,c"), []byte(`1,"2",3`))
	f.Add([]byte("\xef\xbb\xbfa;b"), []byte("x;\xff"))
	d := newDecoder(f, "csv", "")
	f.Fuzz(func(t *testing.T, head, row []byte) {
		pick(t, d, head, row, []string{"a", "c"})
		pick(t, d, head, row, []string{"a", "c"})
	})
}

// A record of 22 members of which a mapping reads six, whole and picked.
func BenchmarkPick(b *testing.B) {
	body := []byte(`{"code":"123456000000001","gtin":"7613035982949","batch":"9121755841","madeOn":"2026-11-02 01:01:00","bestBefore":"2028-10-31",` +
		`"plantGln":"5391520850004","line":"L1","shift":"B","operator":"op-0001","cartonSscc":"05391520850000001","nameZh":"启赋有机幼儿配方奶粉3阶段",` +
		`"nameEn":"illuma organic formula stage 3","series":"启赋有机","packaging":"罐装","packSpec":"900 g × 6","origin":"IE",` +
		`"plant":"Wyeth Nutritionals Ireland, Askeaton plant","address":"Askeaton, Co. Limerick, Ireland","quality":{"fill":900.01,"seal":"ok",` +
		`"oxygen":0.01},"note":"printed by line printer, checked by camera, no remarks, packed in cases of six, stacked on pallets of one hundred and twenty cases"}`)
	head := []byte("code,gtin,batch,madeOn,bestBefore,plantGln,line,shift,operator,cartonSscc,nameZh,nameEn,series,packaging,packSpec,origin,plant,address,fill,seal,oxygen,note")
	row := []byte(`123456000000001,7613035982949,9121755841,2026-11-02 01:01:00,2028-10-31,5391520850004,L1,B,op-0001,05391520850000001,启赋有机幼儿配方奶粉3阶段,` +
		`illuma organic formula stage 3,启赋有机,罐装,900 g × 6,IE,"Wyeth Nutritionals Ireland, Askeaton plant","Askeaton, Co. Limerick, Ireland",900.01,ok,0.01,` +
		`"printed by line printer, checked by camera, no remarks, packed in cases of six, stacked on pallets of one hundred and twenty cases"`)
	names := decode.NewNames([]string{"batch", "bestBefore", "code", "gtin", "madeOn", "plantGln"})
	for _, c := range []struct {
		format         string
		preamble, body []byte
	}{{"json", nil, body}, {"csv", head, row}} {
		d := newDecoder(b, c.format, "")
		b.Run(c.format+"/whole", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(c.preamble, c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.format+"/picked", func(b *testing.B) {
			p, ok := d.(decode.Picker)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Pick(c.preamble, c.body, names); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
	}
}
