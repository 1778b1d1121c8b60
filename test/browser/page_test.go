package browser

import (
	"encoding/json"
	"strings"
	"testing"
)

// shown is a block of the page as a reader sees it.
type shown struct {
	Title  string
	Fields [][2]string
	Source string
}

const readBlocks = `[...document.querySelectorAll(".grid .card")].map((c) => ({
	title: c.querySelector("h2").innerText,
	fields: [...c.querySelectorAll("dl > div")].map((d) => [d.querySelector("dt").innerText, d.querySelector("dd").innerText]),
	source: c.querySelector(".source")?.innerText ?? "",
}))`

// some stands for a value that a run makes.
const some = "\x00"

// published is what the page of the sample's tin says: every label, every value, and who stated it.
func published(lang string) []shown {
	if lang == "en" {
		return []shown{
			{"This code", [][2]string{{"Trace code", code}, {"First looked up", "2019-11-08 08:13:08"}, {"Times looked up", some}}, "* Stated by Wyeth illuma, Retailer logistics"},
			{"Ledger certificate", [][2]string{{"Certificate", some}, {"Recorded on the ledger", some}, {"Certificate date as stated", "2019-11-08 08:13:08"}}, "* Stated by Retailer logistics"},
			{"Product", [][2]string{
				{"Barcode", "7613035982949"}, {"Name", "illuma organic formula stage 3"}, {"Series", "illuma organic"}, {"Packaging", "Tin"},
				{"Pack size", "900 g × 6"}, {"Batch", "9121755841"}, {"Made", "2019-05-01"}, {"Best before", "2021-04-30"},
			}, "* Stated by Wyeth illuma"},
			{"Production", [][2]string{
				{"Country of origin", "Ireland"}, {"Plant", "Wyeth Nutritionals Ireland, Askeaton plant"}, {"Address", "Askeaton, Co. Limerick, Ireland"},
			}, "* Stated by Wyeth illuma"},
			{"Import and export", [][2]string{
				{"Left port", "2019-05-08"}, {"Port of loading", "Port of Dublin, Ireland"}, {"Arrived", "2019-06-22"}, {"Port of entry", "Port of Shanghai, China"},
			}, "* Stated by Shanghai Customs"},
			{"Warehouse and delivery", [][2]string{
				{"Into the warehouse", "2019-06-25 10:10:00"}, {"Ordered", "2019-11-07 18:13:43"}, {"Shipped", "2019-11-07 21:18:56"},
				{"Packed", "2019-11-07 21:40:09"}, {"Out for delivery", "2019-11-08 08:11:04"}, {"Signed for", "2019-11-08 13:46:53"},
			}, "* Stated by Shanghai Waigaoqiao bonded warehouse, Retailer logistics"},
		}
	}
	return []shown{
		{"查询信息", [][2]string{{"追溯编码", code}, {"第一次查询时间", "2019-11-08 08:13:08"}, {"此产品查询次数", some}}, "* 该信息由惠氏启赋、零售商物流提供"},
		{"区块链数字证书", [][2]string{{"证书编号", some}, {"登记时间", some}, {"证书日期", "2019-11-08 08:13:08"}}, "* 该信息由零售商物流提供"},
		{"商品信息", [][2]string{
			{"产品条形码", "7613035982949"}, {"产品名称", "启赋有机幼儿配方奶粉3阶段"}, {"产品系列", "启赋有机"}, {"包装形式", "罐装"},
			{"包装规格", "900 g × 6"}, {"生产批号", "9121755841"}, {"生产日期", "2019-05-01"}, {"有效日期", "2021-04-30"},
		}, "* 该信息由惠氏启赋提供"},
		{"生产加工", [][2]string{
			{"原产国", "爱尔兰"}, {"工厂", "惠氏营养品（爱尔兰）有限公司阿斯基顿工厂"}, {"地址", "爱尔兰利默里克郡阿斯基顿"},
		}, "* 该信息由惠氏启赋提供"},
		{"进出口", [][2]string{
			{"出港日期", "2019-05-08"}, {"出港口岸", "爱尔兰都柏林港"}, {"到港日期", "2019-06-22"}, {"到港口岸", "中国上海港"},
		}, "* 该信息由上海海关提供"},
		{"仓储配送", [][2]string{
			{"入仓", "2019-06-25 10:10:00"}, {"下单", "2019-11-07 18:13:43"}, {"发货", "2019-11-07 21:18:56"},
			{"打包", "2019-11-07 21:40:09"}, {"配送", "2019-11-08 08:11:04"}, {"签收", "2019-11-08 13:46:53"},
		}, "* 该信息由上海外高桥保税仓、零售商物流提供"},
	}
}

