package webhook

import "time"

// Presets returns the schemes of well-known senders, in the order in which they are listed.
func Presets() []Scheme {
	schemes := []Scheme{standardWebhooks(), stripe(), kuaidi100(), ups()}
	schemes = append(schemes, Scheme{
		Name: "github", Summary: "GitHub: X-Hub-Signature-256, hex HMAC-SHA256 of the body",
		Recipes: []Recipe{{Location: "header:X-Hub-Signature-256", Prefix: "sha256=", Algorithm: "hmac-sha256"}},
		ID:      "header:X-GitHub-Delivery",
	}, Scheme{
		Name: "shopify", Summary: "Shopify: X-Shopify-Hmac-SHA256, base64 HMAC-SHA256 of the body",
		Recipes: []Recipe{{Location: "header:X-Shopify-Hmac-SHA256", Algorithm: "hmac-sha256", Encoding: "base64"}},
		ID:      "header:X-Shopify-Webhook-Id",
	}, Scheme{
		Name: "easypost", Summary: "EasyPost: X-Hmac-Signature, hex HMAC-SHA256 of the body, secret in NFKD",
		Recipes: []Recipe{{
			Location: "header:X-Hmac-Signature", Prefix: "hmac-sha256-hex=", Algorithm: "hmac-sha256", Normalise: "nfkd",
		}},
		ID: "json:/id",
	}, Scheme{
		Name: "aftership", Summary: "AfterShip: aftership-hmac-sha256, base64 HMAC-SHA256 of the body",
		Recipes: []Recipe{{Location: "header:aftership-hmac-sha256", Algorithm: "hmac-sha256", Encoding: "base64"}},
		ID:      "json:/event_id",
	}, Scheme{
		Name: "token", Summary: "a fixed token: Authorization: Bearer TOKEN",
		Recipes: []Recipe{{Location: "bearer", Algorithm: "token"}},
	}, Scheme{
		Name: "basic", Summary: "HTTP Basic: the secret is USER:PASSWORD",
		Recipes: []Recipe{{Location: "basic", Algorithm: "token"}},
	})
	return schemes
}

// standardWebhooks is the Standard Webhooks specification 1.0.0: v1 is HMAC-SHA256 with a secret whsec_ and base64, v1a
// is ed25519 with a public key whpk_ and base64.
func standardWebhooks() Scheme {
	v1 := Recipe{
		Location: "header:webhook-signature", Separator: " ", Prefix: "v1,", Algorithm: "hmac-sha256", Encoding: "base64",
		Signed: "{id}.{timestamp}.{body}", Timestamp: "header:webhook-timestamp", Tolerance: 5 * time.Minute,
		ID: "header:webhook-id", SecretPrefix: "whsec_", SecretEncoding: "base64",
	}
	v1a := v1
	v1a.Prefix, v1a.Algorithm, v1a.SecretPrefix = "v1a,", "ed25519", "whpk_"
	return Scheme{
		Name: "standard-webhooks", Summary: "Standard Webhooks 1.0.0: webhook-signature, v1 (HMAC) and v1a (ed25519)",
		Recipes: []Recipe{v1, v1a},
	}
}

func stripe() Scheme {
	return Scheme{
		Name: "stripe", Summary: "Stripe: Stripe-Signature t=…,v1=…, hex HMAC-SHA256 of timestamp and body",
		Recipes: []Recipe{{
			Location: "header:Stripe-Signature;v1", Algorithm: "hmac-sha256", Signed: "{timestamp}.{body}",
			Timestamp: "header:Stripe-Signature;t", Tolerance: 5 * time.Minute,
		}},
		ID: "json:/id",
	}
}

// kuaidi100 posts a form whose field param is the JSON and whose field sign is MD5(param + salt) in upper-case hex. It
// repeats until it reads its own acknowledgement.
func kuaidi100() Scheme {
	return Scheme{
		Name: "kuaidi100", Summary: "快递100: form field sign = MD5(param+salt), payload in param",
		Recipes: []Recipe{{
			Location: "form:sign", Algorithm: "md5", Encoding: "hex-upper", Signed: "{form:param}{secret}",
		}},
		Payload: "form:param",
		Answer: Answer{
			Status: 200, ContentType: "application/json; charset=utf-8",
			Body: `{"result":true,"returnCode":"200","message":"成功"}`,
		},
	}
}

func ups() Scheme {
	return Scheme{
		Name: "ups", Summary: "UPS Track Alert: the agreed credential in x-api-key or credential",
		Recipes: []Recipe{
			{Location: "header:x-api-key", Algorithm: "token"},
			{Location: "header:credential", Algorithm: "token"},
		},
	}
}

// PresetNames lists the names of the presets.
func PresetNames() []string {
	var names []string
	for _, s := range Presets() {
		names = append(names, s.Name)
	}
	return names
}

// Preset returns the scheme with the name, and whether there is one.
func Preset(name string) (Scheme, bool) {
	for _, s := range Presets() {
		if s.Name == name {
			return s, true
		}
	}
	return Scheme{}, false
}
