// Package epcis receives EPCIS documents over HTTP: JSON and XML documents, bare events and lists of events, which are
// cut into one record an event. Their records need no mapping.
//
// The sender is authenticated by an API key before a request comes here; reading and checking events is left to package
// epcis, and the standard's own capture interface to api.
package epcis

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"net/http"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "epcis",
		Summary: "EPCIS documents and events, posted in JSON or XML",
		Example: example,
		Decode:  connectors.FormatEPCIS,
		Options: func() any { return &Options{} },
	}
}

const example = `id: plant-capture
provider: plant
source:
  epcis: {}                  # the sender shows an API key of this provider
limits: { record: 1MiB, body: 16MiB }
`

// Options are the settings of an epcis instance.
type Options struct {
	// MediaTypes are accepted beside JSON and XML.
	MediaTypes []string `yaml:"mediaTypes"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	for _, m := range o.MediaTypes {
		if media, _, err := mime.ParseMediaType(m); err != nil || media != m {
			f := hub.Faultf(hub.Invalid, "epcis.media-type", "%q is no media type in lower case without parameters", m)
			f.MessageZh = "媒体类型无效：须为小写且不带参数"
			return hub.Faults{f.At(at("mediaTypes"))}
		}
	}
	return nil
}

// Listen implements [connectors.Listener].
func (o *Options) Listen(connectors.Env) (connectors.Receiver, error) {
	accepted := map[string]bool{
		"application/json": true, "application/ld+json": true, "application/xml": true, "text/xml": true,
	}
	for _, m := range o.MediaTypes {
		accepted[m] = true
	}
	return receiver{accepted}, nil
}

// NeedsKey implements [connectors.Keyed]: EPCIS over HTTP has no signature of its own.
func (o *Options) NeedsKey() bool { return true }

type receiver struct{ accepted map[string]bool }

// Receive implements [connectors.Receiver]. A document is known by the sender's Idempotency-Key, or by its bytes.
func (c receiver) Receive(r *http.Request) (connectors.Reception, error) {
	if r.Method != http.MethodPost {
		return connectors.Reception{}, connectors.MethodNotAllowed(http.MethodPost)
	}
	stated := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(stated)
	if err != nil || !c.accepted[media] {
		f := hub.Faultf(hub.Unsupported, "epcis.media-type", "the content type %.100q is not accepted", stated)
		f.MessageZh = "不接受该内容类型"
		f.Hint, f.HintZh = "send application/json, application/ld+json or application/xml", "请用 application/json、application/ld+json 或 application/xml"
		return connectors.Reception{}, f
	}
	body, err := connectors.ReadBody(r)
	if err != nil {
		return connectors.Reception{}, err
	}
	id := r.Header.Get("Idempotency-Key")
	if id == "" {
		sum := sha256.Sum256(body)
		id = "sha256:" + hex.EncodeToString(sum[:])
	}
	return connectors.Reception{Items: []connectors.Item{{ID: id, Origin: r.URL.Path, ContentType: stated, Body: body}}}, nil
}

// Splitter cuts EPCIS documents into events. Limits are those of package epcis; zero are its defaults.
type Splitter struct{ Limits epcis.Limits }

// Split implements [connectors.Splitter]. The master data in a document's header becomes one record more, after the events.
func (s Splitter) Split(r io.Reader, yield func(connectors.Piece) error) error {
	header, err := epcis.ReadDocument(r, s.Limits, func(it epcis.Item) error {
		return yield(connectors.Piece{Preamble: it.Header.Preamble, Body: bytes.Clone(it.Raw), Line: it.Line, Column: it.Column})
	})
	if err != nil {
		return err
	}
	master, err := header.MasterDocument()
	if err != nil || master == nil {
		return err
	}
	return yield(connectors.Piece{Body: master})
}
