package webhook

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	wire "encoding/binary"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// OAuth2 makes the instance its sender's token endpoint: senders such as UPS Track Alert fetch a bearer token from the
// receiver, by the client credentials grant (RFC 6749, section 4.4), and send it with every message.
type OAuth2 struct {
	// ClientID is the id that the sender was told; its client secret is any one of the instance's secrets.
	ClientID string `yaml:"clientId,required"`
	// Lifetime is how long a token is good, 1h by default.
	Lifetime time.Duration `yaml:"lifetime"`
}

const (
	defaultLifetime = time.Hour
	maxTokenRequest = 8 << 10
)

// issuer makes and checks tokens. It keeps nothing: a token is its time of expiry and an HMAC over that time, the
// connector and the client, so that each process of a hub takes what another one gave.
type issuer struct {
	connector hub.ConnectorID
	client    string
	lifetime  time.Duration
	secrets   []string
	keys      [][]byte // one for each secret
	now       func() time.Time
}

func newIssuer(o *OAuth2, secrets []string, env connectors.Env) (*issuer, error) {
	i := &issuer{connector: env.Connector, client: o.ClientID, lifetime: o.Lifetime, secrets: secrets, now: env.Now}
	if i.lifetime == 0 {
		i.lifetime = defaultLifetime
	}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, "suyuan webhook access token", sha256.Size)
		if err != nil {
			return nil, hub.Faultf(hub.Internal, "webhook.token-key", "cannot derive the key of the tokens").Because(err)
		}
		i.keys = append(i.keys, key)
	}
	return i, nil
}

// sum is the HMAC over what a token says. The lengths keep the connector and the client apart.
func (i *issuer) sum(key, expiry []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(expiry)
	for _, text := range []string{string(i.connector), i.client} {
		h.Write(wire.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return h.Sum(nil)
}

func (i *issuer) issue(key []byte) string {
	expiry := wire.BigEndian.AppendUint64(nil, uint64(i.now().Add(i.lifetime).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(expiry, i.sum(key, expiry)...))
}

// check refuses a token that is not of this issuer, or no longer.
func (i *issuer) check(token string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != 8+sha256.Size {
		return badToken("the bearer token is none of this connector", "该令牌不是此连接器签发的")
	}
	matched := 0
	for _, key := range i.keys {
		matched |= subtle.ConstantTimeCompare(b[8:], i.sum(key, b[:8]))
	}
	switch {
	case matched != 1:
		return badToken("the bearer token is none of this connector", "该令牌不是此连接器签发的")
	case uint64(i.now().Unix()) >= wire.BigEndian.Uint64(b):
		return badToken("the bearer token has expired", "该令牌已过期")
	}
	return nil
}

// badToken is the refusal that RFC 6750, section 3.1, asks for: it tells the sender to fetch another token.
func badToken(en, zh string) error {
	f := denied("webhook.token", en, zh)
	f.Hint, f.HintZh = "fetch a new one from the token endpoint", "请向令牌端点重新获取"
	return &connectors.Refusal{
		Status: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}, Fault: f,
	}
}

// Token implements [connectors.TokenIssuer]. The errors of RFC 6749, section 5.2, are answers.
func (w *receiver) Token(r *http.Request) (connectors.Answer, error) {
	if w.issuer == nil {
		f := hub.Faultf(hub.NotFound, "webhook.no-tokens", "this connector gives no tokens").
			WithHint("add oauth2: { clientId: NAME } to the instance file if its sender fetches tokens")
		f.MessageZh = "此连接器不签发令牌"
		return connectors.Answer{}, f
	}
	if r.Method != http.MethodPost {
		return connectors.Answer{}, connectors.MethodNotAllowed(http.MethodPost)
	}
	form, err := tokenForm(r)
	if err != nil {
		return connectors.Answer{}, err
	}
	if form == nil {
		return tokenError(http.StatusBadRequest, "invalid_request"), nil
	}
	client, secret, basic, ok := clientOf(r, form)
	if !ok {
		return tokenError(http.StatusBadRequest, "invalid_request"), nil
	}
	key := w.issuer.keyOf(client, secret)
	switch {
	case key == nil:
		a := tokenError(http.StatusUnauthorized, "invalid_client")
		if basic {
			a.Header.Set("WWW-Authenticate", `Basic realm="suyuan"`)
		}
		return a, nil
	case form.Get("grant_type") == "":
		return tokenError(http.StatusBadRequest, "invalid_request"), nil
	case form.Get("grant_type") != "client_credentials":
		return tokenError(http.StatusBadRequest, "unsupported_grant_type"), nil
	}
	return tokenAnswer(http.StatusOK, map[string]any{
		"access_token": w.issuer.issue(key), "token_type": "Bearer", "expires_in": int(w.issuer.lifetime.Seconds()),
	}), nil
}

// tokenForm reads the parameters, or returns nil when they are malformed or one stands twice.
func tokenForm(r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxTokenRequest)
	body, err := connectors.ReadBody(r)
	if err != nil {
		return nil, err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, nil //nolint:nilerr // nil says it
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, nil
		}
	}
	return form, nil
}

// clientOf returns what the client says of itself, in the header or in the form; both are one too many (section 2.3).
func clientOf(r *http.Request, form url.Values) (id, secret string, basic, ok bool) {
	user, password, basic := r.BasicAuth()
	if !basic {
		return form.Get("client_id"), form.Get("client_secret"), false, true
	}
	id, err := url.QueryUnescape(user)
	if err != nil {
		return "", "", true, false
	}
	secret, err = url.QueryUnescape(password)
	return id, secret, true, err == nil && !form.Has("client_secret")
}

// keyOf returns the key of the secret that the client knows, or nil. It looks at every secret, whichever is right.
func (i *issuer) keyOf(client, secret string) []byte {
	var key []byte
	known := same(client, i.client)
	for n, s := range i.secrets {
		if known&same(secret, s) == 1 {
			key = i.keys[n]
		}
	}
	return key
}

// same compares two texts in a time that tells nothing of either.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func tokenError(status int, code string) connectors.Answer {
	return tokenAnswer(status, map[string]any{"error": code})
}

func tokenAnswer(status int, fields map[string]any) connectors.Answer {
	body, err := json.Marshal(fields)
	if err != nil { // cannot happen: texts and a number
		panic("webhook: marshal token answer: " + err.Error())
	}
	return connectors.Answer{
		Status: status, ContentType: "application/json", Body: body,
		Header: http.Header{"Cache-Control": {"no-store"}, "Pragma": {"no-cache"}},
	}
}
