package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const upsYAML = "preset: ups\nsecrets: ['${env:n:w s%cret}', '${env:old}']\noauth2: { clientId: ups-alerts, lifetime: 10m }\n"

// listen is a receiver with a clock of its own.
func listen(t *testing.T, connector hub.ConnectorID, text string, now *time.Time) connectors.Receiver {
	t.Helper()
	r, err := options(t, text).Listen(connectors.Env{Connector: connector, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func askToken(t *testing.T, r connectors.Receiver, form string, headers ...string) (connectors.Answer, map[string]any) {
	t.Helper()
	issuer, ok := r.(connectors.TokenIssuer)
	if !ok {
		t.Fatal("the receiver gives no tokens")
	}
	req := httptest.NewRequest(http.MethodPost, "/in/ups/token", strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a, err := issuer.Token(req)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(a.Body, &fields); err != nil {
		t.Fatalf("%s: %v", a.Body, err)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.ContentType != "application/json" {
		t.Errorf("header %v, media type %s", a.Header, a.ContentType)
	}
	return a, fields
}

// basicOf writes client credentials as RFC 6749, section 2.3.1, has them: form-encoded before base64.
func basicOf(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func tokenFor(t *testing.T, r connectors.Receiver, secret string) string {
	t.Helper()
	a, fields := askToken(t, r, "grant_type=client_credentials", "Authorization", basicOf("ups-alerts", secret))
	token, _ := fields["access_token"].(string)
	if a.Status != http.StatusOK || token == "" || fields["token_type"] != "Bearer" || fields["expires_in"] != 600.0 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return token
}

func push(r connectors.Receiver, headers ...string) error {
	req := httptest.NewRequest(http.MethodPost, "/in/ups", strings.NewReader(`{"trackingNumber":"1Z"}`))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	got, err := r.Receive(req)
	if err == nil && len(got.Items) != 1 {
		return errors.New("not one item")
	}
	return err
}

func TestATokenIsGoodUntilItExpires(t *testing.T) {
	now := at
	r := listen(t, "ups", upsYAML, &now)
	for _, secret := range []string{"n:w s%cret", "old"} {
		now = at
		token := tokenFor(t, r, secret)
		other := listen(t, "ups", upsYAML, &now) // another process of the hub, or the same one after a restart
		for _, r := range []connectors.Receiver{r, other} {
			now = at.Add(10*time.Minute - time.Second)
			if err := push(r, "Authorization", "Bearer "+token); err != nil {
				t.Errorf("within its lifetime: %v", err)
			}
			now = at.Add(10 * time.Minute)
			refusedToken(t, push(r, "Authorization", "Bearer "+token), "expired")
		}
	}
}

// refusedToken holds an error to what RFC 6750 tells a sender that must fetch another token.
func refusedToken(t *testing.T, err error, words string) {
	t.Helper()
	var refusal *connectors.Refusal
	if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized || hub.KindOf(err) != hub.Unauthorized ||
		refusal.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want a refusal that says %q", err, words)
	}
}

func TestATokenOfAnotherIsRefused(t *testing.T) {
	now := at
	r := listen(t, "ups", upsYAML, &now)
	good := tokenFor(t, r, "old")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	later := append([]byte(nil), raw...)
	later[7]++
	forged := append([]byte(nil), raw...)
	forged[20] ^= 1
	foreign := func(connector hub.ConnectorID, client string) string {
		r := listen(t, connector, strings.Replace(upsYAML, "ups-alerts", client, 1), &now)
		a, fields := askToken(t, r, "grant_type=client_credentials&client_id="+client+"&client_secret=old")
		token, _ := fields["access_token"].(string)
		if a.Status != http.StatusOK || token == "" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return token
	}
	for name, token := range map[string]string{
		"expiry put off":      base64.RawURLEncoding.EncodeToString(later),
		"forged":              base64.RawURLEncoding.EncodeToString(forged),
		"cut off":             good[:len(good)-4],
		"padded":              good + "=",
		"no base64":           "!" + good[1:],
		"of a connector":      foreign("ups2", "ups-alerts"),
		"of a client":         foreign("ups", "other"),
		"the secret itself":   "old",
		"of nothing":          strings.Repeat("A", len(good)),
		"with something more": good + "AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			refusedToken(t, push(r, "Authorization", "Bearer "+token), "none of this connector")
			refusedToken(t, push(r, "Authorization", "Bearer "+token, "x-api-key", "old"), "none of this connector")
		})
	}
	if err := push(r, "Authorization", "Bearer "+good); err != nil {
		t.Errorf("the token that they were made of: %v", err)
	}
	rotated := listen(t, "ups", strings.Replace(upsYAML, ", '${env:old}'", "", 1), &now)
	refusedToken(t, push(rotated, "Authorization", "Bearer "+good), "none of this connector")
}

func TestTheCredentialItselfIsTakenToo(t *testing.T) {
	now := at
	r := listen(t, "ups", upsYAML, &now)
	if err := push(r, "x-api-key", "old"); err != nil {
		t.Error(err)
	}
	if err := push(r, "credential", "n:w s%cret"); err != nil {
		t.Error(err)
	}
	for name, headers := range map[string][]string{"nothing": nil, "a wrong one": {"x-api-key", "olD"}} {
		if err := push(r, headers...); hub.KindOf(err) != hub.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenErrorsAreThoseOfRFC6749(t *testing.T) {
	now := at
	r := listen(t, "ups", upsYAML, &now)
	good := "client_id=ups-alerts&client_secret=old"
	for name, c := range map[string]struct {
		form    string
		headers []string
		status  int
		code    string
	}{
		"wrong secret":         {"grant_type=client_credentials&client_id=ups-alerts&client_secret=olD", nil, 401, "invalid_client"},
		"wrong client":         {"grant_type=client_credentials&client_id=ups&client_secret=old", nil, 401, "invalid_client"},
		"no client":            {"grant_type=client_credentials", nil, 401, "invalid_client"},
		"wrong in the header":  {"grant_type=client_credentials", []string{"Authorization", basicOf("ups-alerts", "no")}, 401, "invalid_client"},
		"two ways at once":     {"grant_type=client_credentials&client_secret=old", []string{"Authorization", basicOf("ups-alerts", "old")}, 400, "invalid_request"},
		"no grant":             {good, nil, 400, "invalid_request"},
		"another grant":        {"grant_type=password&" + good, nil, 400, "unsupported_grant_type"},
		"a parameter twice":    {"grant_type=client_credentials&grant_type=client_credentials&" + good, nil, 400, "invalid_request"},
		"not a form":           {`{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 400, "invalid_request"},
		"a form that is none":  {"grant_type=%zz", nil, 400, "invalid_request"},
		"a bad header":         {"grant_type=client_credentials", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:old"))}, 400, "invalid_request"},
		"wrong grant unproven": {"grant_type=password&client_id=ups-alerts&client_secret=no", nil, 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			a, fields := askToken(t, r, c.form, c.headers...)
			if a.Status != c.status || fields["error"] != c.code || len(fields) != 1 {
				t.Errorf("%d %s, want %d %s", a.Status, a.Body, c.status, c.code)
			}
			asksBasic := a.Header.Get("WWW-Authenticate") != ""
			if _, _, basic := (&http.Request{Header: headerOf(c.headers)}).BasicAuth(); asksBasic != (basic && c.status == 401) {
				t.Errorf("WWW-Authenticate: %q", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func headerOf(pairs []string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestWithoutOAuth2ThereAreNoTokens(t *testing.T) {
	now := at
	issuer, _ := listen(t, "ups", "preset: ups\nsecrets: ['${env:old}']\n", &now).(connectors.TokenIssuer)
	_, err := issuer.Token(httptest.NewRequest(http.MethodPost, "/in/ups/token", http.NoBody))
	if hub.KindOf(err) != hub.NotFound {
		t.Errorf("%v", err)
	}
}

func TestOAuth2NeverStandsInForASignature(t *testing.T) {
	for text, code := range map[string]string{
		"preset: github\nsecrets: ['${env:old}']\noauth2: { clientId: a }\n":              "webhook.recipe",
		"preset: token\nsecrets: ['${env:old}']\noauth2: { clientId: a }\n":               "webhook.recipe",
		"preset: ups\nsecrets: ['${env:old}']\noauth2: { clientId: a, lifetime: 48h }\n":  "webhook.recipe",
		"preset: ups\nsecrets: ['${env:old}']\noauth2: { lifetime: 1h }\n":                "yaml.missing-key",
		"preset: basic\nsecrets: ['${env:a:b}']\noauth2: { clientId: a, lifetime: 1h }\n": "",
	} {
		o, _ := webhook.Kind().Options().(*webhook.Options)
		lookup := func(_, name string) (string, error) { return name, nil }
		faults := strictyaml.Decode("x.yaml", []byte(text), o, strictyaml.Options{Lookup: lookup})
		if code == "" && len(faults) == 0 {
			continue
		}
		if len(faults) != 1 || faults[0].Code != code || faults[0].Where.Line != 3 {
			t.Errorf("%s: %v, want one %s", text, faults, code)
		}
	}
}
