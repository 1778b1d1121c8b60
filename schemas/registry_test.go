package schemas_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/schemas"
)

func TestNamesListEmbeddedAndAddedSchemas(t *testing.T) {
	reg := open(t)
	if err := reg.Add("codes", "testdata/brand/codes.schema.json"); err != nil {
		t.Fatal(err)
	}
	names := reg.Names()
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %q", names)
	}
	for _, want := range []string{"codes", schemas.EPCISRoot, schemas.EPCISEvent, "epcis/2.0/object-event.json"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is not listed", want)
		}
	}
}

func TestEmbeddedNamesCannotBeReplaced(t *testing.T) {
	err := open(t).Add(schemas.EPCISEvent, "testdata/brand/party.schema.json")
	if hub.KindOf(err) != hub.Conflict {
		t.Errorf("got %v", err)
	}
}

func TestUnknownNameSuggestsTheNearest(t *testing.T) {
	reg := open(t)
	if err := reg.Add("brand-codes", "testdata/brand/party.schema.json"); err != nil {
		t.Fatal(err)
	}
	err := reg.Validate("brandcodes", []byte("{}"))
	if f := hub.AsFault(err); f.Kind != hub.NotFound || f.Hint != `did you mean "brand-codes"?` {
		t.Errorf("got %v", err)
	}
}

// The messages that a brand's IT reads for rows that fail its own schema.
func TestMessagesForRowsOfABrand(t *testing.T) {
	reg := open(t)
	if err := reg.Add("codes", "testdata/brand/codes.schema.json"); err != nil {
		t.Fatal(err)
	}
	good := `{"code":"02130081810167359142","gtin":"7613035982949","made":"2019-05-01","state":"printed","shipTo":{"gln":"6901234000009"},"event":"ADD","owner":{"kind":"person","name":"李"}}`
	if err := reg.Validate("codes", []byte(good)); err != nil {
		t.Fatalf("a good row is refused: %v", err)
	}
	var got strings.Builder
	for _, row := range []string{
		`{"code":2130081810167359142,"gtin":"0000000000000"}`,
		`{"code":"2130081810167359142","gtin":"7613035982949","made":"2019-02-30","state":"print"}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","weight":0,"unit":"kg","colour":"red"}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","weight":900.5,"unit":"g"}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","shipTo":{"GLN":"6901234000009"},"event":"Add"}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","owner":{"kind":"company","uscc":"91310000"}}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","owner":{"kind":"persn","name":"李"}}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","owner":"X","shipto":{"gln":"6901234000009"}}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","owner":17}`,
		`{"code":"02130081810167359142","gtin":"7613035982949","tags":["fragile","a","b"]}`,
		`["02130081810167359142"]`,
		`{"code":"02130081810167359142",}`,
	} {
		for _, lang := range []string{"en", "zh"} {
			lines := schemas.VerdictLines("row", reg.Validate("codes", []byte(row)), schemas.ReportOptions{All: true, Lang: lang})
			got.WriteString(strings.Join(lines, "\n") + "\n")
		}
	}
	compare(t, "testdata/brand/rows.golden", got.String())
}

