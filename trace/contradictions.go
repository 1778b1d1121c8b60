package trace

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Contradiction is a place where what was stated cannot all be so. The hub keeps every statement and says so.
type Contradiction struct {
	// Code is stable: "order.steps", "scan.before-delivery", "certificate.before-event", "alias.ambiguous",
	// "attribute.differs", "time.future", "inside.two".
	Code string
	// Message and MessageZh say it to a shopper.
	Message   string
	MessageZh string
	// Events are the sequence numbers of the events concerned, Providers who stated them.
	Events    []hub.Seq
	Providers []hub.ProviderID
}

// rule finds contradictions of one kind, about as many as are told.
type rule func(tr *Trace) []Contradiction

// maxContradictions is how many are told of one trace. Each pair of steps can be one: a thousand steps of one order, told
// backwards, were a quarter of a million.
const maxContradictions = 100

func contradictions(tr *Trace, ambiguous []Stated) []Contradiction {
	var out []Contradiction
	for _, r := range []rule{stepOrder, scanBeforeDelivery, certificateBeforeEvent, attributesDiffer, insideTwo, inFuture} {
		out = append(out, r(tr)...)
	}
	out = out[:min(len(out), maxContradictions)]
	if len(ambiguous) > 0 {
		c := Contradiction{
			Code: "alias.ambiguous", Message: "more than one party claims this code for different items",
			MessageZh: "不同主体对该追溯码的归属说法不一",
		}
		for _, s := range ambiguous {
			c.Providers = append(c.Providers, s.Provider)
		}
		out = append(out, c)
	}
	return out
}

// Scanning is the business step of a consumer's scan, as the sample's retailer states it.
const Scanning = "https://suyuan.dev/ns/BizStep-consumer_scanning"

// stage is where a CBV business step stands within the fulfilment of one order; 0 for steps without a fixed place.
func stage(bizStep string) int {
	switch bizStep {
	case "reserving":
		return 1
	case "picking", "unpacking":
		return 2
	case "packing":
		return 3
	case "loading", "staging_outbound":
		return 4
	case "shipping", "departing":
		return 5
	case "transporting":
		return 6
	case "arriving":
		return 7
	case "accepting", "receiving", "retail_selling":
		return 8
	}
	return 0
}

// stepOrder flags steps of one business transaction whose times contradict their order: shipped before packed.
func stepOrder(tr *Trace) []Contradiction {
	var out []Contradiction
	for _, group := range byTransaction(tr.Steps) {
		for i, a := range group {
			for _, b := range group[i+1:] {
				if a.stage <= b.stage {
					continue
				}
				if len(out) == maxContradictions {
					return out
				}
				out = append(out, between("order.steps", a.Step, b.Step,
					fmt.Sprintf("%s is stated at %s, before %s at %s", a.Event.Facets.BizStep, clock(a.Step), b.Event.Facets.BizStep, clock(b.Step)),
					fmt.Sprintf("%s（%s）早于%s（%s）", stepZh(a.Step), clock(a.Step), stepZh(b.Step), clock(b.Step))))
			}
		}
	}
	return out
}

// staged is a step with its stage.
type staged struct {
	Step

	stage int
}

// byTransaction groups steps that have a stage and name the same business transaction, each once and in the order of time.
func byTransaction(steps []Step) [][]*staged {
	groups := map[string][]*staged{}
	var order []string
	for _, s := range steps {
		one := &staged{s, stage(s.Event.Facets.BizStep)}
		if one.stage == 0 {
			continue
		}
		for _, tx := range s.View.Transactions {
			group := groups[tx.Value]
			if group == nil {
				order = append(order, tx.Value)
			}
			if len(group) == 0 || group[len(group)-1] != one {
				groups[tx.Value] = append(group, one)
			}
		}
	}
	out := make([][]*staged, len(order))
	for i, tx := range order {
		out[i] = groups[tx]
	}
	return out
}

// scanBeforeDelivery flags a consumer's scan before the delivery that brought the item.
func scanBeforeDelivery(tr *Trace) []Contradiction {
	var out []Contradiction
	for _, scan := range tr.Steps {
		if scan.Event.Facets.BizStep != Scanning {
			continue
		}
		if i := slices.IndexFunc(tr.Steps, func(s Step) bool {
			return stage(s.Event.Facets.BizStep) == 8 && s.Event.Facets.Disposition == "retail_sold" &&
				s.Event.Facets.EventTime.After(scan.Event.Facets.EventTime)
		}); i >= 0 {
			got := tr.Steps[i]
			out = append(out, between("scan.before-delivery", scan, got,
				fmt.Sprintf("a consumer scanned the code at %s, before the delivery was signed for at %s", clock(scan), clock(got)),
				fmt.Sprintf("消费者扫码（%s）早于签收（%s）", clock(scan), clock(got))))
		}
	}
	return out
}

