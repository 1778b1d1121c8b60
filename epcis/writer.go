package epcis

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Format is a syntax of EPCIS documents.
type Format string

// The formats.
const (
	JSON Format = "json"
	XML  Format = "xml"
)

// Writer writes a document event by event, so that it may be of any size. Nothing is written before the first Write or
// Close, so that a caller can still answer with an error.
type Writer struct {
	w      io.Writer
	format Format
	header *Header
	cbv    CBVFormat
	// names are the compact terms that the document's own @context explains.
	common *Context
	count  int
	opened bool
	err    error
}

// NewWriter returns a writer of the document that h describes: its type, dates, parties, query name and context. CBV
// values in XML are URNs unless [Writer.SetCBVFormat] says otherwise.
func NewWriter(w io.Writer, f Format, h *Header) *Writer {
	return &Writer{w: w, format: f, header: h, common: h.Context}
}

// SetCBVFormat says how XML states CBV values.
func (w *Writer) SetCBVFormat(f CBVFormat) { w.cbv = f }

// Write writes one event, with recordTime when recordedAt is not zero.
func (w *Writer) Write(e *Event, recordedAt time.Time) error {
	return w.write(e, recordTime(recordedAt))
}

// write writes one event with a recordTime that stands as it is; "" is none.
func (w *Writer) write(e *Event, recordTime string) error {
	var body []byte
	var err error
	if w.format == XML {
		body, err = e.xml(recordTime, w.cbv)
	} else {
		body, err = w.jsonEvent(e, recordTime)
	}
	if err != nil {
		return err
	}
	w.open()
	if w.format == JSON && w.count > 0 {
		w.put(",")
	}
	w.count++
	w.put("\n")
	w.put(string(body))
	return w.err
}

// jsonEvent returns the event with an @context of its own only where the document's does not explain it.
func (w *Writer) jsonEvent(e *Event, recordTime string) ([]byte, error) {
	if !w.isDocument() {
		return e.json(nil, recordTime)
	}
	mine, err := e.ctx.appendMinimal(nil, &e.root)
	if err != nil {
		return nil, err
	}
	theirs, err := w.common.appendMinimal(nil, &e.root)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(mine, theirs) {
		return e.bare(recordTime)
	}
	return e.json(nil, recordTime)
}

// isDocument is false for a bare event.
func (w *Writer) isDocument() bool {
	return w.header.Type == typeDocument || w.header.Type == typeQueryDocument
}

const (
	typeDocument      = "EPCISDocument"
	typeQueryDocument = "EPCISQueryDocument"
)

// Close writes the end of the document.
func (w *Writer) Close() error {
	w.open()
	switch {
	case w.format == XML:
		w.closeXML()
	case !w.isDocument():
		w.put("\n")
	case w.header.Type == typeQueryDocument:
		w.put("\n]}}}}\n")
	default:
		w.put("\n]}}\n")
	}
	return w.err
}

func (w *Writer) put(s string) {
	if w.err != nil {
		return
	}
	if _, err := io.WriteString(w.w, s); err != nil {
		w.err = faultf(hub.Unavailable, "epcis.document.write", "cannot write the document", "无法写出文档").Because(err)
	}
}

// open writes the beginning, once.
func (w *Writer) open() {
	if w.opened {
		return
	}
	w.opened = true
	switch {
	case w.format == XML:
		w.openXML()
	case w.isDocument():
		w.openJSON()
	}
}

func (w *Writer) member(name string, value []byte) {
	quoted, _ := json.Marshal(name) //nolint:errchkjson // a string always marshals
	w.put(string(quoted) + ":" + string(value) + ",\n")
}

func (w *Writer) text(name, value string) {
	if value != "" {
		w.member(name, appendString(nil, value))
	}
}

func (w *Writer) openJSON() {
	h := w.header
	w.put("{")
	if b, err := w.common.whole(); err == nil {
		w.member("@context", b)
	}
	w.text("type", h.Type)
	w.text("id", h.ID)
	version := h.SchemaVersion
	if !strings.HasPrefix(version, "2.") {
		version = "2.0"
	}
	w.text("schemaVersion", version)
	w.text("creationDate", h.CreationDate)
	if h.Type == typeDocument {
		w.text("instanceIdentifier", h.InstanceIdentifier)
		w.text("sender", h.Sender)
		w.text("receiver", h.Receiver)
		if h.master != nil {
			header := node{kind: kindObject, kids: []node{*h.master}}
			header.kids[0].name = "epcisMasterData"
			if b, err := appendCanonical(nil, &header); err == nil {
				w.member("epcisHeader", b)
			} else {
				w.err = err
			}
		}
		w.put(`"epcisBody":{"eventList":[`)
		return
	}
	w.put(`"epcisBody":{"queryResults":{`)
	w.text("subscriptionID", h.SubscriptionID)
	w.member("queryName", appendString(nil, h.QueryName))
	w.put(`"resultsBody":{"eventList":[`)
}

