package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "webhook",
		Summary: "what partners push over HTTP: signed webhooks of any style, CloudEvents, tokens",
		Example: example,
		Options: func() any { return &Options{CloudEvents: "event"} },
	}
}

const example = `id: carrier-events
provider: carrier
source:
  webhook:
    preset: standard-webhooks          # or verify: with a recipe of your own
    secrets: ["${env:CARRIER_SECRET}"] # several while you rotate them
    tolerance: 5m
decode: json
map: ./mapping.yaml
limits: { record: 256KiB, rate: 500/s }
`

// Options are the settings of a webhook instance.
type Options struct {
	// Preset names a scheme (see [Presets]); Verify is a recipe of the sender's own. Exactly one is given.
	Preset string  `yaml:"preset"`
	Verify *Recipe `yaml:"verify"`
	// Secrets are references; any one may have signed.
	Secrets []strictyaml.Secret `yaml:"secrets,required"`
	// Tolerance overrides the scheme's.
	Tolerance time.Duration `yaml:"tolerance"`
	// ID and Payload override the scheme's places of the message id and of the record.
	ID      string `yaml:"id"`
	Payload string `yaml:"payload"`
	// Answer overrides the scheme's acknowledgement; without any it is the hub's own 202.
	Answer *Answer `yaml:"answer"`
	// CloudEvents says what the record of a CloudEvent is: the whole event (the default), its data, or, when off, the
	// request's body as it is.
	CloudEvents string `yaml:"cloudEvents" enum:"event,data,off"`
	// AllowedOrigins are the origins that the CloudEvents handshake grants; without any, each that asks.
	AllowedOrigins []string `yaml:"allowedOrigins"`
	// OAuth2 gives bearer tokens to a sender that fetches them; only with a preset or recipe that sends a credential.
	OAuth2 *OAuth2 `yaml:"oauth2"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	add := func(path string, f *hub.Fault) { faults = append(faults, f.At(at(path))) }
	switch {
	case (o.Preset == "") == (o.Verify == nil):
		f := badRecipe("give either preset or verify")
		f.MessageZh = "preset 与 verify 须且只须给出一个"
		add("", f.WithHint("presets: "+strings.Join(PresetNames(), ", ")))
	case o.Preset != "":
		if f := strictyaml.Unknown("preset", o.Preset, PresetNames()); f != nil {
			add("preset", f)
		}
	}
	if f := o.checkOAuth2(); f != nil {
		add("oauth2", f)
	}
	for path, text := range map[string]string{"id": o.ID, "payload": o.Payload} {
		if text == "" {
			continue
		}
		if _, err := parsePlace(text); err != nil {
			add(path, hub.AsFault(err))
		}
	}
	sound := len(faults) == 0 && (o.Verify == nil || len(o.Verify.Check(at)) == 0) // its own faults are reported by itself
	if sound && len(o.Secrets) > 0 && o.Secrets[0].Reveal() != "" {
		if _, err := o.verifier(); err != nil {
			add("secrets", hub.AsFault(err))
		}
	}
	return faults
}

// checkOAuth2 refuses tokens where they would stand in for a signature, or where two kinds of bearer tokens would meet.
func (o *Options) checkOAuth2() *hub.Fault {
	if o.OAuth2 == nil {
		return nil
	}
	if o.OAuth2.Lifetime < 0 || o.OAuth2.Lifetime > 24*time.Hour || o.OAuth2.Lifetime > 0 && o.OAuth2.Lifetime < time.Second {
		f := badRecipe("a token's lifetime is from 1s to 24h")
		f.MessageZh = "令牌有效期为 1s 到 24h"
		return f
	}
	s, err := o.scheme()
	if err != nil {
		return nil // reported already
	}
	for _, r := range s.Recipes {
		if r.Algorithm != "token" || r.Location == "bearer" {
			f := badRecipe("oauth2 goes only with a sender that states a credential in a header of its own, such as preset: ups")
			f.MessageZh = "oauth2 仅适用于在自有请求头中发送凭据的发送方，例如 preset: ups"
			return f.WithHint("remove oauth2: the sender of this preset signs, or has a fixed bearer token")
		}
	}
	return nil
}

// scheme is the preset or recipe with the instance's overrides.
func (o *Options) scheme() (Scheme, error) {
	s := Scheme{Name: "verify"}
	if o.Verify != nil {
		s.Recipes = []Recipe{*o.Verify}
	} else {
		var ok bool
		if s, ok = Preset(o.Preset); !ok {
			return s, hub.AsFault(strictyaml.Unknown("preset", o.Preset, PresetNames()))
		}
	}
	for i := range s.Recipes {
		if o.Tolerance > 0 {
			s.Recipes[i].Tolerance = o.Tolerance
		}
	}
	if o.ID != "" {
		s.ID = o.ID
	}
	if o.Payload != "" {
		s.Payload = o.Payload
	}
	if o.Answer != nil {
		s.Answer = *o.Answer
	}
	return s, nil
}

func (o *Options) verifier() (*Verifier, error) {
	s, err := o.scheme()
	if err != nil {
		return nil, err
	}
	return NewVerifier(s, o.revealed()...)
}

func (o *Options) revealed() []string {
	secrets := make([]string, len(o.Secrets))
	for i, secret := range o.Secrets {
		secrets[i] = secret.Reveal()
	}
	return secrets
}

// Listen implements [connectors.Listener].
func (o *Options) Listen(env connectors.Env) (connectors.Receiver, error) {
	v, err := o.verifier()
	if err != nil {
		return nil, err
	}
	w := &receiver{verifier: v, options: o, now: env.Now}
	if o.OAuth2 != nil {
		w.issuer, err = newIssuer(o.OAuth2, o.revealed(), env)
	}
	return w, err
}

// receiver takes the requests of one instance.
type receiver struct {
	verifier *Verifier
	options  *Options
	issuer   *issuer // nil unless it gives tokens
	now      func() time.Time
}

// Receive implements [connectors.Receiver].
func (w *receiver) Receive(r *http.Request) (connectors.Reception, error) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		return w.handshake(r)
	default:
		return connectors.Reception{}, connectors.MethodNotAllowed(http.MethodPost, http.MethodOptions)
	}
	body, err := connectors.ReadBody(r)
	if err != nil {
		return connectors.Reception{}, err
	}
	verdict, err := w.verify(Capture(r, body))
	if err != nil {
		return connectors.Reception{}, err
	}
	items, err := w.items(r, verdict)
	if err != nil {
		return connectors.Reception{}, err
	}
	return connectors.Reception{Items: items, Answer: w.answer()}, nil
}

// verify checks a request by the token that the connector gave, where it bears one, else by the scheme.
func (w *receiver) verify(r *Request) (Verdict, error) {
	if w.issuer != nil {
		if token, ok := r.one(place{in: "bearer"}); ok {
			if err := w.issuer.check(token); err != nil {
				return Verdict{}, err
			}
			return w.verifier.complete(r, Verdict{})
		}
	}
	return w.verifier.Verify(r, w.now())
}

func (w *receiver) items(r *http.Request, v Verdict) ([]connectors.Item, error) {
	if w.options.CloudEvents != "off" && w.verifier.payload == nil {
		events, err := ParseCloudEvents(r.Header, v.Payload)
		if err != nil {
			return nil, err
		}
		if events != nil {
			return w.cloudItems(r, events), nil
		}
	}
	if len(v.Payload) == 0 {
		f := hub.Faultf(hub.Invalid, "webhook.empty", "the request has no body")
		f.MessageZh = "请求没有内容"
		return nil, f
	}
	id := v.ID
	if id == "" {
		id = r.Header.Get("Idempotency-Key")
	}
	if id == "" {
		id = digestID(v.Payload)
	}
	return []connectors.Item{{ID: id, Origin: r.URL.Path, ContentType: v.ContentType, Body: v.Payload}}, nil
}

func (w *receiver) cloudItems(r *http.Request, events []CloudEvent) []connectors.Item {
	items := make([]connectors.Item, len(events))
	for i, e := range events {
		items[i] = connectors.Item{ID: e.ID(), Origin: r.URL.Path, ContentType: mediaEvent, Body: e.Event}
		if w.options.CloudEvents == "data" {
			items[i].Body, items[i].ContentType = e.Data, e.Attributes["datacontenttype"]
		}
	}
	return items
}

// digestID stands for a message whose sender gives it no id: the same bytes are the same message.
func digestID(payload []byte) string {
	sum := sha256.Sum256(payload)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (w *receiver) answer() connectors.Answer {
	a := w.verifier.scheme.Answer
	if a == (Answer{}) {
		return connectors.Answer{}
	}
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	return connectors.Answer{Status: status, ContentType: a.ContentType, Body: []byte(a.Body)}
}

// handshake answers the validation request of CloudEvents' HTTP 1.1 Web Hooks, section 4: an OPTIONS request that asks
// whether an origin may send. Granting it admits nothing: each request is verified all the same.
func (w *receiver) handshake(r *http.Request) (connectors.Reception, error) {
	origin := r.Header.Get("Webhook-Request-Origin")
	if origin == "" {
		return connectors.Reception{}, connectors.MethodNotAllowed(http.MethodPost)
	}
	allowed := w.options.AllowedOrigins
	if !plainOrigin(origin) || len(allowed) > 0 && !slices.Contains(allowed, origin) && !slices.Contains(allowed, "*") {
		return connectors.Reception{}, &hub.Fault{
			Kind: hub.Forbidden, Code: "webhook.origin",
			Message:   fmt.Sprintf("the origin %.100q may not send here", origin),
			MessageZh: fmt.Sprintf("来源 %.100q 不得向此处发送", origin),
		}
	}
	h := http.Header{}
	h.Set("Webhook-Allowed-Origin", origin)
	h.Set("Allow", http.MethodPost+", "+http.MethodOptions)
	if rate := r.Header.Get("Webhook-Request-Rate"); rate != "" {
		h.Set("Webhook-Allowed-Rate", "*")
	}
	return connectors.Reception{Answer: connectors.Answer{Status: http.StatusNoContent, Header: h}}, nil
}

var originRE = regexp.MustCompile(`^[A-Za-z0-9.:_*-]{1,255}$`)

// plainOrigin accepts a DNS name, perhaps with a port: what the specification has an origin be.
func plainOrigin(s string) bool {
	return originRE.MatchString(s)
}
