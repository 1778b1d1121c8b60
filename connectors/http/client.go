package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Client sends requests to one server. Its faults say what the host is to do, and hold no secret.
type Client struct {
	access *Access
	http   http.Client
	now    func() time.Time
	limit  int64
	token  bearer
}

// Answer is an HTTP answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// newClient returns a client that reads at most limit bytes of an answer.
func newClient(access *Access, timeout time.Duration, limit int64, now func() time.Time) *Client {
	return &Client{
		access: access, limit: limit, now: now,
		http: http.Client{
			Timeout: timeout,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
				DialContext:         (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			},
			CheckRedirect: stayHere,
		},
	}
}

// maxRedirects is how often an answer may send us on.
const maxRedirects = 5

// errElsewhere refuses a redirect: a key in a header or a query would follow it.
var errElsewhere = errors.New("it redirects to another server")

func stayHere(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("it redirects in circles")
	}
	if !sameServer(req.URL, via[0].URL) {
		return errElsewhere
	}
	return nil
}

func sameServer(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
}

// Do authorises and sends a request and reads the answer. A token that the server refuses is fetched anew once. Answers
// of 2xx and 304 are no faults.
func (c *Client) Do(ctx context.Context, build func(ctx context.Context) (*http.Request, error)) (*Answer, error) {
	for attempt := 1; ; attempt++ {
		if err := c.authorise(ctx); err != nil {
			return nil, err
		}
		req, err := build(ctx)
		if err != nil {
			return nil, c.fault(hub.Invalid, "http.url", "the request cannot be built").Because(c.clean(err))
		}
		c.access.apply(req, c.token.value)
		a, err := c.send(req, c.limit)
		if c.access.OAuth2 != nil && attempt == 1 && hub.KindOf(err) == hub.Unauthorized {
			c.token = bearer{}
			continue
		}
		return a, err
	}
}

func (c *Client) authorise(ctx context.Context) error {
	o := c.access.OAuth2
	if o == nil || c.token.value != "" && c.now().Before(c.token.until) {
		return nil
	}
	var err error
	c.token, err = o.fetch(ctx, c)
	return err
}

// send does one exchange.
func (c *Client) send(req *http.Request, limit int64) (*Answer, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(req.Context(), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, c.unreachable(req.Context(), err)
	}
	a := &Answer{Status: res.StatusCode, Header: res.Header, Body: body}
	if ok := a.Status >= 200 && a.Status < 300 || a.Status == http.StatusNotModified; !ok {
		return nil, c.refusal(a)
	}
	if int64(len(body)) > limit {
		f := c.fault(hub.TooLarge, "http.too-large", fmt.Sprintf("the answer is larger than %d bytes", limit))
		f.MessageZh = fmt.Sprintf("应答超过 %d 字节", limit)
		f.Hint, f.HintZh = "ask for smaller pages, or raise maxBody", "请减小每页大小，或提高 maxBody"
		return nil, f
	}
	return a, nil
}

// unreachable classifies an exchange that did not take place.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	kind, code, zh := hub.Unavailable, "http.unreachable", "无法连接服务器"
	if errors.Is(err, errElsewhere) {
		kind, code, zh = hub.Invalid, "http.redirect", "服务器重定向到另一台服务器"
	}
	f := c.fault(kind, code, "cannot get an answer").Because(c.clean(err))
	f.MessageZh = zh
	return f
}

// refusal turns a status into what the host is to do.
func (c *Client) refusal(a *Answer) error {
	f := c.fault(hub.Invalid, "http.refused", fmt.Sprintf("the server answers %d %s%s", a.Status, http.StatusText(a.Status), c.excerpt(a.Body)))
	f.MessageZh = fmt.Sprintf("服务器应答 %d", a.Status)
	switch {
	case a.Status == http.StatusForbidden && a.Header.Get("Retry-After") != "": // some say it of their rate limit
		f.Kind, f.Code = hub.Unavailable, "http.busy"
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, a.Status == http.StatusProxyAuthRequired:
		f.Kind, f.Code = hub.Unauthorized, "http.unauthorized"
		f.Hint, f.HintZh = "check auth and the rights of the account", "请检查 auth 及账户权限"
	case a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly, a.Status == http.StatusTooManyRequests, a.Status >= 500:
		f.Kind, f.Code = hub.Unavailable, "http.busy"
	case a.Status >= 300 && a.Status < 400:
		f.Hint, f.HintZh = "write the address that it redirects to", "请填写重定向后的地址"
	default:
		f.Hint, f.HintZh = "check url, query, headers and body", "请检查 url、query、headers 与 body"
	}
	if after := retryAfter(a.Header, c.now()); after > 0 && f.Kind == hub.Unavailable {
		return &connectors.Later{After: after, Fault: f}
	}
	return f
}

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), in seconds or as a date; 0 when there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<30)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// excerptSize is how much of an answer stands in a fault.
const excerptSize = 200

// excerpt is what the server says of a refusal, without secrets.
func (c *Client) excerpt(body []byte) string {
	said := strings.TrimSpace(c.redact(string(body[:min(len(body), maxToken)])))
	said = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, said)
	if runes := []rune(said); len(runes) > excerptSize {
		said = string(runes[:excerptSize]) + "…"
	}
	if said == "" {
		return ""
	}
	return ": " + said
}

// fault is a fault of this client.
func (c *Client) fault(kind hub.Kind, code, message string) *hub.Fault {
	return &hub.Fault{Kind: kind, Code: code, Message: message}
}

// clean drops the URL from an error, which may hold a key, and every secret.
func (c *Client) clean(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return errors.New(c.redact(err.Error()))
}

// redact replaces every secret, as it is and as it stands in a URL.
func (c *Client) redact(s string) string {
	for _, secret := range c.access.secrets() {
		value := secret.Reveal()
		if value == "" {
			continue
		}
		parts := []string{value, url.QueryEscape(value)}
		if _, password, ok := strings.Cut(value, ":"); ok && password != "" && value == c.access.Basic.Reveal() {
			parts = append(parts, password)
		}
		for _, part := range parts {
			s = strings.ReplaceAll(s, part, secret.String())
		}
	}
	if c.token.value != "" {
		s = strings.ReplaceAll(s, c.token.value, "***")
	}
	return s
}

// Close gives the connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }
