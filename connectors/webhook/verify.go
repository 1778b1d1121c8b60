package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // some senders know nothing better; the key is in the hashed text
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/suyuan-io/suyuan/hub"
)

// Verifier checks requests against one scheme and its secrets. It is safe for concurrent use.
type Verifier struct {
	scheme  Scheme
	id      *place
	payload *place
	recipes []compiled
}

// compiled is a recipe with its parsed places and its keys.
type compiled struct {
	Recipe

	location      place
	timestamp, id *place
	signed        []part
	keys          []key
}

// key is one secret: its bytes, and for signing with ed25519 its private half.
type key struct {
	bytes   []byte
	private ed25519.PrivateKey
	// hashes are keyed hashes of an HMAC scheme, each ready for a message: to key one costs as much as to hash a short
	// message. It is nil for the other algorithms.
	hashes *sync.Pool
}

// Verdict is what a valid request brought.
type Verdict struct {
	// ID is the sender's id of the message, "" when it has none.
	ID string
	// Payload is the record; it is the body unless the scheme says otherwise. ContentType is its media type.
	Payload     []byte
	ContentType string
	// SentAt is the time of the attempt, zero when the scheme has none.
	SentAt time.Time
}

// NewVerifier returns the verifier of a scheme. Any one of the secrets may have signed (rotation). It is a fault of kind
// Invalid when the scheme is wrong, or when no secret is usable with it.
func NewVerifier(s Scheme, secrets ...string) (*Verifier, error) {
	v := &Verifier{scheme: s}
	var err error
	if v.id, err = optionalPlace(s.ID); err != nil {
		return nil, err
	}
	if v.payload, err = optionalPlace(s.Payload); err != nil {
		return nil, err
	}
	usable := 0
	for i, r := range s.Recipes {
		c, err := compile(r)
		if err != nil {
			return nil, err
		}
		for _, secret := range secrets {
			k, ok, err := keyOf(s.Recipes, i, secret)
			if err != nil {
				return nil, err
			}
			if ok {
				k.hashes = c.pool(k)
				c.keys = append(c.keys, k)
				usable++
			}
		}
		v.recipes = append(v.recipes, c)
	}
	if usable == 0 {
		f := hub.Faultf(hub.Invalid, "webhook.no-secret", "no usable secret is given: every request would be refused")
		f.MessageZh = "没有可用的密钥：所有请求都会被拒绝"
		return nil, f
	}
	return v, nil
}

func compile(r Recipe) (compiled, error) {
	c := compiled{Recipe: r}
	if c.Tolerance == 0 {
		c.Tolerance = defaultTolerance
	}
	var err error
	if c.location, err = parsePlace(r.Location); err != nil {
		return c, err
	}
	if c.timestamp, err = optionalPlace(r.Timestamp); err != nil {
		return c, err
	}
	if c.id, err = optionalPlace(r.ID); err != nil {
		return c, err
	}
	c.signed, err = parseTemplate(r.Signed)
	return c, err
}

func optionalPlace(text string) (*place, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // an absent place is no fault
	}
	p, err := parsePlace(text)
	return &p, err
}

// keyOf makes the key of recipe i from a secret. A secret that bears another recipe's prefix is not for this one; one
// that bears none is for the first.
func keyOf(recipes []Recipe, i int, secret string) (k key, ok bool, err error) {
	r := recipes[i]
	private := strings.TrimSuffix(r.SecretPrefix, "pk_") + "sk_" // whpk_ has its private half under whsk_
	text, marked := strings.CutPrefix(secret, r.SecretPrefix)
	switch {
	case r.Algorithm == "ed25519" && r.SecretPrefix != "" && strings.HasPrefix(secret, private):
		return privateKey(r, strings.TrimPrefix(secret, private))
	case r.SecretPrefix != "" && !marked && (i > 0 || bearsPrefix(recipes, secret)):
		return k, false, nil
	}
	if k.bytes, err = decodeSecret(r, text); err != nil {
		return k, false, err
	}
	if r.Algorithm == "ed25519" && len(k.bytes) != ed25519.PublicKeySize {
		return k, false, badSecret("an ed25519 public key has %d bytes, this one %d", ed25519.PublicKeySize, len(k.bytes))
	}
	return k, len(k.bytes) > 0, nil
}

func privateKey(r Recipe, text string) (k key, ok bool, err error) {
	b, err := decodeSecret(r, text)
	switch {
	case err != nil:
		return k, false, err
	case len(b) == ed25519.SeedSize:
		k.private = ed25519.NewKeyFromSeed(b)
	case len(b) == ed25519.PrivateKeySize:
		k.private = ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
	default:
		return k, false, badSecret("an ed25519 private key has 32 or 64 bytes, this one %d", len(b))
	}
	k.bytes = k.private[ed25519.SeedSize:]
	return k, true, nil
}

func bearsPrefix(recipes []Recipe, secret string) bool {
	for _, r := range recipes {
		sk := strings.TrimSuffix(r.SecretPrefix, "pk_") + "sk_"
		if r.SecretPrefix != "" && (strings.HasPrefix(secret, r.SecretPrefix) || strings.HasPrefix(secret, sk)) {
			return true
		}
	}
	return false
}

