package schemas_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/schemas"
)

// sample is one third-party file and the verdict of the ratified schema on it.
type sample struct {
	name  string
	data  []byte
	valid bool
}

func samples(tb testing.TB) []sample {
	tb.Helper()
	dir := vectors.Path(tb, "epcis")
	raw, err := os.ReadFile(filepath.Join(dir, "index_dev.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var index []struct {
		File, Kind string
		Valid      *bool `json:"valid_2_0_1"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		tb.Fatal(err)
	}
	var list []sample
	for _, e := range index {
		if e.Kind != "json" || e.Valid == nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, sample{name: e.File, data: data, valid: *e.Valid})
	}
	if len(list) < 50 {
		tb.Fatalf("only %d samples with a verdict", len(list))
	}
	return list
}

// ratified compiles the ratified schema with the same formats as ours and an engine that knows (?!…).
func ratified(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	data, err := os.ReadFile(vectors.Path(tb, "epcis", "schema", "epcis-json-schema-2.0.1.json"))
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		if re, err := regexp.Compile(s); err == nil {
			return re, nil
		}
		re, err := regexp2.Compile(s, regexp2.ECMAScript)
		return lookahead{re}, err
	})
	for name, ok := range map[string]func(string) bool{"uri": schemas.IsURI, "date-time": schemas.IsDateTime} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, isString := v.(string); isString && !ok(s) {
				return os.ErrInvalid
			}
			return nil
		}})
	}
	const url = "https://ref.gs1.org/standards/epcis/2.0.1/epcis-json-schema.json"
	if err := c.AddResource(url, doc); err != nil {
		tb.Fatal(err)
	}
	return c.MustCompile(url)
}

type lookahead struct{ re *regexp2.Regexp }

func (l lookahead) MatchString(s string) bool {
	ok, err := l.re.MatchString(s)
	return err == nil && ok
}
func (l lookahead) String() string { return l.re.String() }

func TestVerdictsEqualTheRatifiedSchemaOnSamples(t *testing.T) {
	reg, official := open(t), ratified(t)
	valid, asked := 0, 0
	for _, s := range samples(t) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.TrimPrefix(s.data, []byte("\xef\xbb\xbf"))))
		if err != nil {
			t.Fatal(err)
		}
		if got := official.Validate(doc) == nil; got != s.valid {
			t.Errorf("%s: the ratified schema as compiled here says %v, the index %v", s.name, got, s.valid)
		}
		got := reg.ValidateDocument(s.data)
		if (got == nil) != s.valid {
			t.Errorf("%s: valid is %v, want %v: %v", s.name, got == nil, s.valid, got)
		}
		if s.valid {
			valid++
			if !reg.FastDocument(s.data) {
				asked++
				t.Logf("%s: valid, but the fast path asked the schema", s.name)
			}
		}
	}
	if asked*20 > valid {
		t.Errorf("the fast path asked the schema for %d of %d valid samples: it does not know the ordinary forms", asked, valid)
	}
}

// Every sample is changed in one or two places, many times over, and each change must get the same verdict from the
// ratified schema, from ours, and from the fast path wherever that dares one.
func TestVerdictsEqualTheRatifiedSchemaOnMutations(t *testing.T) {
	reg, official := open(t), ratified(t)
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("SUYUAN_MUTATIONS")); err == nil {
		rounds = n
	}
	total, invalid, fast := 0, 0, 0
	for i, s := range samples(t) {
		if len(s.data) > 60_000 {
			continue
		}
		for round := range rounds {
			r := rand.New(rand.NewPCG(uint64(i), uint64(round)))
			mutated := mutate(t, s.data, r)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(mutated))
			if err != nil {
				t.Fatal(err)
			}
			want := official.Validate(doc) == nil
			total++
			if !want {
				invalid++
			}
			if got := reg.ValidateDocument(mutated); (got == nil) != want {
				t.Fatalf("%s round %d: valid is %v, the ratified schema says %v: %v\n%s", s.name, round, got == nil, want, got, mutated)
			}
			if got := reg.SchemaDocument(mutated); got != want {
				t.Fatalf("%s round %d: our schema says %v, the ratified one %v\n%s", s.name, round, got, want, mutated)
			}
			if reg.FastDocument(mutated) {
				fast++
				if !want {
					t.Fatalf("%s round %d: the fast path accepts what the schema refuses\n%s", s.name, round, mutated)
				}
			}
		}
	}
	t.Logf("%d mutations, %d of them invalid, %d accepted by the fast path", total, invalid, fast)
	if invalid == 0 || fast == 0 {
		t.Error("the mutations prove nothing")
	}
}
