package http

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Access is how requests are authorised: by none or one of its fields.
type Access struct {
	// Bearer goes as Authorization: Bearer VALUE.
	Bearer strictyaml.Secret `yaml:"bearer"`
	// Basic is USER:PASSWORD (RFC 7617).
	Basic strictyaml.Secret `yaml:"basic"`
	// Header and Query carry a key under a name of the API's own.
	Header *Key `yaml:"header"`
	Query  *Key `yaml:"query"`
	// OAuth2 fetches a token by client credentials (RFC 6749 section 4.4).
	OAuth2 *OAuth2 `yaml:"oauth2"`
}

// Key is an API key.
type Key struct {
	Name  string            `yaml:"name,required"`
	Value strictyaml.Secret `yaml:"value,required"`
}

// OAuth2 is a client at a token endpoint.
type OAuth2 struct {
	TokenURL     string            `yaml:"tokenUrl,required"`
	ClientID     string            `yaml:"clientId,required"`
	ClientSecret strictyaml.Secret `yaml:"clientSecret,required"`
	Scope        string            `yaml:"scope"`
	// Parameters are what the endpoint asks for besides, such as audience or resource.
	Parameters map[string]string `yaml:"parameters"`
	// Style is where the client's credentials stand: "header" (HTTP Basic, the default) or "body".
	Style string `yaml:"style" enum:"header,body"`
}

// Check implements [strictyaml.Checker].
func (a *Access) Check(at strictyaml.Locator) hub.Faults {
	c, ways := checker{at: at}, 0
	for _, set := range []bool{a.Bearer.IsSet(), a.Basic.IsSet(), a.Header != nil, a.Query != nil, a.OAuth2 != nil} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		c.refuse("", "http.auth", "give one of bearer, basic, header, query and oauth2", "bearer、basic、header、query、oauth2 只能给出一个")
	}
	if a.OAuth2 != nil && a.OAuth2.TokenURL != "" {
		c.address("oauth2.tokenUrl", a.OAuth2.TokenURL)
	}
	return c.faults
}

// secrets are the values that must not show.
func (a *Access) secrets() []strictyaml.Secret {
	all := []strictyaml.Secret{a.Bearer, a.Basic}
	for _, k := range []*Key{a.Header, a.Query} {
		if k != nil {
			all = append(all, k.Value)
		}
	}
	if a.OAuth2 != nil {
		all = append(all, a.OAuth2.ClientSecret)
	}
	return all
}

// apply authorises a request. It is the only place where a secret enters one.
func (a *Access) apply(req *http.Request, token string) {
	switch {
	case a.Bearer.IsSet():
		req.Header.Set("Authorization", "Bearer "+a.Bearer.Reveal())
	case a.Basic.IsSet():
		user, password, _ := strings.Cut(a.Basic.Reveal(), ":")
		req.SetBasicAuth(user, password)
	case a.Header != nil:
		req.Header.Set(a.Header.Name, a.Header.Value.Reveal())
	case a.Query != nil:
		q := req.URL.Query()
		q.Set(a.Query.Name, a.Query.Value.Reveal())
		req.URL.RawQuery = q.Encode()
	case a.OAuth2 != nil:
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// bearer is an access token and until when it is good.
type bearer struct {
	value string
	until time.Time
}

// Bounds of what is believed about a token's life, and how much of it is left unused.
const (
	tokenMargin  = 30 * time.Second
	tokenDefault = 5 * time.Minute
	tokenLongest = 24 * time.Hour
	maxToken     = 1 << 20
)

// fetch asks the token endpoint.
func (o *OAuth2) fetch(ctx context.Context, c *Client) (bearer, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if o.Scope != "" {
		form.Set("scope", o.Scope)
	}
	for name, value := range o.Parameters {
		form.Set(name, value)
	}
	if o.Style == "body" {
		form.Set("client_id", o.ClientID)
		form.Set("client_secret", o.ClientSecret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return bearer{}, c.fault(hub.Invalid, "http.token", "the token URL is not valid").Because(c.clean(err))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if o.Style != "body" { // RFC 6749 section 2.3.1: each part form-encoded first
		req.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret.Reveal()))
	}
	a, err := c.send(req, maxToken)
	if err != nil {
		return bearer{}, err
	}
	var said struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(a.Body, &said); err != nil || said.AccessToken == "" {
		f := c.fault(hub.Unauthorized, "http.token", "the token endpoint gives no access_token")
		f.MessageZh = "令牌端点未给出 access_token"
		return bearer{}, f
	}
	life := tokenDefault
	if seconds, err := said.ExpiresIn.Float64(); err == nil && seconds >= 0 {
		life = min(time.Duration(seconds*float64(time.Second)), tokenLongest)
	}
	return bearer{said.AccessToken, c.now().Add(life - min(tokenMargin, life/2))}, nil
}
