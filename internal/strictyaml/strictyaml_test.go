package strictyaml_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

type config struct {
	ID     string                     `yaml:"id,required"`
	Mode   string                     `yaml:"mode" enum:"fast,careful"`
	Wait   time.Duration              `yaml:"wait"`
	Zone   *time.Location             `yaml:"timeZone"`
	Size   strictyaml.Size            `yaml:"size"`
	Rate   strictyaml.Rate            `yaml:"rate"`
	Count  int                        `yaml:"count" min:"1" max:"9"`
	Factor float64                    `yaml:"factor"`
	On     bool                       `yaml:"on"`
	Paths  []string                   `yaml:"paths"`
	Labels map[string]string          `yaml:"labels"`
	Auth   *auth                      `yaml:"auth"`
	Keys   []strictyaml.Secret        `yaml:"keys"`
	Source strictyaml.Choice          `yaml:"source"`
	Named  map[string]strictyaml.Size `yaml:"named"`
}

type auth struct {
	User string            `yaml:"user,required"`
	Key  strictyaml.Secret `yaml:"key"`
}

func (a *auth) Check(at strictyaml.Locator) hub.Faults {
	if a.User == "root" {
		f := &hub.Fault{Kind: hub.Invalid, Code: "auth.root", Message: "root must not log in", MessageZh: "root 不得登录"}
		return hub.Faults{f.At(at("user"))}
	}
	return nil
}

func lookup(scheme, name string) (string, error) {
	if name == "missing" {
		return "", errors.New("not set")
	}
	return "value of " + scheme + " " + name, nil
}

func decode(text string) (config, hub.Faults) {
	c := config{Wait: time.Minute, Mode: "fast"}
	faults := strictyaml.Decode("hub.yaml", []byte(text), &c, strictyaml.Options{Lookup: lookup})
	return c, faults
}

func TestDecodeEveryType(t *testing.T) {
	c, faults := decode(`# 中文 comment
id: 启赋-${env:ONE}
wait: 1m30s
timeZone: Asia/Shanghai
size: 2MiB
rate: 60/m
count: 3
factor: 1.5
on: true
paths: ["/in/*.csv", b]
labels: {a: x, b: y}
auth: { user: hub, key: ${file:/run/secrets/a,b[1]} }
keys:
  - ${env:ONE}
  - "${env:TWO}"
named: {a: 1KiB}
source:
  file:
    id: inner
    count: 4
`)
	if faults != nil {
		t.Fatal(faults)
	}
	if c.ID != "启赋-value of env ONE" || c.Wait != 90*time.Second || c.Zone.String() != "Asia/Shanghai" || c.Size != 2<<20 ||
		c.Rate.PerSecond != 1 || c.Count != 3 || c.Factor != 1.5 || !c.On || c.Mode != "fast" || c.Named["a"] != 1024 {
		t.Errorf("got %+v", c)
	}
	if diff := cmp.Diff([]string{"/in/*.csv", "b"}, c.Paths); diff != "" {
		t.Error(diff)
	}
	if got := c.Auth.Key.Reveal(); got != "value of file /run/secrets/a,b[1]" {
		t.Errorf("key = %q", got)
	}
	if got := c.Keys[1].Reveal(); got != "value of env TWO" {
		t.Errorf("keys[1] = %q", got)
	}
	inner := config{}
	if faults := c.Source.Decode(&inner); faults != nil || inner.Count != 4 || c.Source.Key != "file" {
		t.Errorf("source = %+v, %v", inner, faults)
	}
}