func decodeSecret(r Recipe, text string) ([]byte, error) {
	if r.Normalise == "nfkd" {
		text = norm.NFKD.String(text)
	}
	var b []byte
	var err error
	switch r.SecretEncoding {
	case "base64":
		b, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")) // some senders show it without its padding
	case "hex":
		b, err = hex.DecodeString(text)
	default:
		b = []byte(text)
	}
	if err != nil { // the cause would quote the secret
		return nil, badSecret("a secret is not valid %s", r.SecretEncoding).
			WithHint("copy it whole, as the sender shows it; @FILE or ${file:…} keeps the shell from changing it")
	}
	return b, nil
}

func badSecret(format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "webhook.secret", format, args...)
	f.MessageZh = "密钥格式无效"
	return f
}

// Verify checks a request at the time now. Its faults are of kind Unauthorized, and say what to look at without saying
// what the right signature would have been.
func (v *Verifier) Verify(r *Request, now time.Time) (Verdict, error) {
	var first error
	for i := range v.recipes {
		verdict, err := v.recipes[i].verify(r, now)
		if err == nil {
			return v.complete(r, verdict)
		}
		// A recipe without keys or signatures in the request explains nothing if another one was tried in earnest.
		if first == nil || hub.AsFault(first).Code == codeMissing {
			first = err
		}
	}
	return Verdict{}, first
}

// complete adds to a verdict what the scheme knows beyond the recipe.
func (v *Verifier) complete(r *Request, verdict Verdict) (Verdict, error) {
	verdict.Payload, verdict.ContentType = r.Body, r.Header.Get("Content-Type")
	if v.payload != nil {
		text, ok := r.one(*v.payload)
		if !ok {
			f := hub.Faultf(hub.Invalid, "webhook.payload", "the request has no %s", v.scheme.Payload)
			f.MessageZh = "请求中没有 " + v.scheme.Payload
			f.Hint, f.HintZh = "send the record there; payload: in the instance file names the place", "请在该处发送记录；位置由实例文件的 payload 指定"
			return Verdict{}, f
		}
		verdict.Payload, verdict.ContentType = []byte(text), ""
	}
	if verdict.ID == "" && v.id != nil {
		verdict.ID, _ = r.one(*v.id)
	}
	return verdict, nil
}

const codeMissing = "webhook.signature-missing"

func (c *compiled) verify(r *Request, now time.Time) (Verdict, error) {
	var verdict Verdict
	signatures := c.signatures(r)
	if len(signatures) == 0 || len(c.keys) == 0 {
		f := denied(codeMissing, "there is no signature in "+c.Location, "在 "+c.Location+" 中没有签名")
		f.Hint, f.HintZh = "send it there; a proxy on the way may have dropped it", "请在该处附上签名；也可能被途中的代理去掉"
		return verdict, f
	}
	vars, err := c.variables(r, &verdict)
	if err != nil {
		return verdict, err
	}
	matched := 0
	for _, k := range c.keys {
		measure, err := c.measure(r, vars, k)
		if err != nil {
			return verdict, err
		}
		for _, s := range signatures {
			matched |= c.matches(k, measure, s)
		}
	}
	if matched != 1 {
		f := denied("webhook.signature", "no signature in "+c.Location+" matches", c.Location+" 中没有匹配的签名")
		f.Hint = "sign the raw body bytes as sent, with the secret that the hub was given"
		f.HintZh = "请用约定的密钥对原始请求体签名"
		return verdict, f
	}
	if age := now.Sub(verdict.SentAt); c.timestamp != nil && (age > c.Tolerance || age < -c.Tolerance) {
		f := denied("webhook.timestamp", fmt.Sprintf("the timestamp is %s from now, %s is tolerated",
			age.Abs().Round(time.Second), c.Tolerance), "时间戳与当前时间相差过大")
		f.Hint = "compare the sender's clock with the Date of this answer, which is the hub's; sign each attempt anew"
		f.HintZh = "请对比发送方时钟与响应的 Date 头（平台时钟），并为每次发送重新签名"
		return verdict, f
	}
	return verdict, nil
}

// maxSignatures bounds the work that one header can cause.
const maxSignatures = 32

// signatures returns the decoded signatures that bear the recipe's prefix.
func (c *compiled) signatures(r *Request) [][]byte {
	var out [][]byte
	for _, value := range r.all(c.location) {
		for more, tried := true, 0; more && tried < maxSignatures; tried++ {
			text := value
			if more = c.Separator != ""; more {
				text, value, more = strings.Cut(value, c.Separator)
			}
			text, ok := strings.CutPrefix(text, c.Prefix)
			if !ok || text == "" || len(out) == maxSignatures {
				continue
			}
			if b, err := c.decode(text); err == nil && len(b) > 0 {
				out = append(out, b)
			}
		}
	}
	return out
}

