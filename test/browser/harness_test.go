// Package browser opens the pages of the built binary in a real browser, as a shopper's phone and an operator's desktop do.
package browser

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// code is the sample's trace code; sibling is another tin of the same case.
const (
	code    = "02130081810167359142"
	sibling = "02130081810167359143"
)

// What all tests share: the built command, a browser, and a demo that only reads change.
var (
	binary  string
	browser context.Context
	shared  = sync.OnceValues(func() (*demo, error) { return startDemo(os.Stderr) })
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	chromium := chromiumPath()
	if chromium == "" {
		fmt.Fprintln(os.Stderr, "SKIPPED: no chromium is installed, so that no page was opened (task setup installs it)")
		if os.Getenv("CI") == "true" {
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "suyuan-browser-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "suyuan")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/suyuan").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build: %v\n%s", err, out))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", false), chromedp.WSURLReadTimeout(time.Minute))
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	defer closeAllocator()
	var closeBrowser context.CancelFunc
	browser, closeBrowser = chromedp.NewContext(allocator)
	defer closeBrowser()
	if err := chromedp.Do(browser); err != nil {
		panic(fmt.Sprintf("start %s: %v", chromium, err))
	}
	code := m.Run()
	if d, err := shared(); err == nil {
		d.kill()
	}
	return code
}

func chromiumPath() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// demo is a running `suyuan demo`.
type demo struct {
	cmd      *exec.Cmd
	url, key string
	dir      string
}

// startDemo runs the demo until its last receipt is verified.
func startDemo(stderr io.Writer) (*demo, error) {
	dir, err := os.MkdirTemp("", "suyuan-browser-demo-")
	if err != nil {
		return nil, err
	}
	d := &demo{cmd: exec.Command(binary, "demo", "--listen", "127.0.0.1:0", "--dir", dir), dir: dir}
	d.cmd.Stderr = stderr
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for ready := false; !ready; {
		if !lines.Scan() {
			d.kill()
			return nil, fmt.Errorf("the demo ended before it was ready: %v", d.cmd.ProcessState)
		}
		line := lines.Text()
		if _, url, ok := strings.Cut(line, "listening on "); ok {
			d.url = url
		}
		if _, key, ok := strings.Cut(line, "keep it): "); ok {
			d.key = key
		}
		ready = strings.HasPrefix(line, "Stop with Ctrl-C")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return d, nil
}

func (d *demo) kill() {
	if d.cmd.ProcessState == nil {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
	}
	_ = os.RemoveAll(d.dir)
}

// sharedDemo is the demo that tests only read from.
func sharedDemo(t *testing.T) *demo {
	t.Helper()
	d, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// device is a screen.
type device struct {
	name          string
	width, height int64
	mobile        bool
}

func phone() device   { return device{"phone", 390, 844, true} }
func desktop() device { return device{"desktop", 1440, 900, false} }

// tab is a page in a window of its own, without anything that other tabs have stored.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
}

func open(t *testing.T, d device, url string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	screen := []chromedp.EmulateViewportOption{chromedp.EmulateScale(2)}
	if d.mobile {
		screen = append(screen, chromedp.EmulatePortrait, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do(chromedp.EmulateViewport(d.width, d.height, screen...), chromedp.Navigate(url))
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// get runs an action and returns its value.
func get[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, a)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// eval is the value of a JavaScript expression.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// text is what an element shows.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return get(p, chromedp.Text(chromedp.CSS(selector)))
}

// await waits until a JavaScript condition holds.
func (p *tab) await(condition string) {
	p.t.Helper()
	if !eval[bool](p, `new Promise((done) => {
		const end = Date.now() + 60000;
		const look = () => (`+condition+`) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 20);
		look();
	})`) {
		p.t.Fatalf("waited in vain for %s", condition)
	}
}

// shoot saves the whole page as a picture among the test's artifacts.
func (p *tab) shoot(name string) {
	p.t.Helper()
	png := get(p, chromedp.FullScreenshot(100))
	path := filepath.Join(p.t.ArtifactDir(), name+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.t.Log("picture: ", path)
}

// fetch gets a page without a browser.
func fetch(t *testing.T, url string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// follow clicks what leads to another page, and waits for that.
func (p *tab) follow(selector string) {
	p.t.Helper()
	if _, err := chromedp.RunResponse(p.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		p.t.Fatal(err)
	}
}

// enter types into a field.
func (p *tab) enter(selector, text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press clicks what changes the page that it is on.
func (p *tab) press(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}
