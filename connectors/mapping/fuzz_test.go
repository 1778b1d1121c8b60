package mapping_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

// FuzzLoad holds that any file is loaded or refused with placed faults, and that what loads maps without a panic and
// within a bound.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"testdata/broken/*.yaml", "testdata/*.yaml"} {
		files, _ := filepath.Glob(dir)
		for _, file := range files {
			if src, err := os.ReadFile(file); err == nil {
				f.Add(string(src))
			}
		}
	}
	f.Add(tin)
	f.Add(brand)
	f.Add(wms)
	f.Add("a: &a [*a]\n")
	f.Add("a: &a {b: 1}\nb: &b {a: *a, <<: *a}\nc: [*b, *b]\n")
	row, err := decodeJSON(brandRow)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		defer watch(src)()
		m, err := load(t, src)
		if err != nil {
			faults, ok := err.(hub.Faults) //nolint:errorlint // Load promises it
			if !ok || len(faults) == 0 {
				t.Fatalf("not faults: %#v", err)
			}
			mapping.Explain(mapFS("m.yaml", src), err, mapping.Chinese)
		} else {
			_, err := m.Map(mapping.Input{Row: row}, nil)
			checkFault(t, err)
		}
	})
}

// watch panics when the input is not done with in ten seconds: the fuzzer itself would wait for ever.
func watch(src string) (done func()) {
	t := time.AfterFunc(10*time.Second, func() { panic("hangs on " + strconv.Quote(src)) })
	return func() { t.Stop() }
}

// FuzzExpression holds the same for one expression over a record of every kind of value.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{`ts(row.t, 'yyyy-MM-dd')`, `sgtin(row.s, row.n)`, `map(filter(row.l, .a > 1), #)`, `row?.o.x ?? 'a'`, `1/3 + 2**3`, `sum(1..9)`,
		`let a = row.n; a + a`, `decimal(row.n, 2)`, `regex(row.s, '(a+)+$')`, `row.l[1:-1]`, `groups(row, 'LIN')`, `row.s[2:4] in ['a']`, `if true {1} else {2}`,
		`digitalLink('01', row.s, '21', row.s)`, `row.l | map(#) | join(',')`, `-row.n % 7`, `"\u00e9" matches "."`, `sortBy(row.l, -#)`, `{(row.s): row.o}`, `ts(row.n, 'excel')`} {
		f.Add(seed)
	}
	row, err := decodeJSON(`{"t":"2019-11-07","s":"7613035982949","n":12.5,"l":[1,2,{"a":3}],"o":{"x":null,"y":true},"segments":[{"tag":"LIN","elements":[["1"],[]]}]}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		defer watch(src)()
		indented := strings.ReplaceAll(src, "\n", "\n          ")
		m, err := load(t, "version: 1\nevents:\n  - event:\n      type: ObjectEvent\n      eventTime: 2019-11-07T00:00:00Z\n      action: OBSERVE\n      gs1:v: |-\n          ="+indented+"\n")
		if err != nil {
			return
		}
		_, err = m.Map(mapping.Input{Row: row}, nil)
		checkFault(t, err)
	})
}

func checkFault(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if f := hub.AsFault(err); f.Kind == hub.Internal || f.Code == "" || f.MessageZh == "" {
		t.Errorf("bad fault: %#v", f)
	}
}

// FuzzTests holds that any test file is run or refused.
func FuzzTests(f *testing.F) {
	f.Add("cases:\n  - row: { kind: OUT }\n    expect: { fault: map.missing }\n")
	f.Add("cases:\n  - input: \"kind\\nOUT\\n\"\n    record: 1\n    expect: { exact: true, events: [ {a: [1, {b: null}]} ] }\n")
	f.Fuzz(func(t *testing.T, src string) {
		defer watch(src)()
		if r, err := mapping.RunTests(mapFS("m.yaml", wms, "m.test.yaml", src), "m.yaml", csvRecords); err == nil {
			_ = r.String()
		}
	})
}

// FuzzScaffold holds that any record gives a mapping that passes its own test.
func FuzzScaffold(f *testing.F) {
	f.Add(brandRow)
	f.Add(edi)
	f.Add(`{"time":"2019-11-07","a b":{"gtin":"7613035982949"},"l":[{"sscc":"376130350000000002"}]}`)
	f.Fuzz(func(t *testing.T, src string) {
		row, err := decodeJSON(src)
		if err != nil {
			return
		}
		m, tests, err := mapping.Scaffold(mapping.Sample{Name: "s", Row: row})
		if err != nil {
			t.Fatalf("%v", err)
		}
		r, err := mapping.RunTests(mapFS("s.yaml", string(m), "s.test.yaml", string(tests)), "s.yaml", nil)
		if err != nil || !r.Passed() {
			t.Fatalf("%v\n%s\n%s\n%s", err, r, m, tests)
		}
	})
}
