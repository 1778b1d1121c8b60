package epcis

// MasterDocument returns an EPCIS document of the header's master data alone, without events, in JSON whatever the
// document was: what is recorded of a document beside its events. It is nil when the header states none.
func (h *Header) MasterDocument() ([]byte, error) {
	if h == nil || h.master == nil {
		return nil, nil
	}
	master := *h.master
	master.name = "epcisMasterData"
	doc := node{kind: kindObject}
	doc.set(stringNode("type", "EPCISDocument"))
	doc.set(stringNode("schemaVersion", "2.0"))
	doc.set(stringNode("creationDate", h.CreationDate))
	doc.set(node{name: "epcisHeader", kind: kindObject, kids: []node{master}})
	doc.set(node{name: "epcisBody", kind: kindObject, kids: []node{{name: "eventList", kind: kindArray}}})
	e := Event{root: doc, ctx: h.Context}
	return e.Canonical()
}
