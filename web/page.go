package web

import (
	"bytes"
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// page is everything that the HTML shows.
type page struct {
	Lang           string
	Other          string // the other language
	Code           string
	ID             string
	Name           string
	Genuine        string // who assigned the code, "" when nobody did
	ManyScans      bool
	Blocks         []pageBlock
	Journey        []pageStep
	Contradictions []string
	Receipts       []pageReceipt
	Pending        int
	Truncated      bool
	Key            string
}

type pageBlock struct {
	ID      string
	Title   string
	Fields  []pageField
	Sources []string
}

// pageField is one line. Seq and Path bind it to the recorded event that it was read from, so that the page can compare
// what is shown with what is proved; Seq is -1 for what is no event.
type pageField struct {
	Label string
	Value string
	Seq   int64
	Path  string
	// Alert says that a contradiction names the event.
	Alert bool
}

type pageStep struct {
	Seq      int64
	Name     string
	Time     string
	Place    string
	Provider string
	Via      string
	Alert    bool
	Proved   bool
}

type pageReceipt struct {
	Seq  int64
	Text string
}

// certificate is the newest commitment among the receipts of a page.
type certificate struct {
	id string
	at time.Time
}

// builder makes a page of a trace.
type builder struct {
	tr    *trace.Trace
	tmpl  *Template
	lang  string
	cert  certificate
	alert map[hub.Seq]bool
}

func newBuilder(tr *trace.Trace, tmpl *Template, lang string, cert certificate) *builder {
	b := &builder{tr: tr, tmpl: tmpl, lang: lang, cert: cert, alert: map[hub.Seq]bool{}}
	for _, c := range tr.Contradictions {
		for _, seq := range c.Events {
			b.alert[seq] = true
		}
	}
	return b
}

// manyScans is how many openings of one page make a copied code likely enough to say so.
const manyScans = 20

func (b *builder) build() page {
	p := page{
		Lang: b.lang, Other: other(b.lang), Code: b.tr.Code, ID: b.tr.ID, Name: b.product("name").Value, Truncated: b.tr.Truncated,
		ManyScans: b.scanCount() > manyScans,
	}
	if p.Name == "" {
		p.Name = b.tr.Code
	}
	if s, ok := b.step(&Selector{BizStep: "commissioning", Which: "first"}); ok {
		p.Genuine = b.party(s.Event.Leaf.Provider)
	}
	for _, bl := range b.tmpl.Blocks {
		if pb := b.block(bl); len(pb.Fields) > 0 {
			p.Blocks = append(p.Blocks, pb)
		}
	}
	for _, s := range publishedSteps(b.tr, b.tmpl) {
		p.Journey = append(p.Journey, b.journeyStep(s))
	}
	for _, c := range b.tr.Contradictions {
		p.Contradictions = append(p.Contradictions, Text{Zh: c.MessageZh, En: c.Message}.In(b.lang))
	}
	return p
}

// fieldSeqs lists the events that the blocks of the page show something of.
func (p *page) fieldSeqs() []hub.Seq {
	var out []hub.Seq
	for _, bl := range p.Blocks {
		for _, f := range bl.Fields {
			if f.Seq >= 0 && f.Path != "" {
				out = append(out, hub.Seq(f.Seq))
			}
		}
	}
	return out
}

// publishedSteps lists the steps that a template shows in the journey.
func publishedSteps(tr *trace.Trace, tmpl *Template) []trace.Step {
	var out []trace.Step
	for _, s := range tr.Steps {
		if len(tmpl.Journey) == 0 || slices.Contains(tmpl.Journey, s.Event.Facets.BizStep) {
			out = append(out, s)
		}
	}
	return out
}

func (b *builder) block(bl Block) pageBlock {
	out := pageBlock{ID: bl.ID, Title: bl.Title.In(b.lang)}
	var providers []hub.ProviderID
	for i := range bl.Fields {
		f, provider := b.field(&bl.Fields[i])
		if f.Value == "" {
			continue
		}
		out.Fields = append(out.Fields, f)
		if provider != "" && !slices.Contains(providers, provider) {
			providers = append(providers, provider)
		}
	}
	for _, p := range providers {
		out.Sources = append(out.Sources, b.party(p))
	}
	return out
}

func (b *builder) field(f *Field) (pageField, hub.ProviderID) {
	out := pageField{Label: f.Label.In(b.lang), Seq: -1}
	var provider hub.ProviderID
	switch {
	case f.Code:
		out.Value = b.tr.Code
		return out, b.bindItem(&out, "/21/"+url.PathEscape(out.Value), "item/serial")
	case f.Scan == "first":
		out.Value, provider, out.Seq = b.firstScan()
	case f.Scan == "count":
		out.Value = strconv.FormatUint(b.scanCount(), 10)
	case f.Anchor == "id":
		out.Value = b.cert.id
	case f.Anchor == "date":
		if !b.cert.at.IsZero() {
			out.Value = b.own(b.cert.at)
		}
	case f.Product != "":
		st := b.product(f.Product)
		out.Value, provider = b.format(f, st.Value), st.Provider
		if f.Product == "gtin" {
			b.bindItem(&out, out.Value+"/21/", "item/gtin")
		}
		return out, provider
	case f.Event != nil:
		return b.eventField(f, out)
	}
	if out.Seq >= 0 {
		out.Path = "eventTime"
		out.Alert = b.alert[hub.Seq(out.Seq)]
	}
	return out, provider
}

// bindItem binds a field that is a part of the item's identity to the event that assigned it, and returns who did.
func (b *builder) bindItem(f *pageField, part, path string) hub.ProviderID {
	s, ok := b.step(&Selector{BizStep: "commissioning", Which: "first"})
	if !ok || f.Value == "" || !strings.Contains(b.tr.ID, part) || !bytes.Contains(s.Event.Body, []byte(`"`+b.tr.ID+`"`)) {
		return ""
	}
	f.Seq, f.Path = int64(s.Event.Seq), path
	return s.Event.Leaf.Provider
}

func (b *builder) eventField(f *Field, out pageField) (pageField, hub.ProviderID) {
	s, ok := b.step(f.Event)
	if !ok {
		return out, ""
	}
	out.Seq, out.Alert = int64(s.Event.Seq), b.alert[s.Event.Seq]
	local := trace.LocalTime(s.Event.Facets.EventTime, s.View.EventTimeZoneOffset)
	place := b.tr.Places[s.Event.Facets.ReadPoint]
	switch f.Show {
	case "", "time":
		out.Value, out.Path = local, "eventTime"
	case "date":
		out.Value, out.Path = local[:len("2006-01-02")], "eventDate"
	case "place":
		out.Value = b.attribute(place, "name").Value
	case "address":
		out.Value = b.attribute(place, "address").Value
	default:
		if v, ok := s.View.Master[f.Show]; ok {
			out.Value, out.Path = v, "ilmd/"+f.Show
		} else {
			out.Value, out.Path = s.View.Extensions[f.Show], f.Show
		}
		switch f.Format {
		case "time":
			out.Path += "|time"
		case "country":
			out.Path = "" // a name that the event does not state
		}
		out.Value = b.format(f, out.Value)
	}
	return out, s.Event.Leaf.Provider
}

// step finds the step that a selector means. A step that was cancelled by an error declaration is not shown.
func (b *builder) step(sel *Selector) (trace.Step, bool) {
	var found trace.Step
	ok := false
	for _, s := range b.tr.Steps {
		if s.Event.Facets.BizStep != sel.BizStep || s.View.Declaration {
			continue
		}
		found, ok = s, true
		if sel.Which == "first" {
			break
		}
	}
	return found, ok
}

func (b *builder) product(name string) trace.Stated { return b.attribute(b.tr.Product, name) }

// attribute returns an attribute in the page's language, in any language, or without one.
func (b *builder) attribute(a trace.Attributes, name string) trace.Stated {
	for _, n := range []string{name + "@" + b.lang, name, name + "@" + other(b.lang)} {
		if st := a.First(n); st.Value != "" {
			return st
		}
	}
	return trace.Stated{}
}

func (b *builder) party(id hub.ProviderID) string {
	if v := b.attribute(b.tr.Parties[string(id)], "name").Value; v != "" {
		return v
	}
	return string(id)
}

func (b *builder) format(f *Field, v string) string {
	switch f.Format {
	case "country":
		return country(v, b.lang)
	case "time":
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.Format("2006-01-02 15:04:05")
		}
	}
	return v
}

