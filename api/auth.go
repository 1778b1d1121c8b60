package api

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Keyring is where API keys are.
type Keyring interface {
	PutKey(ctx context.Context, k hub.Key) error
	KeyByHash(ctx context.Context, h hub.Digest) (hub.Key, error)
	Keys(ctx context.Context) ([]hub.Key, error)
	RevokeKey(ctx context.Context, id string, at time.Time) error
}

// keyPrefix begins every secret, so that scanners for leaked credentials find it.
const keyPrefix = "suyuan_"

// NewKey makes a key with 160 random bits and returns it with its secret, which is shown once and stored nowhere.
func NewKey(provider hub.ProviderID, scopes []hub.Scope, note string, now time.Time) (hub.Key, string) {
	var b [25]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	enc := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
	secret := keyPrefix + enc[8:]
	return hub.Key{
		ID: "k-" + enc[:8], Hash: hub.Sum([]byte(secret)), Provider: provider, Scopes: scopes, Note: note, CreatedAt: now.UTC(),
	}, secret
}

// EnsureAdmin makes an admin key if no good one is there, and returns its secret to be printed once, or "".
func EnsureAdmin(ctx context.Context, ring Keyring, now time.Time) (string, error) {
	keys, err := ring.Keys(ctx)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(keys, func(k hub.Key) bool { return k.RevokedAt.IsZero() && slices.Contains(k.Scopes, hub.ScopeAdmin) }) {
		return "", nil
	}
	k, secret := NewKey("hub", []hub.Scope{hub.ScopeAdmin}, "made at first start", now)
	return secret, ring.PutKey(ctx, k)
}

// keyCache keeps the verdicts on secrets for a moment, so that not every request reads the store.
type keyCache struct {
	ring Keyring
	now  func() time.Time
	mu   sync.Mutex
	kept map[hub.Digest]keptKey
}

type keptKey struct {
	key   hub.Key
	until time.Time
}

// The cache holds a revoked key good for at most keyTTL.
const (
	keyTTL   = 5 * time.Second
	keysKept = 4096
)

func (c *keyCache) find(ctx context.Context, secret string) (hub.Key, error) {
	h := hub.Sum([]byte(secret))
	now := c.now()
	c.mu.Lock()
	if k, ok := c.kept[h]; ok && now.Before(k.until) {
		c.mu.Unlock()
		return k.key, nil
	}
	c.mu.Unlock()
	k, err := c.ring.KeyByHash(ctx, h)
	if err != nil {
		return hub.Key{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= keysKept {
		clear(c.kept)
	}
	c.kept[h] = keptKey{key: k, until: now.Add(keyTTL)}
	return k, nil
}

// secretOf returns the API key that a request presents: a bearer token, X-API-Key, or the password of Basic.
func secretOf(r *http.Request) string {
	if v, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(v)
	}
	if v := r.Header.Get("X-API-Key"); v != "" {
		return v
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return ""
}

// Authorize returns the key of a request if it is good and has one of the scopes; admin has them all.
func (s *Server) Authorize(r *http.Request, scopes ...hub.Scope) (hub.Key, error) {
	secret := secretOf(r)
	if secret == "" {
		return hub.Key{}, unauthorized("key.missing", "no API key was sent", "没有提供 API 密钥")
	}
	k, err := s.keys.find(r.Context(), secret)
	if hub.KindOf(err) == hub.NotFound || (err == nil && !k.RevokedAt.IsZero()) {
		return hub.Key{}, unauthorized("key.unknown", "the API key is not known or was revoked", "API 密钥无效或已吊销")
	}
	if err != nil {
		return hub.Key{}, err
	}
	if slices.Contains(k.Scopes, hub.ScopeAdmin) || slices.ContainsFunc(scopes, func(sc hub.Scope) bool { return slices.Contains(k.Scopes, sc) }) {
		return k, nil
	}
	f := hub.Faultf(hub.Forbidden, "key.scope", "the key %s lacks the scope %s", k.ID, scopes[0]).
		WithHint("ask the hub's operator for a key with this scope")
	f.MessageZh, f.HintZh = "该密钥没有所需的权限", "请向溯源平台运营方申请相应权限的密钥"
	return hub.Key{}, f
}

func unauthorized(code, en, zh string) *hub.Fault {
	f := hub.Faultf(hub.Unauthorized, code, "%s", en).WithHint("send it as: Authorization: Bearer suyuan_…")
	f.MessageZh, f.HintZh = zh, "请在请求头中发送 Authorization: Bearer suyuan_…"
	return f
}

// sees reports whether a key may read what a provider stated.
func sees(k hub.Key, p hub.ProviderID) bool {
	return k.Provider == p || slices.Contains(k.Scopes, hub.ScopeAdmin) || slices.Contains(k.Scopes, hub.ScopeAudit)
}
