package mapping

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

// guess is what a sample seems to hold: expressions for the parts of an event.
type guess struct {
	zone                                                              *zone
	time, gtin, serial, lot, sscc, quantity, place, order, name, list string
	// rest are the fields that nothing was guessed of.
	rest []guessed
	// timed is true when the time has an hour.
	timed bool
	used  map[string]bool
}

type guessed struct{ name, path string }

// maxRest bounds the fields of a scaffold.
const maxRest = 40

// look walks the sample, nearest fields first.
func (g *guess) look(v any, at string, depth int) {
	row, ok := v.(map[string]any)
	if !ok || depth > 3 {
		return
	}
	for _, key := range sortedKeys(row) {
		if value, ok := text(row[key]); ok {
			g.field(key, strings.TrimSpace(value), memberPath(at, key))
		}
	}
	for _, key := range sortedKeys(row) {
		switch sub := row[key].(type) {
		case map[string]any:
			g.look(sub, memberPath(at, key), depth+1)
		case []any:
			g.lines(sub, memberPath(at, key))
		}
	}
}

// lines looks into a list of objects: the lines of a delivery.
func (g *guess) lines(list []any, at string) {
	if len(list) == 0 || g.list != "" || g.gtin != "" || g.sscc != "" {
		return
	}
	inner := &guess{zone: g.zone}
	inner.look(list[0], "item", 2)
	if inner.gtin == "" && inner.sscc == "" {
		return
	}
	g.list, g.gtin, g.serial, g.lot, g.sscc, g.quantity = at, inner.gtin, inner.serial, inner.lot, inner.sscc, inner.quantity
	for _, other := range list[1:] { // what is not on every line cannot be relied on
		again := &guess{zone: g.zone}
		again.look(other, "item", 2)
		keep := func(p *string, q string) {
			if *p != q {
				*p = ""
			}
		}
		keep(&g.gtin, again.gtin)
		keep(&g.serial, again.serial)
		keep(&g.lot, again.lot)
		keep(&g.sscc, again.sscc)
		keep(&g.quantity, again.quantity)
	}
}

// field guesses from the value first, because it can be checked, and from the name where values are ambiguous.
func (g *guess) field(key, value, path string) {
	if value == "" {
		return
	}
	if g.takeKey(key, value, path) || g.takeNamed(key, value, path) {
		return
	}
	name := extensionName(key, len(g.rest)+1)
	if len(g.rest) >= maxRest || g.used[name] {
		return
	}
	if g.used == nil {
		g.used = map[string]bool{}
	}
	g.used[name] = true
	g.rest = append(g.rest, guessed{name, path})
}

// set fills a part of the event that has none yet.
func set(p *string, path string) bool {
	if *p != "" {
		return false
	}
	*p = path
	return true
}

func named(key, pattern string) bool { return regexp.MustCompile(`(?i)` + pattern).MatchString(key) }

// takeKey recognises GS1 keys by their check digits.
func (g *guess) takeKey(key, value, path string) bool {
	if strings.Trim(value, "0123456789") != "" || named(key, timeNames) && g.timeIn(value) {
		return false
	}
	place := named(key, `gln|site|loc|plant|depot|warehouse|from|to$|party|shop|store|仓|门店|地点`)
	switch {
	case len(value) == 18 && valid(gs1.SSCC, value):
		return set(&g.sscc, path)
	case place:
		return len(value) == 13 && valid(gs1.PGLN, value) && set(&g.place, path)
	case len(value) >= 13 || named(key, `gtin|ean|upc|barcode|条码`):
		return valid(gs1.GTIN, value) && set(&g.gtin, path)
	}
	return false
}

// timeNames are what fields with times are called.
const timeNames = `time|date|stamp|_at$|[a-z]At$|when|时间|日期`

// takeNamed goes by the field's name where values are ambiguous. A product's name stays a field of the event too.
func (g *guess) takeNamed(key, value, path string) bool {
	switch {
	case named(key, timeNames):
		return !named(key, `expir|best|produc|manufact|birth|效期|保质|生产`) && g.guessTime(value, path)
	case named(key, `serial|^sn$|_sn$|序列|追溯|溯源|trace_?(code|no)`):
		return valid(serialOf, value) && set(&g.serial, path)
	case named(key, `lot|batch|charge|批`):
		return valid(lotOf, value) && set(&g.lot, path)
	case named(key, `qty|quant|menge|pcs|pieces|数量|件数`):
		return isNumber(value) && set(&g.quantity, path)
	case named(key, `order|^po|_po|订单`):
		return set(&g.order, path)
	case named(key, `name|descr|bezeichnung|品名|名称`):
		set(&g.name, path)
	}
	return false
}

func valid(build func(string) (string, error), value string) bool {
	_, err := build(value)
	return err == nil
}

