package web

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

//go:embed html/*.html
var htmlFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// Tracer tells journeys.
type Tracer interface {
	Trace(ctx context.Context, code string, scannedAt time.Time) (*trace.Trace, error)
}

// Prover gives receipts.
type Prover interface {
	// Receipt returns the exact bytes of a receipt, or a fault of kind Unavailable while there is none.
	Receipt(ctx context.Context, seq hub.Seq) ([]byte, error)
	// Certificate returns the id and the time of the newest checkpoint that a ledger took, "" before the first.
	Certificate(ctx context.Context) (id string, at time.Time, err error)
	// Key is the verifier key of the log.
	Key() string
}

// Server serves pages. It is safe for concurrent use.
type Server struct {
	tracer    Tracer
	prover    Prover
	templates []Template
	now       func() time.Time
	log       *zap.Logger
	html      *template.Template
	mux       *http.ServeMux
	// making holds an element for each page that is being made.
	making chan struct{}
}

// Pages that are made at once, and how long one waits for its turn: each may take much memory, and anybody may ask for one.
const (
	pagesPerProcessor = 4
	pageWait          = 5 * time.Second
)

// begin waits for the turn of a page. The caller calls done when it is made.
func (s *Server) begin(ctx context.Context) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	select {
	case s.making <- struct{}{}:
		return func() { <-s.making }, nil
	case <-ctx.Done():
		return nil, hub.Faultf(hub.Unavailable, "page.busy", "too many pages are asked for at once").Because(ctx.Err())
	}
}

// Options configure a Server. Every field but Now is necessary.
type Options struct {
	Tracer    Tracer
	Prover    Prover
	Templates []Template
	Now       func() time.Time
	Log       *zap.Logger
}

// New returns the server.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	html, err := template.New("").Funcs(template.FuncMap{"t": say, "one": one}).ParseFS(htmlFiles, "html/*.html")
	if err != nil {
		return nil, err
	}
	s := &Server{
		tracer: o.Tracer, prover: o.Prover, templates: o.Templates, now: o.Now, log: o.Log.Named("web"), html: html,
		mux: http.NewServeMux(), making: make(chan struct{}, pagesPerProcessor*max(2, runtime.GOMAXPROCS(0))),
	}
	for _, p := range s.Patterns() {
		switch {
		case strings.HasPrefix(p, "GET /assets/"):
			s.mux.HandleFunc(p, s.asset)
		case p == "GET /console/":
			s.mux.HandleFunc(p, s.console)
		case p == "GET /{$}":
			s.mux.HandleFunc(p, s.home)
		default:
			s.mux.HandleFunc(p, s.page)
		}
	}
	return s, nil
}

// Patterns lists the routes, for whoever mounts the server beside others. A GS1 Digital Link opens the page of what it
// identifies (GS1 Digital Link: URI syntax 1.4).
func (s *Server) Patterns() []string {
	out := []string{"GET /{$}", "GET /t/{code...}", "GET /assets/{file}", "GET /console/"}
	for _, ai := range []string{"01", "00", "8006", "8004", "8003", "253"} {
		out = append(out, "GET /"+ai+"/{code...}")
	}
	return out
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Around(s.mux).ServeHTTP(w, r) }

// codeOf is the code that a request asks for: the path after /t/, or the whole Digital Link path.
func codeOf(r *http.Request) string {
	if c, ok := strings.CutPrefix(r.URL.EscapedPath(), "/t/"); ok {
		if strings.Contains(c, "%") {
			return r.PathValue("code")
		}
		return c
	}
	return "https://id.gs1.org" + r.URL.EscapedPath()
}

// page shows the journey of an item. Opening it counts as one look-up; a change of language does not.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	lang := langOf(r)
	p, err := s.made(r, lang)
	if err != nil {
		s.failed(w, r, lang, codeOf(r), err)
		return
	}
	s.render(w, http.StatusOK, "page.html", p)
}

// made is the page that a request asks for.
func (s *Server) made(r *http.Request, lang string) (page, error) {
	done, err := s.begin(r.Context())
	if err != nil {
		return page{}, err
	}
	defer done()
	var scanned time.Time
	if r.URL.Query().Get("again") == "" && r.Method == http.MethodGet && r.Header.Get("Sec-Purpose") == "" {
		scanned = s.now()
	}
	tr, err := s.tracer.Trace(r.Context(), codeOf(r), scanned)
	if err != nil {
		return page{}, err
	}
	id, at, err := s.prover.Certificate(r.Context())
	if err != nil {
		return page{}, err
	}
	tmpl := templateFor(s.templates, tr.Product.First("category").Value)
	p := newBuilder(tr, tmpl, lang, certificate{id: id, at: at}).build()
	p.Key = s.prover.Key()
	return p, s.prove(r.Context(), &p)
}

// maxReceipts is how many bytes of receipts a page has: its journey ends where they do, and it says so. The journey of an item that
// somebody has told thousands of large events of would be a page of many megabytes for each who asks.
const maxReceipts = 4 << 20

// prove puts the receipts of what the page shows into it, those of its blocks first; what is not anchored yet is counted as pending.
func (s *Server) prove(ctx context.Context, p *page) error {
	r := receipts{prover: s.prover, proved: map[hub.Seq]bool{}}
	for _, at := range p.fieldSeqs() {
		if err := r.add(ctx, at); err != nil {
			return err
		}
	}
	for i := range p.Journey {
		step := &p.Journey[i]
		if r.size >= maxReceipts {
			p.Journey, p.Truncated = p.Journey[:i], true
			break
		}
		if err := r.add(ctx, hub.Seq(step.Seq)); err != nil {
			return err
		}
		step.Proved = r.proved[hub.Seq(step.Seq)]
	}
	slices.SortFunc(r.list, func(a, b pageReceipt) int { return cmp.Compare(a.Seq, b.Seq) })
	p.Receipts, p.Pending = r.list, len(r.proved)-len(r.list)
	return nil
}