func TestDurations(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	write(t, file, `{"format":"duration"}`)
	reg := open(t)
	if err := reg.Add("brand", file); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"P1D": true, "PT0S": true, "P4Y": true, "P1Y2M3DT4H5M6S": true, "P2W": true, "PT1M": true, "P1M2DT3H": true,
		"P": false, "PT": false, "P1": false, "P1DT": false, "P1Y2D": false, "PT1H5S": false, "P1W2D": false, "P2D1M": false,
		"P1H": false, "PT1D": false, "PT0.5S": false, "1D": false, "P1D\n": false,
	} {
		if err := reg.Validate("brand", []byte(strconv.Quote(text))); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What a schema refuses is refused, whether or not an explanation is found.
func TestAFieldThatIsKnownOnlyBesideAnotherValue(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	write(t, file, `{"properties":{"a":{"type":"string"}},"unevaluatedProperties":false,
		"anyOf":[{"properties":{"b":{"const":"b"}},"required":["b"]},{"properties":{"c":{"const":"c"}},"required":["c"]}]}`)
	reg := open(t)
	if err := reg.Add("brand", file); err != nil {
		t.Fatal(err)
	}
	if err := reg.Validate("brand", []byte(`{"a":"a","b":"b"}`)); err != nil {
		t.Errorf("a good row is refused: %v", err)
	}
	f := hub.AsFault(reg.Validate("brand", []byte(`{"a":"a","b":"b","c":"d"}`)))
	if f == nil || f.Kind != hub.Invalid || f.Where.Pointer != "/c" || f.HintZh == "" {
		t.Errorf("got %+v", f)
	}
}

func TestASchemaThatCannotBeUsedSaysWhere(t *testing.T) {
	reg := open(t)
	dir := t.TempDir()
	for name, c := range map[string]struct{ schema, want string }{
		"not JSON":              {"{\n  \"type\": \"object\",\n}", "3"},
		"no such type":          {`{"type": "strin"}`, ""},
		"no such pattern":       {`{"pattern": "("}`, ""},
		"reference to nowhere":  {`{"$ref": "nowhere.json"}`, ""},
		"reference to the net":  {`{"$ref": "https://example.com/schema.json"}`, ""},
		"reference to a parent": {`{"$ref": "../outside.json"}`, ""},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".json")
		write(t, file, c.schema)
		err := reg.Add("brand", file)
		f := hub.AsFault(err)
		if err == nil || f.Kind != hub.Invalid || f.Where.File != file || f.MessageZh == "" {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	if err := reg.Add("brand", filepath.Join(dir, "absent.json")); err == nil {
		t.Error("an absent file was added")
	}
}

// Schemas that name themselves by addresses of the web refer to one another by them; all stand in one folder.
func TestSchemasWithAddressesFindOneAnother(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"order.json": `{"$schema":"http://json-schema.org/draft-07/schema#","$id":"https://brand.example/schemas/v1/order.json",
			"properties":{"line":{"$ref":"parts/line.json"},"party":{"$ref":"https://brand.example/schemas/party"},
			"site":{"$ref":"https://places.example/site.json"},"mail":{"contentEncoding":"base64"},"data":{"contentMediaType":"application/json"}}}`,
		"parts/line.json":   `{"properties":{"unit":{"$ref":"unit.json"}}}`,
		"parts/unit.json":   `{"enum":["KGM"]}`,
		"party-v2.json":     `{"$id":"https://brand.example/schemas/party#","type":"string"}`,
		"site.json":         `{"$ref":"#/definitions/code","definitions":{"code":{"$ref":"#code"},"named":{"$id":"#code","type":"number"}}}`,
		"not-a-schema.json": `{"$id":`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), text)
	}
	reg := open(t)
	if err := reg.Add("order", filepath.Join(dir, "order.json")); err != nil {
		t.Fatal(err)
	}
	if err := reg.Validate("order", []byte(`{"line":{"unit":"KGM"},"party":"P","site":7,"mail":"aGk=","data":"{}"}`)); err != nil {
		t.Errorf("refused: %v", err)
	}
	for _, row := range []string{`{"line":{"unit":"EA"}}`, `{"party":1}`, `{"site":"a"}`, `{"mail":"%"}`, `{"data":"{"}`} {
		if f := hub.AsFault(reg.Validate("order", []byte(row))); f == nil || f.Kind != hub.Invalid || f.MessageZh == "" {
			t.Errorf("%s: %v", row, f)
		}
	}
}

func TestAReferenceDoesNotLeaveTheFolder(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secret.json"), `{"type": "object"}`)
	if err := os.Symlink("../secret.json", filepath.Join(inner, "link.json")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(inner, "a.json"), `{"$ref": "link.json"}`)
	if err := open(t).Add("brand", filepath.Join(inner, "a.json")); err == nil {
		t.Error("a symbolic link led out of the folder")
	}
}

func TestAPatternThatBacktracksForeverIsCutOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	write(t, file, `{"type":"string","pattern":"^(?!x)(a+)+$"}`)
	reg := open(t)
	if err := reg.Add("brand", file); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := reg.Validate("brand", []byte(`"`+strings.Repeat("a", 60)+`!"`)); err == nil {
		t.Error("accepted")
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerdictLinesWordAnyError(t *testing.T) {
	two := hub.Faults{
		{Code: "a.b", Message: "one", MessageZh: "一", Hint: "do this", HintZh: "这样做", Where: hub.Where{File: "x.xml", Line: 2, Column: 3, Pointer: "/a"}},
		{Code: "c.d", Message: "two\nlines", Err: errors.New("cause")},
	}
	for _, c := range []struct {
		err  error
		o    schemas.ReportOptions
		want []string
	}{
		{nil, schemas.ReportOptions{}, []string{"valid x.xml"}},
		{two, schemas.ReportOptions{}, []string{"invalid x.xml: a.b: line 2:3 /a: one (do this) [1 more: see --all]"}},
		{two, schemas.ReportOptions{Lang: "zh"}, []string{"invalid x.xml: a.b: 第 2 行第 3 列 /a: 一 (这样做) [另有 1 处，用 --all 查看]"}},
		{two, schemas.ReportOptions{All: true}, []string{"invalid x.xml: a.b: line 2:3 /a: one (do this)", "invalid x.xml: c.d: two lines: cause"}},
		{two[0], schemas.ReportOptions{}, []string{"invalid x.xml: a.b: line 2:3 /a: one (do this)"}},
		{errors.New("broken"), schemas.ReportOptions{}, []string{"invalid x.xml: internal: internal error: broken"}},
	} {
		if diff := cmp.Diff(c.want, schemas.VerdictLines("x.xml", c.err, c.o)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
