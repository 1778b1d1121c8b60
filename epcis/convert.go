package epcis

import (
	"io"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Convert reads a document in either syntax and writes it in the one asked for. It reads doc twice, because XML states
// first what JSON may state last. A document that names no creationDate, which XML demands, gets the time of its latest
// event. Several events without a document around them become an EPCISDocument.
func Convert(doc io.ReadSeeker, w io.Writer, to Format, l Limits) error {
	if to != JSON && to != XML {
		return hinted(faultf(hub.Invalid, "epcis.convert.format", "%q is no format of EPCIS documents", "%q 不是 EPCIS 文档格式",
			string(to)), "use json or xml", "可用 json 或 xml")
	}
	count := 0
	var latest time.Time
	header, err := ReadDocument(doc, l, func(it Item) error {
		count++
		e, err := it.Event()
		if err != nil {
			return err
		}
		if t, err := e.EventTime(); err == nil && t.After(latest) {
			latest = t
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := doc.Seek(0, io.SeekStart); err != nil {
		return readFault(err)
	}
	if header.Type != typeDocument && header.Type != typeQueryDocument && count != 1 {
		header.Type = typeDocument
	}
	if header.CreationDate == "" && (to == XML || header.Type == typeDocument) {
		header.CreationDate = hub.Instant(latest).String()
	}
	out := NewWriter(w, to, header)
	if _, err := ReadDocument(doc, l, func(it Item) error {
		e, err := it.Event()
		if err != nil {
			return err
		}
		return it.Locate(out.write(e, strings.Trim(e.root.str("recordTime"), xmlSpace)))
	}); err != nil {
		return err
	}
	return out.Close()
}

// HashOptions say how [HashLines] hashes. Zero values mean the ratified CBV 2.0 hash with SHA-256.
type HashOptions struct {
	Dialect   Dialect
	Algorithm Algorithm
	// PreHash asks for the text that is hashed instead.
	PreHash bool
}

// HashLines writes the event hash of every event of a document, one line an event, in the document's order.
func HashLines(doc io.Reader, w io.Writer, o HashOptions, l Limits) error {
	if o.Dialect == "" {
		o.Dialect = CBV20
	}
	if o.Algorithm == "" {
		o.Algorithm = SHA256
	}
	_, err := ReadDocument(doc, l, func(it Item) error {
		e, err := it.Event()
		if err != nil {
			return err
		}
		var line string
		if o.PreHash {
			line, err = e.PreHash(o.Dialect)
		} else {
			line, err = e.HashWith(o.Algorithm, o.Dialect)
		}
		if err != nil {
			return it.Locate(err)
		}
		_, err = io.WriteString(w, line+"\n")
		return err
	})
	return err
}