// firstScan is the earliest of what a party stated and of what this hub's own page saw.
func (b *builder) firstScan() (string, hub.ProviderID, int64) {
	if s, ok := b.step(&Selector{BizStep: trace.Scanning, Which: "first"}); ok &&
		(b.tr.Scans.FirstAt.IsZero() || s.Event.Facets.EventTime.Before(b.tr.Scans.FirstAt)) {
		return trace.LocalTime(s.Event.Facets.EventTime, s.View.EventTimeZoneOffset), s.Event.Leaf.Provider, int64(s.Event.Seq)
	}
	if b.tr.Scans.FirstAt.IsZero() {
		return "", "", -1
	}
	return b.own(b.tr.Scans.FirstAt), "", -1
}

// scanCount adds what parties stated to what this hub's own page counted.
func (b *builder) scanCount() uint64 {
	n := b.tr.Scans.Count
	for _, s := range b.tr.Steps {
		if s.Event.Facets.BizStep != trace.Scanning {
			continue
		}
		stated, err := strconv.ParseUint(s.View.Extensions["scanCount"], 10, 32)
		if err != nil {
			stated = 1
		}
		n += stated
	}
	return n
}

// own renders a time of the hub's own, with the offset, which nobody stated.
func (b *builder) own(t time.Time) string {
	return trace.LocalTime(t, b.zone()) + " " + cmp.Or(b.zone(), "UTC")
}

