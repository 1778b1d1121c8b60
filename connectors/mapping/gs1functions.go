package mapping

import (
	"errors"
	"net/url"
	"strings"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// gs1Functions build GS1 identifiers in the canonical form of the hub: a Digital Link under https://id.gs1.org.
func gs1Functions() map[string]*function {
	need := func(name string) param { return param{name: name, kind: textKind} }
	may := func(name string) param { return param{name: name, kind: textKind, blank: true} }
	return map[string]*function{
		"gtin":  one("gtin(gtin)", "a class of trade items: 8 to 14 digits", "gtin", gs1.GTIN),
		"sscc":  one("sscc(sscc)", "a logistic unit: 18 digits, or 17 and the check digit is added", "sscc", gs1.SSCC),
		"pgln":  one("pgln(gln)", "a party: 13 digits", "gln", gs1.PGLN),
		"giai":  one("giai(asset)", "an individual asset", "asset", gs1.GIAI),
		"gsrn":  one("gsrn(number)", "a service recipient: 18 digits", "number", gs1.GSRN),
		"ginc":  one("ginc(consignment)", "a consignment", "consignment", gs1.GINC),
		"gsin":  one("gsin(shipment)", "a shipment: 17 digits", "shipment", gs1.GSIN),
		"sgtin": two("sgtin(gtin, serial)", "one trade item", need("gtin"), need("serial"), gs1.SGTIN),
		"lgtin": two("lgtin(gtin, lot)", "a batch of a trade item", need("gtin"), need("lot"), gs1.LGTIN),
		"sgln":  two("sgln(gln, extension)", "a place; the extension may be left out", need("gln"), may("extension"), gs1.SGLN),
		"grai":  two("grai(asset, serial)", "a returnable asset; without serial the type of asset", need("asset"), may("serial"), gs1.GRAI),
		"gdti":  two("gdti(document, serial)", "a document; without serial the type of document", need("document"), may("serial"), gs1.GDTI),
		"digitalLink": {usage: "digitalLink(uri) or digitalLink('01', gtin, '10', lot, …)", doc: "any GS1 identity: from a Digital Link or EPC URN, or from application identifiers and their values",
			params: []param{need("uri"), need("value")}, min: 1, repeats: true, result: textKind, call: digitalLink},
		"checkDigit": {usage: "checkDigit(digits)", doc: "the GS1 check digit of digits that lack it", params: []param{need("digits")}, min: 1, result: textKind,
			call: func(_ *scope, a []any) (any, *trouble) {
				d, err := gs1.CheckDigit(str(a, 0))
				return string(rune(d)), gs1Trouble(err, 0)
			}},
	}
}

func one(usage, doc, name string, build func(string) (string, error)) *function {
	return &function{usage: usage, doc: doc, params: []param{{name: name, kind: textKind}}, min: 1, result: textKind,
		call: func(_ *scope, a []any) (any, *trouble) {
			out, err := build(trimmed(a, 0))
			if err != nil {
				return nil, gs1Trouble(err, 0)
			}
			return out, nil
		}}
}

func two(usage, doc string, first, second param, build func(a, b string) (string, error)) *function {
	least := 2
	if second.blank {
		least = 1
	}
	f := &function{usage: usage, doc: doc, params: []param{first, second}, min: least, result: textKind,
		call: func(_ *scope, a []any) (any, *trouble) {
			out, err := build(trimmed(a, 0), trimmed(a, 1))
			if err != nil {
				return nil, gs1Trouble(err, blamed(err))
			}
			return out, nil
		}}
	f.prepare = func(_ *exprCompiler, args []*expr) (func(*scope, []any) (any, *trouble), *trouble) {
		return f.call, constantKey(args, build)
	}
	return f
}

// constantKey finds at load what is wrong with a key that the mapping states itself, though its second part is of the record.
func constantKey(args []*expr, build func(a, b string) (string, error)) *trouble {
	key, ok := args[0].value.(string)
	if !ok || !args[0].constant || key == "" {
		return nil
	}
	_, err := build(strings.TrimSpace(key), "1")
	if err == nil || blamed(err) != 0 {
		return nil
	}
	t := gs1Trouble(err, 0)
	t.code = "mapping." + t.code
	return t
}

// blamed guesses which of (key, serial) a fault of gs1 is about.
func blamed(err error) int {
	if strings.HasPrefix(hub.AsFault(err).Code, "gs1.serial") {
		return 1
	}
	return 0
}

// gs1Trouble keeps the words and the code of a fault of gs1: they say more than we could.
func gs1Trouble(err error, arg int) *trouble {
	if err == nil {
		return nil
	}
	var f *hub.Fault
	if !errors.As(err, &f) {
		return problem("map.gs1", "%v", "%v", err).at(arg)
	}
	return &trouble{code: f.Code, arg: arg, en: words{f.Message, f.Hint}, zh: words{f.MessageZh, f.HintZh}}
}

// digitalLink builds a link from pairs of application identifier and value, or brings one to its canonical form.
func digitalLink(_ *scope, a []any) (any, *trouble) {
	if len(a) == 1 {
		id, ok := gs1.Canonical(trimmed(a, 0))
		if !ok {
			return nil, problem("gs1.not-an-identifier", "%q is no GS1 Digital Link and no EPC URN", "%q 既不是 GS1 数字链接，也不是 EPC URN", clip(trimmed(a, 0))).at(0)
		}
		return id, nil
	}
	if len(a)%2 != 0 {
		return nil, typeProblem("application identifiers and values come in pairs", "应用标识符和值必须成对").hint("write digitalLink('01', gtin, '10', lot)", "写法：digitalLink('01', gtin, '10', lot)")
	}
	var b strings.Builder
	b.WriteString("https://id.gs1.org")
	for i := 0; i < len(a); i += 2 {
		value := trimmed(a, i+1)
		if trimmed(a, i) == "01" {
			link, err := gs1.GTIN(value)
			if err != nil {
				return nil, gs1Trouble(err, i+1)
			}
			value = link[strings.LastIndexByte(link, '/')+1:]
		}
		b.WriteString("/" + trimmed(a, i) + "/" + url.PathEscape(value))
	}
	if _, ok := gs1.Canonical(b.String()); !ok {
		return nil, problem("gs1.not-an-identifier", "%q is no GS1 Digital Link", "%q 不是 GS1 数字链接", clip(b.String())).
			hint("begin with a key such as '01' or '414', and follow with its qualifiers in the standard's order, such as '10' and '21'", "以 '01'、'414' 等主键开头，再按标准顺序写限定符，例如 '10'、'21'")
	}
	return b.String(), nil
}
