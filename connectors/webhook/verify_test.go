package webhook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

const secret = "whsec_c3V5dWFuLXRlc3Qtc2VjcmV0LTI0Yg=="

var at = time.Unix(1_700_000_000, 0)

func verifier(t testing.TB, preset string, secrets ...string) *webhook.Verifier {
	t.Helper()
	s, ok := webhook.Preset(preset)
	if !ok {
		t.Fatalf("no preset %s", preset)
	}
	v, err := webhook.NewVerifier(s, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStandardWebhooksVectors(t *testing.T) {
	data, err := os.ReadFile(vectors.Path(t, "webhooks", "standard_webhooks_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Secret, Payload, Case string
			Headers               map[string]string
			Now                   int64
			Valid                 bool
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) < 15 {
		t.Fatal(err, len(file.Vectors))
	}
	scheme, _ := webhook.Preset("standard-webhooks")
	for _, vector := range file.Vectors {
		t.Run(vector.Case, func(t *testing.T) {
			h := http.Header{}
			for k, v := range vector.Headers {
				h.Set(k, v)
			}
			v, err := webhook.NewVerifier(scheme, vector.Secret)
			if err == nil {
				_, err = v.Verify(&webhook.Request{Header: h, Body: []byte(vector.Payload)}, time.Unix(vector.Now, 0))
			}
			if (err == nil) != vector.Valid {
				t.Errorf("valid = %v, want %v: %v", err == nil, vector.Valid, err)
			}
		})
	}
}

func TestGitHubVector(t *testing.T) {
	data, err := os.ReadFile(vectors.Path(t, "webhooks", "github_hub_signature_256.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vector struct{ Secret, Payload, Signature string }
	if err := json.Unmarshal(data, &vector); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("X-Hub-Signature-256", vector.Signature)
	h.Set("X-Github-Delivery", "d-1")
	v := verifier(t, "github", vector.Secret)
	got, err := v.Verify(&webhook.Request{Header: h, Body: []byte(vector.Payload)}, at)
	if err != nil || got.ID != "d-1" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := v.Verify(&webhook.Request{Header: h, Body: []byte(vector.Payload + " ")}, at); err == nil {
		t.Error("a changed body passes")
	}
}

func TestSecretsWithoutTheirPadding(t *testing.T) {
	for _, padded := range []string{"whsec_c3V5dWFuLXRlc3Qtc2VjcmV0LTI0Yi4u", "whsec_c3V5dWFuLXRlc3Qtc2VjcmV0LTI0Yi4=", secret} {
		signed, err := verifier(t, "standard-webhooks", padded).Sign([]byte("{}"), "application/json", "msg_1", at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier(t, "standard-webhooks", strings.TrimRight(padded, "=")).Verify(signed, at); err != nil {
			t.Errorf("%s without its padding: %v", padded, err)
		}
	}
	scheme, _ := webhook.Preset("standard-webhooks")
	if _, err := webhook.NewVerifier(scheme, "whsec_c3V5dWF="+"uLXRlc3Q"); err == nil {
		t.Error("padding in the middle is accepted")
	}
}

// TestPublishedLibraryAgrees lets the library of the specification's authors verify what we sign, and the reverse.
func TestPublishedLibraryAgrees(t *testing.T) {
	library, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, "standard-webhooks", secret)
	now := time.Now()
	for _, body := range []string{`{"a":1}`, "", "\x00\xff", strings.Repeat("启", 1000)} {
		ours, err := v.Sign([]byte(body), "application/json", "msg_1", now)
		if err != nil {
			t.Fatal(err)
		}
		if err := library.Verify(ours.Body, ours.Header); err != nil {
			t.Errorf("the library refuses ours: %v", err)
		}
		theirs, err := library.Sign("msg_2", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("webhook-id", "msg_2")
		h.Set("webhook-timestamp", ours.Header.Get("webhook-timestamp"))
		h.Set("webhook-signature", theirs)
		if _, err := v.Verify(&webhook.Request{Header: h, Body: []byte(body)}, now); err != nil {
			t.Errorf("we refuse the library's: %v", err)
		}
	}
}

func TestEverySchemeVerifiesWhatItSigns(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	for name, secrets := range map[string][2]string{ // sender's, receiver's
		"standard-webhooks": {secret, secret},
		"ed25519":           {"whsk_" + b64(private), "whpk_" + b64(public)},
		"github":            {"s", "s"},
		"shopify":           {"s", "s"},
		"stripe":            {"s", "s"},
		"easypost":          {"sécret", "sécret"}, // NFKD makes both one
		"aftership":         {"s", "s"},
		"kuaidi100":         {"salt", "salt"},
		"ups":               {"credential", "credential"},
		"token":             {"t0ken", "t0ken"},
		"basic":             {"user:pass:word", "user:pass:word"},
	} {
		t.Run(name, func(t *testing.T) {
			preset := strings.Replace(name, "ed25519", "standard-webhooks", 1)
			sender := verifier(t, preset, secrets[0])
			receiver := verifier(t, preset, "whsec_"+b64([]byte("an older secret, rotated")), secrets[1])
			req, err := sender.Sign([]byte(`{"id":"m1","event_id":"m1"}`), "application/json", "m1", at)
			if err != nil {
				t.Fatal(err)
			}
			got, err := receiver.Verify(req, at.Add(time.Minute))
			if err != nil {
				t.Fatalf("%v\n%+v", err, req)
			}
			if string(got.Payload) != `{"id":"m1","event_id":"m1"}` {
				t.Errorf("payload %s", got.Payload)
			}
			for what, spoil := range map[string]func(*webhook.Request){
				"no headers": func(r *webhook.Request) {
					r.Header = http.Header{"Content-Type": r.Header["Content-Type"]}
					r.Body = []byte(strings.Replace(string(r.Body), "sign=", "sig=", 1))
				},
				"changed body": func(r *webhook.Request) { r.Body = []byte(strings.Replace(string(r.Body), "m1", "m2", 1)) },
			} {
				bad := *req
				spoil(&bad)
				fresh := webhook.Request{Method: bad.Method, Header: bad.Header, Body: bad.Body, Query: url.Values{}}
				_, err := receiver.Verify(&fresh, at)
				tokenOnly := name == "ups" || name == "token" || name == "basic"
				if what == "changed body" && tokenOnly {
					continue
				}
				if hub.KindOf(err) != hub.Unauthorized {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	v := verifier(t, "standard-webhooks", secret)
	signed := func() *webhook.Request {
		r, err := v.Sign([]byte("x"), "text/plain", "m", at)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, tc := range map[string]struct {
		spoil func(h http.Header)
		now   time.Time
		code  string
	}{
		"good at the edge of the tolerance": {func(http.Header) {}, at.Add(5 * time.Minute), ""},
		"old":                               {func(http.Header) {}, at.Add(5*time.Minute + time.Second), "webhook.timestamp"},
		"from the future":                   {func(http.Header) {}, at.Add(-5*time.Minute - time.Second), "webhook.timestamp"},
		"two ids":                           {func(h http.Header) { h.Add("webhook-id", "n") }, at, "webhook.id-missing"},
		"other id":                          {func(h http.Header) { h.Set("webhook-id", "n") }, at, "webhook.signature"},
		"huge timestamp":                    {func(h http.Header) { h.Set("webhook-timestamp", "99999999999999999999") }, at, "webhook.timestamp"},
		"v1 marked v1a":                     {func(h http.Header) { h.Set("webhook-signature", "v1a,"+h.Get("webhook-signature")[3:]) }, at, "webhook.signature-missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed()
			tc.spoil(r.Header)
			_, err := v.Verify(r, tc.now)
			if tc.code == "" && err != nil || tc.code != "" && (err == nil || hub.AsFault(err).Code != tc.code) {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if err != nil && strings.Contains(err.Error(), "c3V5dWFu") {
				t.Error("the fault shows the secret")
			}
		})
	}
}

func TestBadSecretsAreRefusedAtStart(t *testing.T) {
	for name, secrets := range map[string][]string{
		"none": nil, "empty": {""}, "empty prefixed": {"whsec_"}, "no base64": {"whsec_%%%"}, "short public key": {"whpk_AAAA"},
	} {
		s, _ := webhook.Preset("standard-webhooks")
		if _, err := webhook.NewVerifier(s, secrets...); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "%%%") || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: the fault shows the secret: %v", name, err)
		}
	}
}

// TestStripeListsSeveralSignatures: old and new secret sign the same request while one is rotated.
func TestStripeListsSeveralSignatures(t *testing.T) {
	r, err := verifier(t, "stripe", "new").Sign([]byte(`{"id":"evt"}`), "application/json", "", at)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Stripe-Signature", strings.Replace(r.Header.Get("Stripe-Signature"), "v1=", "v1=abcd,v0=ef,v1=", 1))
	got, err := verifier(t, "stripe", "old", "new").Verify(r, at)
	if err != nil || got.ID != "evt" || !got.SentAt.Equal(at) {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzVerify(f *testing.F) {
	r, err := verifier(f, "standard-webhooks", secret).Sign([]byte("x"), "text/plain", "m", at)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("webhook-signature", r.Header.Get("webhook-signature"), "1700000000", []byte("x"), 0)
	f.Add("Stripe-Signature", "t=1,v1=ab,v1=", "", []byte(`{"id":{}}`), 1)
	f.Add("Content-Type", "application/x-www-form-urlencoded", "", []byte("sign=AB&param=%zz"), 2)
	presets := webhook.Presets()
	all := make([]*webhook.Verifier, len(presets))
	for i, s := range presets {
		if all[i], err = webhook.NewVerifier(s, "YW4gdW5ndWVzc2VkIHNlY3JldCBvZiAyNCBi"); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, name, value, timestamp string, body []byte, which int) {
		h := http.Header{}
		h.Set("webhook-id", "m")
		h.Set("webhook-timestamp", timestamp)
		h.Set(name, value)
		v := all[((which%len(all))+len(all))%len(all)]
		if got, err := v.Verify(&webhook.Request{Header: h, Body: body, Query: url.Values{}}, at); err == nil {
			t.Errorf("accepted without the secret: %+v", got)
		}
	})
}

// Twilio signs the address and then every field of the form, in the order of their names; the values are those that its
// documentation publishes.
func TestSenderThatSignsTheWholeForm(t *testing.T) {
	v, err := webhook.NewVerifier(webhook.Scheme{Recipes: []webhook.Recipe{{
		Location: "header:X-Twilio-Signature", Algorithm: "hmac-sha1", Encoding: "base64",
		Signed: "https://example.com/myapp.php?foo=1&bar=2{form}",
	}}}, "12345")
	if err != nil {
		t.Fatal(err)
	}
	form := "To=%2B18005551212&CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675310&Caller=%2B14158675310"
	h := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {"L/OH5YylLD5NRKLltdqwSvS0BnU="},
	}
	if _, err := v.Verify(&webhook.Request{Header: h, Body: []byte(form)}, at); err != nil {
		t.Error(err)
	}
	for _, changed := range []string{strings.Replace(form, "1234&", "1235&", 1), form + "&Extra=1", ""} {
		if _, err := v.Verify(&webhook.Request{Header: h, Body: []byte(changed)}, at); err == nil {
			t.Errorf("%s passes", changed)
		}
	}
}