// zone is the offset in which times of the hub's own are shown: that of the last stated event.
func (b *builder) zone() string {
	if n := len(b.tr.Steps); n > 0 {
		return b.tr.Steps[n-1].View.EventTimeZoneOffset
	}
	return "+08:00"
}

func (b *builder) journeyStep(s trace.Step) pageStep {
	name := trace.StepNames(s.Event.Facets.BizStep)
	out := pageStep{
		Seq: int64(s.Event.Seq), Name: Text{Zh: name.Zh, En: name.En}.In(b.lang),
		Time:     trace.LocalTime(s.Event.Facets.EventTime, s.View.EventTimeZoneOffset),
		Place:    b.attribute(b.tr.Places[s.Event.Facets.ReadPoint], "name").Value,
		Provider: b.party(s.Event.Leaf.Provider), Alert: b.alert[s.Event.Seq],
	}
	if out.Name == "" {
		out.Name = s.Event.Facets.BizStep
	}
	if out.Name == "" {
		out.Name = s.Event.Facets.Type
	}
	if s.Relation != trace.Direct {
		out.Via = relation(s.Relation).In(b.lang)
	}
	return out
}

func relation(r trace.Relation) Text {
	switch r {
	case trace.Inside:
		return Text{Zh: "随外包装", En: "as part of its packaging"}
	case trace.Ingredient:
		return Text{Zh: "原料", En: "of an ingredient"}
	case trace.Lot:
		return Text{Zh: "同批次", En: "of its lot"}
	case trace.Direct, trace.Product, trace.Content:
	}
	return Text{}
}

func other(lang string) string {
	if lang == "en" {
		return "zh"
	}
	return "en"
}