// whole returns an @context with everything that c states.
func (c *Context) whole() ([]byte, error) {
	if c == nil {
		return c.appendMinimal(nil, nil)
	}
	all := make([]bool, len(c.terms))
	for i := range all {
		all[i] = true
	}
	return c.appendStating(nil, all)
}

// openXML writes the document's frame. A bare event gets one as well, because XML has no valid document without.
func (w *Writer) openXML() {
	h := w.header
	prefix, ns := "epcis", "urn:epcglobal:epcis:xsd:2"
	if h.Type == typeQueryDocument {
		prefix, ns = "epcisq", "urn:epcglobal:epcis-query:xsd:2"
	}
	w.put(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + prefix + ":" + w.xmlType() + ` xmlns:` + prefix + `="` + ns +
		`" schemaVersion="2.0" creationDate="` + escapeXML(h.CreationDate, true) + `">` + "\n")
	if h.Type != typeQueryDocument {
		w.xmlHeader()
		w.put("<EPCISBody><EventList>")
		return
	}
	w.put("<EPCISBody><epcisq:QueryResults><queryName>" + escapeXML(h.QueryName, false) + "</queryName>")
	if h.SubscriptionID != "" {
		w.put("<subscriptionID>" + escapeXML(h.SubscriptionID, false) + "</subscriptionID>")
	}
	w.put("<resultsBody><EventList>")
}

func (w *Writer) xmlType() string {
	if w.header.Type == typeQueryDocument {
		return typeQueryDocument
	}
	return typeDocument
}

func (w *Writer) closeXML() {
	if w.header.Type == typeQueryDocument {
		w.put("\n</EventList></resultsBody></epcisq:QueryResults></EPCISBody>\n</epcisq:EPCISQueryDocument>\n")
		return
	}
	w.put("\n</EventList></EPCISBody>\n</epcis:EPCISDocument>\n")
}

// xmlHeader writes the EPCISHeader: the parties, for which XML has the standard business document header, and master data.
func (w *Writer) xmlHeader() {
	h := w.header
	hasParties := h.Sender != "" && h.Receiver != ""
	if !hasParties && h.master == nil {
		return
	}
	w.put("<EPCISHeader>")
	if hasParties {
		text := func(name, value string) string {
			return "<sbdh:" + name + ">" + escapeXML(value, false) + "</sbdh:" + name + ">"
		}
		w.put(`<sbdh:StandardBusinessDocumentHeader xmlns:sbdh="http://www.unece.org/cefact/namespaces/` +
			`StandardBusinessDocumentHeader">` + text("HeaderVersion", "1.0") +
			"<sbdh:Sender>" + text("Identifier", h.Sender) + "</sbdh:Sender>" +
			"<sbdh:Receiver>" + text("Identifier", h.Receiver) + "</sbdh:Receiver>" +
			"<sbdh:DocumentIdentification>" + text("Standard", "EPCglobal") + text("TypeVersion", "2.0") +
			text("InstanceIdentifier", h.InstanceIdentifier) + text("Type", "Events") +
			text("CreationDateAndTime", h.CreationDate) +
			"</sbdh:DocumentIdentification></sbdh:StandardBusinessDocumentHeader>")
	}
	if h.master != nil {
		w.put("<extension><EPCISMasterData>" + w.xmlMaster() + "</EPCISMasterData></extension>")
	}
	w.put("</EPCISHeader>\n")
}

// xmlMaster returns the VocabularyList of the header's master data.
func (w *Writer) xmlMaster() string {
	x := newXMLWriter(w.header.Context, w.cbv)
	for _, v := range w.header.master.member("vocabularyList").items() {
		x.out.WriteString("<Vocabulary")
		x.attribute("type", v.str("type"))
		x.out.WriteString(">")
		if elements := v.member("vocabularyElementList").items(); len(elements) > 0 {
			x.wrap("VocabularyElementList", func() {
				for i := range elements {
					x.vocabularyElement(&elements[i])
				}
			})
		}
		x.out.WriteString("</Vocabulary>")
	}
	if x.err != nil && w.err == nil {
		w.err = x.err
	}
	var b strings.Builder
	b.WriteString("<VocabularyList")
	for prefix, ns := range x.prefixes {
		b.WriteString(` xmlns:` + prefix + `="` + escapeXML(ns, true) + `"`)
	}
	return b.String() + ">" + x.out.String() + "</VocabularyList>"
}

func (w *xmlWriter) vocabularyElement(n *node) {
	w.out.WriteString("<VocabularyElement")
	w.attribute("id", n.str("id"))
	w.out.WriteString(">")
	for _, a := range n.member("attributes").items() {
		w.out.WriteString("<attribute")
		w.attribute("id", a.str("id"))
		if value := a.member("attribute"); value != nil && value.kind == kindObject {
			w.object(value)
		} else {
			w.out.WriteString(">")
			w.text(leafText(value), false)
		}
		w.out.WriteString("</attribute>")
	}
	if children := n.member("children").items(); len(children) > 0 {
		w.wrap("children", func() {
			for i := range children {
				w.leaf("id", leafText(&children[i]))
			}
		})
	}
	w.out.WriteString("</VocabularyElement>")
}