// certificateBeforeEvent flags a certificate that is dated before an event that it covers.
func certificateBeforeEvent(tr *Trace) []Contradiction {
	for _, s := range tr.Steps {
		at, err := time.Parse(time.RFC3339, s.View.Extensions["certificateDate"])
		if err != nil || len(tr.Steps) == 0 {
			continue
		}
		last := tr.Steps[len(tr.Steps)-1]
		if last.Event.Facets.EventTime.After(at) && last.Event.Seq != s.Event.Seq {
			date := at.Format("2006-01-02 15:04:05")
			return []Contradiction{between("certificate.before-event", s, last,
				fmt.Sprintf("the certificate is dated %s, before the last event that it covers at %s", date, clock(last)),
				fmt.Sprintf("证书日期（%s）早于其所覆盖的最后事件（%s）", date, clock(last)))}
		}
	}
	return nil
}

// attributesDiffer flags lot and dates that parties state differently about the same item.
func attributesDiffer(tr *Trace) []Contradiction {
	var out []Contradiction
	for _, name := range []string{"lotNumber", "itemExpirationDate", "productionDate", "bestBeforeDate"} {
		first := -1
		for i, s := range tr.Steps {
			v := s.View.Master[name]
			if v == "" || s.Relation != Direct {
				continue
			}
			if first < 0 {
				first = i
				continue
			}
			if was := tr.Steps[first].View.Master[name]; was != v {
				out = append(out, between("attribute.differs", tr.Steps[first], s,
					fmt.Sprintf("%s is stated as %.100s and as %.100s", name, was, v),
					fmt.Sprintf("%s 存在不同说法：%.100s 与 %.100s", name, was, v)))
			}
		}
	}
	return out
}

// insideTwo flags an item that is put into a second container without having left the first.
func insideTwo(tr *Trace) []Contradiction {
	var out []Contradiction
	in := map[string]Step{}
	for _, s := range tr.Steps {
		parent := parentOf(s.Event)
		if empties(s.Event) {
			delete(in, parent)
		}
		if parent == "" || s.Event.Facets.Type != "AggregationEvent" || !isChild(s.Event, tr.ID) {
			continue
		}
		switch s.Event.Facets.Action {
		case "ADD":
			for other, was := range in {
				if other != parent && len(out) < maxContradictions {
					out = append(out, between("inside.two", was, s,
						"the item is packed into a second container without having left the first",
						"商品未离开前一容器即被装入另一容器"))
				}
			}
			in[parent] = s
		case "DELETE":
			delete(in, parent)
		}
	}
	return out
}

// inFuture flags an event that is stated to happen after the hub recorded it.
func inFuture(tr *Trace) []Contradiction {
	const tolerance = 10 * time.Minute
	var out []Contradiction
	for _, s := range tr.Steps {
		if s.Event.Facets.EventTime.After(s.Event.RecordedAt.Add(tolerance)) {
			out = append(out, Contradiction{
				Code: "time.future", Events: []hub.Seq{s.Event.Seq}, Providers: []hub.ProviderID{s.Event.Leaf.Provider},
				Message:   fmt.Sprintf("the event is dated %s, after it was recorded", clock(s)),
				MessageZh: fmt.Sprintf("事件时间（%s）晚于其登记时间", clock(s)),
			})
		}
	}
	return out
}

func between(code string, a, b Step, en, zh string) Contradiction {
	c := Contradiction{Code: code, Message: en, MessageZh: zh, Events: []hub.Seq{a.Event.Seq, b.Event.Seq}}
	c.Providers = []hub.ProviderID{a.Event.Leaf.Provider, b.Event.Leaf.Provider}
	slices.SortFunc(c.Providers, cmp.Compare)
	c.Providers = slices.Compact(c.Providers)
	return c
}

// clock renders a step's event time in its own offset, as its provider stated it.
func clock(s Step) string { return LocalTime(s.Event.Facets.EventTime, s.View.EventTimeZoneOffset) }

// LocalTime renders a time to the second in the given offset ("+08:00"), or in UTC when the offset is not one.
func LocalTime(t time.Time, offset string) string {
	if z, err := time.Parse("-07:00", offset); err == nil {
		_, seconds := z.Zone()
		t = t.In(time.FixedZone("", seconds))
	} else {
		t = t.UTC()
	}
	return t.Format("2006-01-02 15:04:05")
}

// stepZh is the Chinese word for a business step, or the step itself.
func stepZh(s Step) string {
	if zh := StepNames(s.Event.Facets.BizStep).Zh; zh != "" {
		return zh
	}
	return s.Event.Facets.BizStep
}
