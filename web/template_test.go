package web_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/web"
)

// plain is a template that loads.
const plain = `blocks:
  - id: query
    title: { zh: 查询, en: Query }
    fields:
      - { label: { zh: 编码, en: Code }, code: true }
`

func TestTheBuiltInTemplatesLoad(t *testing.T) {
	templates, err := web.LoadTemplates(nil)
	if err != nil || len(templates) < 2 {
		t.Fatalf("%d templates, %v", len(templates), err)
	}
}

func TestWhatIsWrongWithATemplateIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, new, code, place string }{
		"unknown key":              {"code: true", "cod: true", "yaml.unknown-key", "p.yaml:5:40"},
		"no title in one language": {"title: { zh: 查询, en: Query }", "title: { zh: 查询 }", "", "p.yaml:3"},
		"nothing to show":          {", code: true", "", "page.field", "p.yaml:5"},
		"two things to show":       {"code: true", "code: true, product: name", "page.field", "p.yaml:5"},
		"unknown choice":           {"code: true", "scan: last", "", "p.yaml:5"},
		"unknown format":           {"code: true", "product: name, format: money", "", "p.yaml:5"},
		"wrong type":               {"code: true", "code: perhaps", "yaml.type", "p.yaml:5"},
		"no blocks":                {plain, "category: tea\n", "", "p.yaml"},
		"no YAML":                  {plain, "blocks: [", "", "p.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(plain, c.old, c.new, 1)
			_, err := web.LoadTemplates(fstest.MapFS{"p.yaml": {Data: []byte(text)}})
			var faults hub.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("%v", err)
			}
			if !slices.ContainsFunc(faults, func(f *hub.Fault) bool {
				return (c.code == "" || f.Code == c.code) && strings.HasPrefix(f.Where.String(), c.place)
			}) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Every file's faults are reported in one go.
func TestTheFaultsOfAllTemplatesAreReportedAtOnce(t *testing.T) {
	bad := strings.Replace(plain, "code: true", "cod: true", 1)
	_, err := web.LoadTemplates(fstest.MapFS{"a.yaml": {Data: []byte(bad)}, "b.yaml": {Data: []byte(bad)}})
	var faults hub.Faults
	if !errors.As(err, &faults) || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("%v", err)
	}
}

func TestOneTemplateMustBeForEverythingElse(t *testing.T) {
	_, err := web.LoadTemplates(fstest.MapFS{"tea.yaml": {Data: []byte("category: tea\n" + plain)}})
	if f := hub.AsFault(err); err == nil || f.Code != "page.default" || f.Hint == "" {
		t.Errorf("%v", err)
	}
	if _, err := web.LoadTemplates(fstest.MapFS{"tea.yaml": {Data: []byte("category: tea\n" + plain)}, "all.yaml": {Data: []byte(plain)}}); err != nil {
		t.Error(err)
	}
}