// receipts are those of one page.
type receipts struct {
	prover Prover
	list   []pageReceipt
	size   int
	proved map[hub.Seq]bool // false for what is pending
}

func (r *receipts) add(ctx context.Context, at hub.Seq) error {
	if _, done := r.proved[at]; done {
		return nil
	}
	b, err := r.prover.Receipt(ctx, at)
	if err != nil && hub.KindOf(err) != hub.Unavailable {
		return err
	}
	if r.proved[at] = err == nil; err == nil {
		r.list, r.size = append(r.list, pageReceipt{Seq: int64(at), Text: string(b)}), r.size+len(b)
	}
	return nil
}

// notice is a page that only says something.
type notice struct {
	Lang, Other string
	Code        string
	Title, Text string
	Hint        string
}

func (s *Server) failed(w http.ResponseWriter, r *http.Request, lang, code string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	f := hub.AsFault(err)
	n := notice{Lang: lang, Other: other(lang), Code: code}
	status := http.StatusNotFound
	switch f.Kind {
	case hub.NotFound, hub.Invalid:
		n.Title = say(lang, "没有找到该追溯码", "This code is not known")
		n.Text = say(lang, "没有任何一方登记过该编码。请核对编码是否完整；若商品包装上的编码无法查询，请谨慎购买并向商家反馈。",
			"No party has recorded this code. Check that it is complete. If the code on a package cannot be found, be careful and tell the shop.")
	default:
		status = http.StatusServiceUnavailable
		n.Title = say(lang, "暂时无法查询", "Not available at the moment")
		n.Text = say(lang, "溯源服务正忙，请稍后再试。", "The service is busy. Please try again in a moment.")
		w.Header().Set("Retry-After", "5")
		s.log.Warn("page failed", zap.String("path", r.URL.Path), zap.Error(err))
	}
	s.render(w, status, "notice.html", n)
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	if code := strings.TrimSpace(r.URL.Query().Get("code")); code != "" {
		http.Redirect(w, r, "/t/"+template.URLQueryEscaper(code)+"?lang="+langOf(r), http.StatusSeeOther)
		return
	}
	lang := langOf(r)
	s.render(w, http.StatusOK, "home.html", notice{Lang: lang, Other: other(lang)})
}

// Around serves what mux has, on which the server is mounted. People who ask for what it does not have get a page. No pattern
// "/" could do that: the mux would take it where only the method is wrong, which is 405 and says what is allowed.
func (s *Server) Around(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			if refuse, pattern := mux.Handler(r); pattern == "" && statusOf(refuse, r) == http.StatusNotFound {
				s.nowhere(w, r)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// statusOf is the status that a handler answers with.
func statusOf(h http.Handler, r *http.Request) int {
	w := statusOnly{header: http.Header{}}
	h.ServeHTTP(&w, r)
	return w.status
}

// statusOnly is a [http.ResponseWriter] that keeps the status.
type statusOnly struct {
	header http.Header
	status int
}

func (w *statusOnly) Header() http.Header         { return w.header }
func (w *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusOnly) WriteHeader(status int)      { w.status = status }

func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	lang := langOf(r)
	s.render(w, http.StatusNotFound, "notice.html", notice{
		Lang: lang, Other: other(lang), Title: say(lang, "没有这个页面", "There is no such page"),
		Text: say(lang, "请核对地址，或重新扫描包装上的二维码。", "Check the address, or scan the code on the package again."),
	})
}

func (s *Server) console(w http.ResponseWriter, r *http.Request) {
	lang := langOf(r)
	s.renderWith(w, http.StatusOK, "console.html", notice{Lang: lang, Other: other(lang)}, consolePolicy)
}

// The pages run no script but their own. A trace page may not connect anywhere once it is loaded: what it verifies, it
// verifies alone.
const (
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'none'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	s.renderWith(w, status, name, data, pagePolicy)
}

func (s *Server) renderWith(w http.ResponseWriter, status int, name string, data any, policy string) {
	var b bytes.Buffer
	if err := s.html.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("render page", zap.String("template", name), zap.Error(err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
}

// asset serves the built-in assets. Their names do not change with their content, so that they are checked again each time.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	b, err := assetFiles.ReadFile(path.Join("assets", path.Base(r.PathValue("file"))))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := hub.Sum(b)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, r.PathValue("file"), time.Time{}, bytes.NewReader(b))
}

// langOf is the language of an answer: ?lang=, else what the browser prefers, else Chinese.
func langOf(r *http.Request) string {
	switch q := r.URL.Query().Get("lang"); q {
	case "zh", "en":
		return q
	}
	matcher := language.NewMatcher([]language.Tag{language.Chinese, language.English})
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(tags) == 0 {
		return "zh"
	}
	if _, i, _ := matcher.Match(tags...); i == 1 {
		return "en"
	}
	return "zh"
}

// one chooses the words for one of something or for several.
func one(n int, singular, plural string) string {
	if n == 1 {
		return singular
	}
	return plural
}

// say chooses between the two languages, in templates too.
func say(lang, zh, en string) string { return Text{Zh: zh, En: en}.In(lang) }