func serialOf(s string) (string, error) { return gs1.SGTIN("00000000000000", s) }
func lotOf(s string) (string, error)    { return gs1.LGTIN("00000000000000", s) }

func isNumber(s string) bool {
	_, ok := jsonNumber(s)
	return ok
}

// timeLayouts are tried in turn.
func timeLayouts() []string {
	return []string{"auto", "dd.MM.yyyy HH:mm:ss", "dd.MM.yyyy HH:mm", "dd.MM.yyyy", "dd/MM/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm", "MM/dd/yyyy HH:mm:ss",
		"MM/dd/yyyy HH:mm", "M/d/yyyy h:mm a", "dd/MM/yyyy", "dd-MMM-yyyy HH:mm:ss", "dd-MMM-yyyy", "yyyy年M月d日 HH:mm", "yyyy年M月d日"}
}

// layoutOf returns the first layout in which value is a time of our days.
func (g *guess) layoutOf(value string) *layout {
	for _, src := range timeLayouts() {
		l, t := parseLayout(src)
		if t != nil {
			continue
		}
		if c, t := readTime(l, value, g.zone); t == nil && c.year >= 1980 && c.year <= 2100 {
			return l
		}
	}
	return nil
}

func (g *guess) timeIn(value string) bool { return g.layoutOf(value) != nil }

// guessTime takes the first field that reads as a time, or a later one that has an hour when the first has none.
func (g *guess) guessTime(value, path string) bool {
	l := g.layoutOf(value)
	if g.timed || l == nil {
		return false
	}
	timed := l.hourly
	if l.special != "" {
		dateOnly := len(value) == 8 || len(value) == 10 && strings.Trim(value, "0123456789") != ""
		timed = !dateOnly
	}
	if g.time != "" && !timed {
		return false
	}
	g.timed = timed
	g.time = "ts(" + path + ")"
	if l.special == "" {
		g.time = "ts(" + path + ", '" + l.source + "')"
	}
	return true
}

// memberPath writes base.key, or base['key'] where the key is no name.
func memberPath(base, key string) string {
	if identifier(key) {
		return base + "." + key
	}
	return base + "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(key) + "']"
}

// extensionName makes a field's name of a key: Latin letters and digits with _ between, or "field7" where none are left.
func extensionName(key string, number int) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if plainName(string(r)) {
			return r
		}
		return '_'
	}, key), "_-.~")
	if name == "" || len(name) > 60 {
		return "field" + strconv.Itoa(number)
	}
	return name
}

// edi guesses from the segments of an EDI message.
func (g *guess) edi(segments []any) {
	for _, seg := range segments {
		switch tagOf(seg) {
		case "DTM":
			g.ediTime(seg, componentOf(seg, 0, 0))
		case "BGM":
			if componentOf(seg, 1, 0) != "" {
				set(&g.order, "el(seg(row, 'BGM'), 2)")
			}
		default:
			g.ediGoods(seg)
		}
	}
	if g.sscc != "" {
		g.gtin = ""
	}
}

// ediGoods finds logistic units, or else the line items.
func (g *guess) ediGoods(seg any) {
	code, second := componentOf(seg, 0, 0), componentOf(seg, 1, 0)
	switch tagOf(seg) + "+" + code {
	case "GIN+BJ":
		if valid(gs1.SSCC, second) && set(&g.sscc, "el(item, 2)") {
			g.list = "segs(row, 'GIN', 'BJ')"
		}
	case "MAN+GM":
		if valid(gs1.SSCC, strings.TrimPrefix(second, "00")) && set(&g.sscc, "regex(el(item, 2), '(.{18})$')") {
			g.list = "segs(row, 'MAN', 'GM')"
		}
	}
	if tagOf(seg) == "LIN" && g.sscc == "" && valid(gs1.GTIN, componentOf(seg, 2, 0)) && set(&g.gtin, "el(item, 3)") {
		g.list = "segs(row, 'LIN')"
	}
}

func (g *guess) ediTime(seg any, qualifier string) {
	if g.time != "" || !identifierOrDigits(qualifier) {
		return
	}
	if code := componentOf(seg, 0, 2); code != "" { // EDIFACT: DTM+137:20191107:102
		if l, t := parseLayout(code); t == nil {
			if _, t := readTime(l, componentOf(seg, 0, 1), g.zone); t == nil {
				g.time = "dtm(row, '" + qualifier + "')"
			}
		}
		return
	}
	if c, t := readAuto(componentOf(seg, 1, 0), g.zone); t == nil && c.year > 1980 { // X12: DTM*011*20191107
		g.time = "ts(el(seg(row, 'DTM', '" + qualifier + "'), 2))"
	}
}

func identifierOrDigits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