func TestFaultsAreAllReportedWithPlaceAndHint(t *testing.T) {
	_, faults := decode(`idd: a
mode: fats
wait: 5
size: big
count: 12
on: "yes"
auth:
  user: root
  kee: 1
keys: [literal, "${env:missing}", "${vault:x}"]
labels: [1]
paths: {a: 1}
rate: 5
on: true
source: {a: 1, b: 2}
`)
	want := []string{
		`hub.yaml:1:1: unknown key "idd" (did you mean "id"?)`,
		`hub.yaml:1:1: key "id" is missing (add  id:  with a text)`,
		`hub.yaml:2:7: unknown value "fats" (did you mean "fast"?)`,
		`hub.yaml:3:7: found "5" where a duration such as "30s", "5m" or "2h" is expected`,
		`hub.yaml:4:7: found "big" where a size such as "512KiB" or "1MiB" is expected`,
		`hub.yaml:5:8: 12 is out of range, at most 9 is allowed`,
		`hub.yaml:6:5: found "yes" where true or false is expected`,
		`hub.yaml:8:9: root must not log in`,
		`hub.yaml:9:3: unknown key "kee" (did you mean "key"?)`,
		`hub.yaml:10:8: a secret must not stand in the file (write a reference: ${env:NAME} or ${file:PATH})`,
		`hub.yaml:10:17: cannot resolve ${env:missing}: not set (set it where the hub runs)`,
		`hub.yaml:10:35: unknown secret scheme "vault" (allowed: env, file)`,
		`hub.yaml:11:9: found a list where a mapping of keys is expected`,
		`hub.yaml:12:8: found a mapping where a text is expected`,
		`hub.yaml:13:7: found "5" where a rate such as "500/s" or "60/m" is expected`,
		`hub.yaml:14:1: key "on" stands here again, first on line 6`,
		`hub.yaml:15:9: found 2 keys (a, b) where exactly one is expected (keep one of them; the settings of that one are indented below it)`,
	}
	if diff := cmp.Diff(want, strings.Split(faults.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	for _, f := range faults {
		if f.MessageZh == "" {
			t.Errorf("%s: no Chinese message", f)
		}
	}
}

// files are settings that several kinds have in common.
type files struct {
	Paths []string `yaml:"paths,required"`
	Order string   `yaml:"order" enum:"name,mtime"`
}

func (f *files) Check(at strictyaml.Locator) hub.Faults {
	if len(f.Paths) == 0 {
		return hub.Faults{(&hub.Fault{Kind: hub.Invalid, Code: "files.none", Message: "paths is empty"}).At(at("paths"))}
	}
	return nil
}

func TestEmbeddedFieldsAreTheStructsOwn(t *testing.T) {
	type kind struct {
		Address string `yaml:"address"`
		files   `yaml:",inline"`
	}
	read := func(text string) (kind, hub.Faults) {
		k := kind{files: files{Order: "name"}}
		return k, strictyaml.Decode("hub.yaml", []byte(text), &k, strictyaml.Options{})
	}
	k, faults := read("address: a\npaths: [b]\n")
	if want := (kind{"a", files{[]string{"b"}, "name"}}); len(faults) > 0 || !cmp.Equal(k, want, cmp.AllowUnexported(kind{})) {
		t.Errorf("decoded %+v, %v", k, faults)
	}
	for text, want := range map[string]string{
		"address: a\n":                          `hub.yaml:1:1: key "paths" is missing`,
		"address: a\npaths: [b]\norder: size\n": `hub.yaml:3:8: unknown value "size"`,
		"address: a\npaths: []\n":               "hub.yaml:2:8: paths is empty",
		"address: a\npath: [b]\npaths: [b]\n":   `hub.yaml:2:1: unknown key "path" (did you mean "paths"?)`,
	} {
		if _, faults := read(text); !strings.Contains(faults.Error(), want) {
			t.Errorf("%q: %v, want %s", text, faults, want)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"syntax":          {"id: [", `hub.yaml:1:5: not valid YAML`},
		"anchor":          {"id: &a x\n", "anchors, aliases and tags are not allowed"},
		"tag":             {"id: !!str x\n", "anchors, aliases and tags are not allowed"},
		"merge":           {"id: x\n<<: {a: 1}\n", "hub.yaml:2:1: a key must be a plain word"},
		"two documents":   {"id: a\n---\nid: b\n", "hub.yaml:3:1: a second document"},
		"not UTF-8":       {"id: \xff\n", "hub.yaml:1:5: byte 0xff is no UTF-8 text"},
		"deep flow":       {"id: " + strings.Repeat("[", 10000), "nested deeper"},
		"deep sequence":   {strings.Repeat("- ", 10000), "nested deeper"},
		"too large":       {"id: " + strings.Repeat("x", 300<<10), "at most"},
		"list at the top": {"- a\n", "found a list where a mapping of keys is expected"},
		"empty value":     {"id:\n", `hub.yaml:1:1: key "id" has no value`},
		"empty file":      {"", `hub.yaml:1:1: key "id" is missing`},
		"nested check":    {"id: a\nauth:\n  user: root\n", "hub.yaml:3:9: root must not log in"},
		"reference":       {"id: a${file:X}\n", "is a secret, but this value is none"},
		"missing nested":  {"id: a\nauth: {}\n", `hub.yaml:2:1: key "user" is missing`},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := decode(tc.text)
			if len(faults) == 0 || !strings.Contains(faults.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", faults, tc.want)
			}
		})
	}
}

func TestSecretIsRedactedEverywhere(t *testing.T) {
	s := strictyaml.NewSecret("${env:X}", "hunter2")
	type outer struct {
		Exported strictyaml.Secret
		hidden   strictyaml.Secret
	}
	o := outer{s, s}
	js, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(js), s.String(), fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", &o), fmt.Sprintf("%q %x %d", s, s, s),
		fmt.Sprintf("%v", []any{s, &s, o.hidden}),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("the secret shows in %s", text)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Error("Reveal does not give the value")
	}
}

func TestChoiceSourceKeepsPlaces(t *testing.T) {
	for name, text := range map[string]string{
		"block":  "id: a\nsource:\n  csv:\n    count: 3\n    # c\n    on: maybe\nmode: fast\n",
		"flow":   "id: a\nsource: { csv: { count: 3, 启: 1,\n    on: maybe } }\nmode: fast\n",
		"inline": "id: a\nmode: fast\nsource: {csv: {on: maybe}}",
	} {
		t.Run(name, func(t *testing.T) {
			c, faults := decode(text)
			if faults != nil {
				t.Fatal(faults)
			}
			var direct, viaSource config
			want := c.Source.Decode(&direct)
			got := strictyaml.Decode("hub.yaml", c.Source.Source(), &viaSource, strictyaml.Options{})
			if diff := cmp.Diff(want[len(want)-1].Error(), got[len(got)-1].Error()); diff != "" {
				t.Errorf("%s\nsource:\n%s", diff, c.Source.Source())
			}
		})
	}
	c, faults := decode("id: a\nsource: json\n")
	if faults != nil || c.Source.Key != "json" || c.Source.Source() != nil {
		t.Errorf("short form: %+v %v", c.Source, faults)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("id: a\nsource: {csv: {on: true}}\nauth: {user: u, key: ${env:X}}\n")
	f.Add("id: &a [*a]\n? x\n: y\n--- \n")
	f.Add("paths:\n  - |\n    a\n  -\nlabels: {a: , b}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, faults := decode(text)
		for _, x := range faults {
			if x.Message == "" || x.Where.Line < 1 {
				t.Errorf("a fault without text or place: %#v", x)
			}
		}
		c.Source.Source()
		var again config
		for _, x := range c.Source.Decode(&again) {
			if x.Message == "" || x.Where.Line < 1 {
				t.Errorf("a fault without text or place: %#v", x)
			}
		}
	})
}
