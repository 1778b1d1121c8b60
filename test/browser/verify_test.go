package browser

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// verify presses the button and waits for the verdict: "ok", "bad" or "part", and what it says.
func (p *tab) verify() (verdict, said string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS("#verify")))
	p.await(`["ok", "bad", "part"].includes(document.getElementById("result").className)`)
	return eval[string](p, `document.getElementById("result").className`), p.text("#result")
}

// A verdict moves nothing that is being read: everything is where it was, and as high.
func TestAVerdictMovesNothing(t *testing.T) {
	for _, screen := range []device{phone(), {"small phone", 320, 640, true}, {"tablet", 800, 1000, false}, desktop()} {
		for _, lang := range []string{"zh", "en"} {
			p := open(t, screen, sharedDemo(t).url+"/t/"+code+"?again=1&lang="+lang)
			places := `[...document.querySelectorAll("#result, summary, section, dd, .journey li")].flatMap((e) => {
				const r = e.getBoundingClientRect();
				return [r.top, r.height];
			})`
			before := eval[[]float64](p, places)
			if verdict, said := p.verify(); verdict != "ok" {
				t.Fatal(said)
			}
			if after := eval[[]float64](p, places); !slices.Equal(after, before) {
				t.Errorf("%s %s: tops and heights were %v, and are %v", screen.name, lang, before, after)
			}
		}
	}
}

// What is checked can be read before it is, and stays open.
func TestWhatIsCheckedIsSaidBefore(t *testing.T) {
	p := open(t, phone(), sharedDemo(t).url+"/t/"+code+"?again=1&lang=en")
	p.do(chromedp.Click(chromedp.CSS("summary")))
	p.hold(t, "opened")
	p.shoot("checks-before")
	if said := p.text("#checks ol"); !strings.Contains(said, "The ledger holds the same checkpoint") {
		t.Errorf("it says %q", said)
	}
	p.verify()
	if said := p.text("#checks ol"); strings.Count(said, "✓") != 14 {
		t.Errorf("after the verification it says %q", said)
	}
}