func TestThePageShowsEveryFieldAndWhoStatedIt(t *testing.T) {
	d := sharedDemo(t)
	for _, lang := range []string{"zh", "en"} {
		t.Run(lang, func(t *testing.T) {
			p := open(t, phone(), d.url+"/t/"+code+"?again=1&lang="+lang)
			blocks := eval[[]shown](p, readBlocks)
			want := published(lang)
			if len(blocks) != len(want) {
				t.Fatalf("%d blocks, want %d: %+v", len(blocks), len(want), blocks)
			}
			for i, w := range want {
				compareBlock(t, blocks[i], w)
			}
			rest := eval[string](p, `document.body.innerText`)
			for _, contradiction := range map[string][]string{
				"zh": {"正品", "惠氏启赋", "发货（2019-11-07 21:18:56）早于打包（2019-11-07 21:40:09）", "消费者扫码（2019-11-08 08:13:08）早于签收（2019-11-08 13:46:53）", "证书日期（2019-11-08 08:13:08）早于"},
				"en": {"Genuine", "Wyeth illuma", "2019-11-07 21:18:56, before packing at 2019-11-07 21:40:09", "a consumer scanned the code at 2019-11-08 08:13:08, before the delivery", "the certificate is dated 2019-11-08 08:13:08, before"},
			}[lang] {
				if !strings.Contains(strings.ToLower(rest), strings.ToLower(contradiction)) {
					t.Errorf("the page does not say %q", contradiction)
				}
			}
		})
	}
}

func compareBlock(t *testing.T, got, want shown) {
	t.Helper()
	if got.Title != want.Title || got.Source != want.Source || len(got.Fields) != len(want.Fields) {
		t.Errorf("block %+v, want %+v", got, want)
		return
	}
	for i, f := range want.Fields {
		g := got.Fields[i]
		if g[0] != f[0] || (f[1] == some && g[1] == "") || (f[1] != some && strings.TrimSpace(g[1]) != f[1]) {
			t.Errorf("%s: %q, want %q", want.Title, g, f)
		}
	}
}

// Every step of the journey says when, what, and who stated it.
func TestTheJourneyIsInTheOrderOfTimeAndSaysWhoStatedEachStep(t *testing.T) {
	p := open(t, desktop(), sharedDemo(t).url+"/t/"+code+"?again=1&lang=en")
	steps := eval[[]struct{ Time, Name, Provider string }](p, `[...document.querySelectorAll(".journey li")].map((li) => ({
		time: li.querySelector("time").innerText, name: li.querySelector("b").innerText, provider: li.querySelector(".source").innerText }))`)
	if len(steps) != 14 {
		t.Fatalf("%d steps, want 14: %+v", len(steps), steps)
	}
	for i, s := range steps {
		if s.Name == "" || s.Provider == "" || (i > 0 && s.Time < steps[i-1].Time) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
}

// A Digital Link of the same item opens the same page.
func TestTheDigitalLinkOfTheItemOpensItsPage(t *testing.T) {
	p := open(t, phone(), sharedDemo(t).url+"/01/07613035982949/21/"+code+"?again=1&lang=zh")
	if h := p.text("h1"); h != "启赋有机幼儿配方奶粉3阶段" {
		t.Errorf("title %q", h)
	}
}

func TestAnUnknownCodeIsSaidToBeUnknown(t *testing.T) {
	d := sharedDemo(t)
	if status, _ := fetch(t, d.url+"/t/99999999999999999999", nil); status != 404 {
		t.Errorf("status %d", status)
	}
	for lang, want := range map[string]string{"zh": "没有找到该追溯码", "en": "This code is not known"} {
		p := open(t, phone(), d.url+"/t/99999999999999999999?lang="+lang)
		if h := p.text("h1"); h != want {
			t.Errorf("%s: %q", lang, h)
		}
		if typed := eval[string](p, `document.getElementById("code").value`); typed != "99999999999999999999" {
			t.Errorf("%s: %q is there to be corrected", lang, typed)
		}
		p.shoot("unknown-" + lang)
	}
}

// count is how often the hub says that a code was looked up.
func count(t *testing.T, d *demo, code string) uint64 {
	t.Helper()
	_, body := fetch(t, d.url+"/v1/trace/"+code, map[string][]string{"Authorization": {"Bearer " + d.key}})
	var tr struct{ Scans struct{ Count uint64 } }
	if err := json.Unmarshal([]byte(body), &tr); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return tr.Scans.Count
}

// Opening the page is one look-up; changing its language is none.
func TestChangingTheLanguageDoesNotCountAsALookUp(t *testing.T) {
	d := sharedDemo(t)
	before := count(t, d, sibling)
	p := open(t, phone(), d.url+"/t/"+sibling+"?lang=zh")
	if n := count(t, d, sibling); n != before+1 {
		t.Fatalf("%d look-ups after one, %d before", n, before)
	}
	for _, want := range []string{"en", "zh-CN"} {
		p.follow(".lang")
		if lang := eval[string](p, `document.documentElement.lang`); lang != want {
			t.Errorf("language %q, want %q", lang, want)
		}
	}
	if n := count(t, d, sibling); n != before+1 {
		t.Errorf("%d look-ups after the language was changed, want %d", n, before+1)
	}
}

// The form on the first page leads to the page of the code.
func TestTheFirstPageLooksUpWhatIsTyped(t *testing.T) {
	p := open(t, phone(), sharedDemo(t).url+"/?lang=en")
	p.shoot("home")
	p.enter("#code", code)
	p.follow("form button")
	if h := p.text("h1"); h != "illuma organic formula stage 3" {
		t.Errorf("title %q", h)
	}
}
