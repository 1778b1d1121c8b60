package epcis

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Query is a parsed SimpleEventQuery (EPCIS 2.0 section 8.2.7.1). Its exported fields are what a store can narrow by; an
// event belongs to the result when [Query.Matches] says so. Values of one field are alternatives, fields all apply. Every
// identifier is canonical, every vocabulary value a bare word where the CBV has one.
type Query struct {
	EventTypes []string
	// EventTime and RecordTime are half-open.
	EventTime, RecordTime Span
	Actions               []string
	BizSteps              []string
	Dispositions          []string
	ReadPoint             PlaceQuery
	BizLocation           PlaceQuery
	TransformationIDs     []string
	EventIDs              []string
	// Things are the MATCH_ parameters, all of which apply.
	Things []ThingQuery

	// OrderBy is "", "eventTime", "recordTime", or the name of an extension field. Ascending is false by default.
	OrderBy   string
	Ascending bool
	// EventCountLimit cuts the result, MaxEventCount refuses a larger one; 0 means neither.
	EventCountLimit, MaxEventCount int
	// PerPage and NextPageToken are those of the REST binding; 0 and "" when not stated.
	PerPage       int
	NextPageToken string

	// things are Things as they are matched.
	things []thingMatcher
	// rest are the conditions that only an event itself can answer.
	rest []condition
	ctx  *Context
}

// Span is a half-open range of time; a zero end is open.
type Span struct{ From, To time.Time }

// contains reports whether t lies in the span.
func (s Span) contains(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.To.IsZero() || t.Before(s.To))
}

func (s Span) isZero() bool { return s.From.IsZero() && s.To.IsZero() }

// PlaceQuery is EQ_ and WD_ for a place: the place is one of IDs, and it or one of its ancestors is one of Within.
type PlaceQuery struct{ IDs, Within []string }

// ThingQuery is one MATCH_ parameter: the event has a thing in one of the roles, at the stated level, that one of the
// patterns matches (see gs1.Match; gs1.PatternRanges says where to look).
type ThingQuery struct {
	Roles    []hub.Role
	Class    bool
	Patterns []string
}

// Setting is what a query has to know besides the event.
type Setting struct {
	RecordedAt time.Time
	// Within reports whether a place is ancestor itself or lies in it, by master data. Nil knows no master data.
	Within func(id, ancestor string) bool
}

// condition is one parameter that is tested against the event itself.
type condition struct {
	parameter string
	test      func(*Event) bool
}

// badParameter is the fault of a parameter: EPCIS calls it QueryParameterException.
func badParameter(name, code, en, zh string, args ...any) error {
	f := faultf(hub.Invalid, "epcis.query."+code, en, zh, args...)
	return f.At(hub.Where{Pointer: name})
}

// ParseQuery parses the parameters of a query as the REST binding has them in a URL. A parameter may stand several times,
// and several values may stand in one with '|' between them; words of vocabularies also with ','. ctx explains the
// prefixes of extension names; nil is the standard context. A fault's code begins with "epcis.query." and its pointer
// names the parameter.
func ParseQuery(values url.Values, ctx *Context) (Query, error) {
	p := &queryParser{Query: Query{ctx: ctx}}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.name = name
		if err := p.parameter(name, values[name]); err != nil {
			return Query{}, err
		}
	}
	for i := range p.Things {
		p.things = append(p.things, p.Things[i].matcher())
	}
	return p.Query, p.consistent(values)
}