// What a shopper saves from the page is a receipt for whoever verifies it elsewhere.
func TestASavedReceiptIsVerifiedWithoutThePage(t *testing.T) {
	p := open(t, phone(), sharedDemo(t).url+"/t/"+code+"?again=1&lang=en")
	p.verify()
	saved := eval[[]struct{ Name, Text string }](p, `[...document.querySelectorAll("#checks a")].map((a) => ({
		name: a.download, text: decodeURIComponent(a.href.slice(a.href.indexOf(",") + 1)) }))`)
	if len(saved) != 14 {
		t.Fatalf("%d receipts can be saved, want 14", len(saved))
	}
	verify := []string{"verify"}
	for _, r := range saved {
		name := filepath.Join(t.TempDir(), r.Name)
		if err := os.WriteFile(name, []byte(r.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		verify = append(verify, name)
	}
	if out, err := exec.Command(binary, verify...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// inFlight is the hub behind a proxy that changes what passes.
func inFlight(t *testing.T, d *demo, change func(html []byte) []byte) string {
	t.Helper()
	target, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(a *http.Response) error {
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				return nil
			}
			b, err := io.ReadAll(a.Body)
			if err != nil {
				return err
			}
			changed := change(b)
			if bytes.Equal(changed, b) {
				t.Error("nothing was changed in flight")
			}
			a.Body = io.NopCloser(bytes.NewReader(changed))
			a.ContentLength = int64(len(changed))
			a.Header.Set("Content-Length", strconv.Itoa(len(changed)))
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// tampered is the hub behind a proxy that changes one byte of a receipt's event.
func tampered(t *testing.T) string {
	t.Helper()
	return inFlight(t, sharedDemo(t), func(html []byte) []byte {
		return bytes.Replace(html, []byte(`\"bizStep\":\"packing\"`), []byte(`\"bizStep\":\"pacKing\"`), 1)
	})
}

func TestTheBrowserVerifiesEveryRecordOfThePage(t *testing.T) {
	for lang, want := range map[string]string{"zh": "14 条记录", "en": "all 14 records"} {
		p := open(t, phone(), sharedDemo(t).url+"/t/"+code+"?again=1&lang="+lang)
		verdict, said := p.verify()
		if verdict != "ok" || !strings.Contains(said, want) {
			t.Errorf("%s: %s %q", lang, verdict, said)
		}
		if unproved := eval[int](p, `document.querySelectorAll(".journey li:not(.proved), [data-path]:not(.proved)").length`); unproved != 0 {
			t.Errorf("%s: %d steps and fields are not marked as proved", lang, unproved)
		}
		p.shoot("verified-" + lang)
	}
}

// One byte of what a receipt carries is changed on the way to the browser.
func TestAChangedByteInAReceiptIsNamedByTheCheckThatFails(t *testing.T) {
	d := sharedDemo(t)
	// The first proof whose index is not 0: which records share a batch is the machine's to say, so its digits are found.
	index := func(html []byte) []byte {
		at := regexp.MustCompile(`\\"leafIndex\\":[1-9]`).FindIndex(html)
		if at == nil {
			return html
		}
		html = bytes.Clone(html)
		html[at[1]-1] ^= 1
		return html
	}
	swap := func(old, changed string) func([]byte) []byte {
		return func(html []byte) []byte { return bytes.Replace(html, []byte(old), []byte(changed), 1) }
	}
	for name, c := range map[string]struct {
		change func(html []byte) []byte
		check  string
	}{
		"event":      {swap(`\"bizStep\":\"packing\"`, `\"bizStep\":\"pacKing\"`), "event"},
		"event date": {swap(`\"eventTime\":\"2019-11-07T21:40:09`, `\"eventTime\":\"2019-11-07T21:40:08`), "event"},
		"leaf":       {swap(`\"provider\":\"shanghai-customs\"`, `\"provider\":\"shanghai-custome\"`), "inclusion"},
		"proof":      {index, "inclusion"},
		"form":       {swap(`\"type\":\"https://suyuan.dev/receipt/v1\"`, `\"type\":\"https://suyuan.dev/receipt/v2\"`), "format"},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, phone(), inFlight(t, d, c.change)+"/t/"+code+"?again=1&lang=en")
			verdict, said := p.verify()
			if verdict != "bad" || !strings.Contains(said, `does not pass the check "`+c.check+`"`) {
				t.Errorf("%s %q, want the check %q to fail", verdict, said, c.check)
			}
			if eval[bool](p, `document.querySelector(".badge.ok").checkVisibility()`) {
				t.Error("the page goes on saying that the item is genuine")
			}
			if broken := eval[int](p, `document.querySelectorAll(".journey li.broken").length`); broken != 1 {
				t.Errorf("%d steps are marked as broken, want 1", broken)
			}
			if name == "event" {
				p.shoot("tampered")
			}
		})
	}
}

// What the page shows is changed on the way, the receipts are left as they are.
func TestAChangedFieldIsFoundThoughTheReceiptsAreGood(t *testing.T) {
	d := sharedDemo(t)
	for name, c := range map[string]struct{ old, new, said string }{
		"batch":   {">9121755841<", ">9121755842<", `shows "9121755842", recorded is "9121755841"`},
		"date":    {">2021-04-30<", ">2022-04-30<", `shows "2022-04-30", recorded is "2021-04-30"`},
		"time":    {">2019-11-08 13:46:53</dd>", ">2019-11-07 13:46:53</dd>", `shows "2019-11-07 13:46:53"`},
		"journey": {">2019-11-08 13:46:53</time>", ">2019-11-07 13:46:53</time>", `shows "2019-11-07 13:46:53"`},
		"barcode": {">7613035982949<", ">7613035982956<", `shows "7613035982956", recorded is "7613035982949"`},
		"code":    {">02130081810167359142</dd>", ">02130081810167359143</dd>", `shows "02130081810167359143", recorded is "02130081810167359142"`},
	} {
		t.Run(name, func(t *testing.T) {
			base := inFlight(t, d, func(html []byte) []byte { return bytes.Replace(html, []byte(c.old), []byte(c.new), 1) })
			p := open(t, phone(), base+"/t/"+code+"?again=1&lang=en")
			if verdict, said := p.verify(); verdict != "bad" || !strings.Contains(said, c.said) {
				t.Errorf("%s %q, want %q", verdict, said, c.said)
			}
		})
	}
}

// After the page is loaded the hub is killed: the browser verifies without it, and asks nobody else.
func TestTheLoadedPageVerifiesWithTheHubDeadAndAsksNobody(t *testing.T) {
	d, err := startDemo(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	p := open(t, phone(), d.url+"/t/"+code+"?lang=en")
	p.await(`document.readyState === "complete"`)
	d.kill()
	requests := make(chan string, 100)
	err = chromedp.Listen(p.ctx, func(e any) {
		switch e := e.(type) {
		case *network.EventRequestWillBeSent:
			requests <- e.Request.URL
		case *network.EventWebSocketCreated:
			requests <- e.URL
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(p.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if verdict, said := p.verify(); verdict != "ok" {
		t.Errorf("%s %q", verdict, said)
	}
	select {
	case asked := <-requests:
		t.Errorf("the page asked %s while it verified", asked)
	default:
	}
	// The policy forbids it, too: a script in the page that tries to call home fails.
	if !eval[bool](p, `new Promise((done) => {
		document.addEventListener("securitypolicyviolation", () => done(true), { once: true });
		fetch("/v1/trust").then(() => done(false), () => setTimeout(() => done(false), 2000));
	})`) {
		t.Error("the page may connect")
	}
}

// A record that is not on the ledger yet is said to be pending; what is proved of the others stays proved.
func TestWhatIsNotAnchoredYetIsNeitherVerifiedNorWrong(t *testing.T) {
	base := inFlight(t, sharedDemo(t), func(html []byte) []byte {
		start := bytes.Index(html, []byte(`<script type="application/json" class="receipt"`))
		end := start + bytes.Index(html[start:], []byte("</script>")) + len("</script>")
		return append(html[:start:start], html[end:]...)
	})
	p := open(t, phone(), base+"/t/"+code+"?again=1&lang=en")
	if verdict, said := p.verify(); verdict != "part" || !strings.Contains(said, "13 of 14") {
		t.Errorf("%s %q", verdict, said)
	}
	p.shoot("partly")
}
