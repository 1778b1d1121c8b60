package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// overflows lists what makes a page scroll sideways, and text that its box cuts off.
const overflows = `(() => {
	const found = [];
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) found.push("the page is " + root.scrollWidth + " wide on a screen of " + root.clientWidth);
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walk.nextNode());) {
		const box = node.parentElement;
		if (!node.data.trim() || !box.checkVisibility() || box.closest("script")) continue;
		const range = document.createRange();
		range.selectNodeContents(node);
		const seen = box.closest(".scroll") ? box : root;
		for (const r of range.getClientRects()) {
			if (r.right > seen.getBoundingClientRect().right + 1 || r.left < -1) found.push("cut off: " + node.data.trim());
		}
		for (let e = box; e; e = e.parentElement) {
			const style = getComputedStyle(e);
			if (["hidden", "clip"].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1) found.push("clipped: " + node.data.trim());
		}
	}
	return found;
})()`

// smallTargets lists what is too small to be hit with a thumb.
const smallTargets = `[...document.querySelectorAll("a, button, input:not([type=hidden]), summary")].filter((e) => e.checkVisibility()).map((e) => {
	const r = e.getBoundingClientRect();
	return { name: e.innerText || e.id || e.outerHTML, width: r.width, height: r.height };
}).filter((t) => t.width < 44 || t.height < 44).map((t) => t.name + " is " + t.width + " × " + t.height)`

// faint lists texts whose contrast is below that of WCAG 2.2, 1.4.3 (AA).
const faint = `(() => {
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
	const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const found = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; (node = walk.nextNode());) {
		const box = node.parentElement;
		if (!node.data.trim() || !box.checkVisibility() || box.closest("script, :disabled")) continue;
		let back = { rgb: [255, 255, 255], a: 0 };
		for (let e = box; e && back.a === 0; e = e.parentElement) back = parse(getComputedStyle(e).backgroundColor);
		const style = getComputedStyle(box);
		const [a, b] = [light(parse(style.color).rgb), light(back.rgb)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		const size = parseFloat(style.fontSize);
		const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
		if (ratio < (large ? 3 : 4.5)) found.add(node.data.trim() + ": " + ratio.toFixed(2));
	}
	return [...found];
})()`

// scheme sets the colours that the reader prefers: "light" or "dark".
func (p *tab) scheme(name string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// hold fails for everything that is wrong with how a page looks.
func (p *tab) hold(t *testing.T, state string) {
	t.Helper()
	for _, rule := range []string{overflows, smallTargets} {
		for _, wrong := range eval[[]string](p, rule) {
			t.Errorf("%s: %s", state, wrong)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		for _, wrong := range eval[[]string](p, faint) {
			t.Errorf("%s, %s: %s", state, scheme, wrong)
		}
	}
}

func TestNothingIsCutOffTooSmallOrTooFaint(t *testing.T) {
	d := sharedDemo(t)
	pages := map[string]string{
		"trace": "/t/" + code + "?again=1&lang=", "home": "/?lang=", "unknown": "/t/99999999999999999999?lang=", "console": "/console/?lang=",
	}
	for _, screen := range []device{phone(), desktop()} {
		for name, path := range pages {
			for _, lang := range []string{"zh", "en"} {
				t.Run(screen.name+" "+name+" "+lang, func(t *testing.T) {
					p := open(t, screen, d.url+path+lang)
					p.hold(t, "opened")
					switch name {
					case "trace":
						p.verify()
						p.do(chromedp.Click(chromedp.CSS("summary")))
						p.hold(t, "verified")
					case "console":
						p.logIn(d.key)
						p.hold(t, "logged in")
					}
					p.shoot(screen.name + "-" + name + "-" + lang + "-dark")
					p.scheme("light")
					p.shoot(screen.name + "-" + name + "-" + lang + "-light")
				})
			}
		}
	}
}

// A failed verification says long digests: they wrap.
func TestAFailureDoesNotMakeThePageScrollSideways(t *testing.T) {
	p := open(t, phone(), tampered(t)+"/t/"+code+"?again=1&lang=en")
	p.verify()
	p.hold(t, "failed")
	p.shoot("failed-dark")
}