// ParseQueryJSON parses the JSON object of a named query (EPCIS 2.0, POST /queries). Its @context explains the prefixes.
func ParseQueryJSON(data []byte) (Query, error) {
	n, err := parseJSON(data)
	if err != nil {
		return Query{}, err
	}
	if n.kind != kindObject {
		return Query{}, badParameter("", "object", "a query is a JSON object", "查询必须是 JSON 对象")
	}
	ctx, err := (*Context)(nil).extend(n.member("@context"))
	if err != nil {
		return Query{}, err
	}
	values := url.Values{}
	for i := range n.kids {
		kid := &n.kids[i]
		if kid.name == "@context" {
			continue
		}
		for _, item := range kid.items() {
			if !item.scalar() {
				return Query{}, badParameter(kid.name, "value", "%s takes text, numbers, or a list of them",
					"%s 的值必须是文本、数字或其列表", kid.name)
			}
			values.Add(kid.name, leafText(&item))
		}
		if len(kid.items()) == 0 {
			values.Set(kid.name, "")
		}
	}
	return ParseQuery(values, ctx)
}

// queryParser collects a query parameter by parameter.
type queryParser struct {
	Query

	name string
}

func (p *queryParser) bad(code, en, zh string, args ...any) error {
	return badParameter(p.name, code, en, zh, args...)
}

// consistent checks the parameters that concern each other.
func (p *queryParser) consistent(values url.Values) error {
	switch {
	case p.EventCountLimit > 0 && p.MaxEventCount > 0:
		p.name = "eventCountLimit"
		return p.bad("conflict", "eventCountLimit and maxEventCount exclude each other",
			"eventCountLimit 与 maxEventCount 不能同时使用")
	case p.EventCountLimit > 0 && p.OrderBy == "":
		p.name = "eventCountLimit"
		return p.bad("conflict", "eventCountLimit needs orderBy", "eventCountLimit 必须与 orderBy 一起使用")
	case values.Has("orderDirection") && p.OrderBy == "":
		// The standard gives it a meaning only beside orderBy and no reason to refuse it.
		return nil
	}
	return nil
}

// list splits the values of a parameter.
func (p *queryParser) list(raw []string, separators string) ([]string, error) {
	var list []string
	for _, v := range raw {
		for _, item := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	}
	if len(list) == 0 {
		return nil, p.bad("value", "%s has no value", "参数 %s 没有值", p.name)
	}
	return list, nil
}

const (
	uriSeparators  = "|"
	wordSeparators = "|,"
)

// single returns the one value of a parameter.
func (p *queryParser) single(raw []string) (string, error) {
	if len(raw) != 1 || raw[0] == "" {
		return "", p.bad("value", "%s takes exactly one value", "参数 %s 只能有一个值", p.name)
	}
	return raw[0], nil
}

func (p *queryParser) time(raw []string, at *time.Time) error {
	v, err := p.single(raw)
	if err != nil {
		return err
	}
	// A '+' that was not escaped in a URL arrives as a space.
	t, err := ParseTime(strings.Replace(v, " ", "+", 1))
	if err != nil {
		return p.bad("value", "%s is %q, which is no time with a zone", "参数 %s 的值 %q 不是带时区的时间", p.name, v)
	}
	*at = t.UTC()
	return nil
}

func (p *queryParser) count(raw []string, at *int) error {
	v, err := p.single(raw)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return p.bad("value", "%s is %q, which is no positive number", "参数 %s 的值 %q 不是正整数", p.name, v)
	}
	*at = n
	return nil
}

// words takes values of a vocabulary.
func (p *queryParser) words(raw []string, v *vocabulary, at *[]string) error {
	list, err := p.list(raw, wordSeparators)
	for _, item := range list {
		*at = append(*at, v.word(item))
	}
	return err
}

// ids takes identifiers.
func (p *queryParser) ids(raw []string, at *[]string) error {
	list, err := p.list(raw, uriSeparators)
	for _, item := range list {
		*at = append(*at, canonicalID(item))
	}
	return err
}

// oneOf takes values of a closed list.
func (p *queryParser) oneOf(raw, allowed []string, at *[]string) error {
	list, err := p.list(raw, wordSeparators)
	for _, item := range list {
		if !slices.Contains(allowed, item) {
			return p.bad("value", "%s is %q; allowed are %s", "参数 %s 的值 %q 无效，允许的值为 %s", p.name, item,
				strings.Join(allowed, ", "))
		}
	}
	*at = append(*at, list...)
	return err
}
