package mapping

import (
	"regexp"
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
	set := func(p *string) bool {
		if *p != "" {
			return false
		}
		*p = path
		return true
	}
	named := func(pattern string) bool { return regexp.MustCompile(`(?i)` + pattern).MatchString(key) }
	digits := strings.Trim(value, "0123456789") == ""
	place := named(`gln|site|loc|plant|depot|warehouse|from|to$|party|shop|store|仓|门店|地点`)
	switch {
	case named(`time|date|stamp|_at$|At$|when|时间|日期`) && !named(`expir|best|produc|manufact|birth|效期|保质|生产`) && g.guessTime(value, path):
		return
	case digits && len(value) == 18 && valid(gs1.SSCC, value) && set(&g.sscc):
		return
	case digits && len(value) == 13 && place && valid(gs1.PGLN, value) && set(&g.place):
		return
	case digits && !place && (len(value) == 13 || len(value) == 14 || named(`gtin|ean|upc|barcode|条码`)) && len(value) >= 8 && valid(gs1.GTIN, value) && set(&g.gtin):
		return
	case named(`serial|^sn$|_sn$|序列`) && valid(serialOf, value) && set(&g.serial):
		return
	case named(`lot|batch|charge|批`) && valid(lotOf, value) && set(&g.lot):
		return
	case named(`qty|quant|menge|pcs|pieces|数量|件数`) && isNumber(value) && set(&g.quantity):
		return
	case named(`order|^po|_po|订单`) && set(&g.order):
		return
	case named(`name|descr|bezeichnung|品名|名称`) && set(&g.name):
	}
	if len(g.rest) < maxRest {
		if name := extensionName(key); name != "" && !g.used[name] {
			if g.used == nil {
				g.used = map[string]bool{}
			}
			g.used[name] = true
			g.rest = append(g.rest, guessed{name, path})
		}
	}
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

// guessTime takes the first field that reads as a time, or a later one that has an hour when the first has none.
func (g *guess) guessTime(value, path string) bool {
	if g.timed {
		return false
	}
	for _, src := range []string{"auto", "dd.MM.yyyy HH:mm:ss", "dd.MM.yyyy HH:mm", "dd.MM.yyyy", "dd/MM/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm", "MM/dd/yyyy HH:mm:ss", "MM/dd/yyyy HH:mm",
		"M/d/yyyy h:mm a", "dd/MM/yyyy", "dd-MMM-yyyy HH:mm:ss", "dd-MMM-yyyy", "yyyy年M月d日 HH:mm", "yyyy年M月d日"} {
		l, t := parseLayout(src)
		if t != nil {
			continue
		}
		c, t := readTime(l, value, g.zone)
		if t != nil || c.year < 1980 || c.year > 2100 {
			continue
		}
		timed := l.hourly || l.special != "" && len(value) != 8 && len(value) != 10 || len(value) == 10 && strings.Trim(value, "0123456789") == ""
		if g.time != "" && !timed {
			return false
		}
		g.timed = timed
		g.time = "ts(" + path + ")"
		if src != "auto" {
			g.time = "ts(" + path + ", '" + src + "')"
		}
		return true
	}
	return false
}

// memberPath writes base.key, or base['key'] where the key is no name.
func memberPath(base, key string) string {
	if identifier(key) {
		return base + "." + key
	}
	return base + "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(key) + "']"
}

// extensionName makes a field's name of a key: letters and digits, with _ between.
func extensionName(key string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, key), "_")
	if r := []rune(name); len(r) == 0 || len(r) > 60 {
		return ""
	}
	return name
}

// edi guesses from the segments of an EDI message.
func (g *guess) edi(segments []any) {
	for _, seg := range segments {
		code, second := componentOf(seg, 0, 0), componentOf(seg, 1, 0)
		switch tagOf(seg) {
		case "DTM":
			g.ediTime(seg, code)
		case "BGM":
			if g.order == "" && second != "" {
				g.order = "el(seg(row, 'BGM'), 2)"
			}
		case "GIN":
			if code == "BJ" && valid(gs1.SSCC, second) && g.sscc == "" {
				g.list, g.sscc = "segs(row, 'GIN', 'BJ')", "el(item, 2)"
			}
		case "MAN":
			if code == "GM" && valid(gs1.SSCC, strings.TrimPrefix(second, "00")) && g.sscc == "" {
				g.list, g.sscc = "segs(row, 'MAN', 'GM')", "regex(el(item, 2), '(.{18})$')"
			}
		case "LIN":
			if g.sscc == "" && g.gtin == "" && valid(gs1.GTIN, componentOf(seg, 2, 0)) {
				g.list, g.gtin = "segs(row, 'LIN')", "el(item, 3)"
			}
		}
	}
	if g.gtin != "" && g.sscc != "" {
		g.gtin = ""
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
