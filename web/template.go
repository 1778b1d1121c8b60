package web

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

//go:embed pages/*.yaml
var builtIn embed.FS

// Text is a text in both languages.
type Text struct {
	Zh string `yaml:"zh,required"`
	En string `yaml:"en,required"`
}

// In returns the text in a language, "zh" or "en".
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.En
	}
	return t.Zh
}

// Template says what a page publishes. What no field or step names is not shown.
type Template struct {
	// Category selects the template by the product's attribute "category"; empty is the one for everything else.
	Category string  `yaml:"category"`
	Blocks   []Block `yaml:"blocks,required"`
	// Journey lists the business steps that the journey shows, bare CBV words or URIs; empty shows all.
	Journey []string `yaml:"journey"`
}

// Block is a group of fields under a title.
type Block struct {
	ID     string  `yaml:"id,required"`
	Title  Text    `yaml:"title,required"`
	Fields []Field `yaml:"fields,required"`
}

// Field is one line of a block. Exactly one of Code, Scan, Anchor, Product, Place and Event is set.
type Field struct {
	Label Text `yaml:"label,required"`
	// Code shows the code that was asked for.
	Code bool `yaml:"code"`
	// Scan is "first" (when the code was first looked up) or "count".
	Scan string `yaml:"scan" enum:"first,count"`
	// Anchor is "id" (what the certificate commits to) or "date" (when the ledger took it).
	Anchor string `yaml:"anchor" enum:"id,date"`
	// Product names an attribute of the product.
	Product string `yaml:"product"`
	// Event selects a step, and Show what is shown of it: "time" (the default), "date", "place", "address", or the name
	// of an attribute that the event states (ilmd or extension).
	Event *Selector `yaml:"event"`
	Show  string    `yaml:"show"`
	// Format is "country" for an ISO 3166 code, "time" for an RFC 3339 text.
	Format string `yaml:"format" enum:"country,time"`
}

// Selector selects one step of a journey.
type Selector struct {
	// BizStep is a bare CBV word or a URI.
	BizStep string `yaml:"bizStep,required"`
	// Which of several: "last" (the default) or "first".
	Which string `yaml:"which" enum:"first,last"`
}

// Check implements [strictyaml.Checker].
func (f *Field) Check(at strictyaml.Locator) hub.Faults {
	n := 0
	for _, set := range []bool{f.Code, f.Scan != "", f.Anchor != "", f.Product != "", f.Event != nil} {
		if set {
			n++
		}
	}
	if n == 1 {
		return nil
	}
	return hub.Faults{hub.Faultf(hub.Invalid, "page.field", "a field needs exactly one of code, scan, anchor, product and event").
		At(at(""))}
}

// LoadTemplates reads every page template in fsys, or the built-in ones when fsys is nil. Every fault is reported.
func LoadTemplates(fsys fs.FS) ([]Template, error) {
	if fsys == nil {
		sub, err := fs.Sub(builtIn, "pages")
		if err != nil {
			return nil, fmt.Errorf("open built-in pages: %w", err)
		}
		fsys = sub
	}
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	var out []Template
	var faults hub.Faults
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read page: %w", err)
		}
		var t Template
		faults = append(faults, strictyaml.Decode(path.Clean(name), data, &t, strictyaml.Options{})...)
		out = append(out, t)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(out, func(t Template) bool { return t.Category == "" }) {
		return nil, hub.Faultf(hub.Invalid, "page.default", "no page template is without a category").
			WithHint("one template without category: shows every product that no other one names")
	}
	return out, nil
}

// templateFor chooses the template of a category.
func templateFor(all []Template, category string) *Template {
	best := 0
	for i := range all {
		if strings.EqualFold(all[i].Category, category) {
			return &all[i]
		}
		if all[i].Category == "" {
			best = i
		}
	}
	return &all[best]
}
