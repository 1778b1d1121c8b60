package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Recipe is how one sender signs its requests. A place is written "header:NAME", "header:NAME;KEY" for one value of a
// header like "t=1,v1=ab", "query:NAME", "form:NAME", "json:/POINTER", "bearer" or "basic".
type Recipe struct {
	// Location is the place of the signature.
	Location string `yaml:"location,required"`
	// Separator divides several signatures in one value (for rotation); "" means one. Prefix precedes each one that
	// counts; others are ignored.
	Separator string `yaml:"separator"`
	Prefix    string `yaml:"prefix"`
	// Algorithm makes the signature from Signed and a secret; "token" is a secret that is sent itself. md5, sha1 and
	// sha256 have no key of their own: Signed must contain {secret}.
	Algorithm string `yaml:"algorithm,required" enum:"hmac-sha256,hmac-sha1,hmac-sha512,ed25519,md5,sha1,sha256,token"`
	// Encoding of the signature, hex by default.
	Encoding string `yaml:"encoding" enum:"hex,hex-upper,base64,base64url"`
	// Signed is the template of the signed bytes, "{body}" by default. It may hold {body}, {id}, {timestamp}, {secret}, {form}
	// for all fields of a form, name and value, in the order of their names, and any place in braces, such as {form:param}.
	Signed string `yaml:"signed"`
	// Timestamp is the place of the time of the attempt, TimestampFormat its format, Tolerance how far it may be from
	// now; 5m by default.
	Timestamp       string        `yaml:"timestamp"`
	TimestampFormat string        `yaml:"timestampFormat" enum:"unix,unix-millis,rfc3339"`
	Tolerance       time.Duration `yaml:"tolerance"`
	// ID is the place of the sender's own id of the message; it is required in a request if Signed holds {id}.
	ID string `yaml:"id"`
	// SecretPrefix marks the secrets of this recipe and is no part of the key. SecretEncoding is how the rest is written.
	SecretPrefix   string `yaml:"secretPrefix"`
	SecretEncoding string `yaml:"secretEncoding" enum:"text,base64,hex"`
	// Normalise is applied to the secret before use: "nfkd" is Unicode normalisation form KD.
	Normalise string `yaml:"normalise" enum:"none,nfkd"`
}

// Answer is what a sender's protocol wants to hear.
type Answer struct {
	Status      int    `yaml:"status" min:"200" max:"299"`
	ContentType string `yaml:"contentType"`
	Body        string `yaml:"body"`
}

// Scheme is one sender's way: recipes of which any one suffices, where its payload and id are, and its acknowledgement.
type Scheme struct {
	Name, Summary string
	Recipes       []Recipe
	// Payload is the place of the record when it is not the body.
	Payload string
	// ID is the place of the sender's id of the message when it is not signed and so in no recipe.
	ID     string
	Answer Answer
}

const defaultTolerance = 5 * time.Minute

// Check implements [strictyaml.Checker].
func (r *Recipe) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	add := func(path string, err error) {
		if err != nil {
			faults = append(faults, hub.AsFault(err).At(at(path)))
		}
	}
	for path, place := range map[string]string{"location": r.Location, "timestamp": r.Timestamp, "id": r.ID} {
		if place != "" {
			_, err := parsePlace(place)
			add(path, err)
		}
	}
	_, err := parseTemplate(r.Signed)
	add("signed", err)
	if keyless(r.Algorithm) && !strings.Contains(r.Signed, "{secret}") {
		add("signed", badRecipe("%s has no key: signed must contain {secret}", r.Algorithm))
	}
	if strings.Contains(r.Signed, "{timestamp}") && r.Timestamp == "" {
		add("signed", badRecipe("signed holds {timestamp}, but timestamp does not say where it is"))
	}
	if strings.Contains(r.Signed, "{id}") && r.ID == "" {
		add("signed", badRecipe("signed holds {id}, but id does not say where it is"))
	}
	return faults
}

func keyless(algorithm string) bool {
	return algorithm == "md5" || algorithm == "sha1" || algorithm == "sha256"
}

func badRecipe(format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "webhook.recipe", format, args...)
	f.MessageZh = "签名方案（verify）有误：" + f.Message
	return f
}

// part is one piece of a template: a literal, a variable, or a place.
type part struct {
	literal  string
	variable string
	place    place
}

// parseTemplate cuts "{id}.{body}" into its parts.
func parseTemplate(text string) ([]part, error) {
	if text == "" {
		text = "{body}"
	}
	var parts []part
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			return append(parts, part{literal: text}), nil
		}
		if open > 0 {
			parts = append(parts, part{literal: text[:open]})
		}
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			return nil, badRecipe("signed has { without }")
		}
		name := text[open+1 : open+end]
		text = text[open+end+1:]
		switch name {
		case "body", "id", "timestamp", "secret", "form":
			parts = append(parts, part{variable: name})
		default:
			p, err := parsePlace(name)
			if err != nil {
				return nil, badRecipe("signed holds {%s}, which is neither body, id, timestamp, secret, form nor a place", name).
					WithHint("places are written header:NAME, query:NAME, form:NAME or json:/POINTER")
			}
			parts = append(parts, part{place: p})
		}
	}
	return parts, nil
}

// place is a parsed place.
type place struct{ in, name, key string }

func parsePlace(text string) (place, error) {
	in, name, _ := strings.Cut(text, ":")
	p := place{in: in, name: name}
	switch in {
	case "bearer", "basic":
		if name == "" {
			return p, nil
		}
	case "header":
		p.name, p.key, _ = strings.Cut(name, ";")
		p.name = http.CanonicalHeaderKey(p.name) // as requests have it, so that looking it up is all there is to do
		if p.name != "" {
			return p, nil
		}
	case "query", "form":
		if name != "" {
			return p, nil
		}
	case "json":
		if strings.HasPrefix(name, "/") {
			return p, nil
		}
	}
	f := badRecipe("%q is no place in a request", text)
	f.MessageZh = fmt.Sprintf("%q 不是请求中的位置", text)
	return p, f.WithHint("write header:NAME, header:NAME;KEY, query:NAME, form:NAME, json:/POINTER, bearer or basic")
}