func (c *compiled) decode(text string) ([]byte, error) {
	if c.Algorithm == "token" {
		return []byte(text), nil
	}
	switch c.Encoding {
	case "base64":
		return base64.StdEncoding.DecodeString(text)
	case "base64url":
		return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	default:
		return hex.DecodeString(text)
	}
}

func (c *compiled) encode(b []byte) string {
	if c.Algorithm == "token" {
		return string(b)
	}
	switch c.Encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString(b)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(b)
	case "hex-upper":
		return strings.ToUpper(hex.EncodeToString(b))
	default:
		return hex.EncodeToString(b)
	}
}

// variables are what a template may need of a request besides its body: id and timestamp as text.
type variables struct{ id, timestamp string }

// variables reads id and timestamp.
func (c *compiled) variables(r *Request, verdict *Verdict) (vars variables, err error) {
	if c.id != nil {
		id, ok := r.one(*c.id)
		if !ok {
			return vars, denied("webhook.id-missing", "there is no message id in "+c.ID, "在 "+c.ID+" 中没有消息 id")
		}
		vars.id, verdict.ID = id, id
	}
	if c.timestamp != nil {
		text, ok := r.one(*c.timestamp)
		if !ok {
			return vars, denied("webhook.timestamp-missing", "there is no timestamp in "+c.Timestamp, "在 "+c.Timestamp+" 中没有时间戳")
		}
		t, err := parseTimestamp(c.TimestampFormat, text)
		if err != nil {
			return vars, denied("webhook.timestamp", "the timestamp in "+c.Timestamp+" is not readable", c.Timestamp+" 中的时间戳无法识别")
		}
		vars.timestamp, verdict.SentAt = text, t
	}
	return vars, nil
}

func parseTimestamp(format, text string) (time.Time, error) {
	if format == "rfc3339" {
		return time.Parse(time.RFC3339, text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return time.Time{}, fmt.Errorf("not a count of seconds: %q", text)
	}
	if format == "unix-millis" {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// write writes the signed bytes.
func (c *compiled) write(w io.Writer, r *Request, vars variables, k key) error {
	var room [128]byte
	for _, p := range c.signed {
		part := room[:0]
		switch {
		case p.literal != "":
			part = append(part, p.literal...)
		case p.variable == "body":
			part = r.Body
		case p.variable == "secret":
			part = k.bytes
		case p.variable == "id":
			part = append(part, vars.id...)
		case p.variable == "timestamp":
			part = append(part, vars.timestamp...)
		case p.variable == "form":
			form := r.formValues()
			for _, name := range slices.Sorted(maps.Keys(form)) {
				for _, value := range form[name] {
					part = append(append(part, name...), value...)
				}
			}
		default:
			value, ok := r.one(p.place)
			if !ok {
				return denied("webhook.signed-part-missing", "a signed part of the request is missing", "缺少被签名的内容")
			}
			part = append(part, value...)
		}
		_, _ = w.Write(part) // a hash or a buffer, which takes everything
	}
	return nil
}

// measure is what signatures under k are held against: the signed bytes where the scheme has a public half, the secret
// where it is sent itself, otherwise the right signature.
func (c *compiled) measure(r *Request, vars variables, k key) ([]byte, error) {
	switch c.Algorithm {
	case "ed25519":
		var message bytes.Buffer
		err := c.write(&message, r, vars, k)
		return message.Bytes(), err
	case "token":
		return k.bytes, nil
	}
	return c.sum(r, vars, k)
}

// matches returns 1 if s is a signature under k by its measure, in constant time for a given length.
func (c *compiled) matches(k key, measure, s []byte) int {
	switch c.Algorithm {
	case "ed25519":
		if len(s) == ed25519.SignatureSize && ed25519.Verify(k.bytes, measure, s) {
			return 1
		}
		return 0
	case "token":
		got, want := sha256.Sum256(s), sha256.Sum256(measure)
		return subtle.ConstantTimeCompare(got[:], want[:])
	default:
		return subtle.ConstantTimeCompare(s, measure)
	}
}

// sum makes the signature of the algorithms that have no public half.
func (c *compiled) sum(r *Request, vars variables, k key) ([]byte, error) {
	if k.hashes != nil {
		h, _ := k.hashes.Get().(hash.Hash)
		defer k.hashes.Put(h)
		h.Reset()
		err := c.write(h, r, vars, k)
		return h.Sum(nil), err
	}
	var h hash.Hash
	switch c.Algorithm {
	case "md5":
		h = md5.New() //nolint:gosec // see the import
	case "sha1":
		h = sha1.New() //nolint:gosec // see the import
	case "sha256":
		h = sha256.New()
	default: // an algorithm that nobody knows matches nothing
		return nil, nil
	}
	err := c.write(h, r, vars, k)
	return h.Sum(nil), err
}

// pool makes the hashes of a key.
func (c *compiled) pool(k key) *sync.Pool {
	inner, ok := map[string]func() hash.Hash{"hmac-sha256": sha256.New, "hmac-sha1": sha1.New, "hmac-sha512": sha512.New}[c.Algorithm]
	if !ok {
		return nil
	}
	return &sync.Pool{New: func() any { return hmac.New(inner, k.bytes) }}
}
