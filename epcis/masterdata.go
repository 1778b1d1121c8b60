package epcis

import (
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// MasterData returns what the header's epcisMasterData states (EPCIS 2.0 section 6.1.1, CBV 2.0 section 10): one
// statement for each vocabulary element that is a product, a party or a place. The children of a place state their
// parent. Other vocabularies say nothing that the hub has a use for and are left out.
func (h *Header) MasterData(provider hub.ProviderID, statedAt time.Time) []hub.Statement {
	if h == nil || h.master == nil {
		return nil
	}
	m := &masterData{provider: provider, statedAt: statedAt, at: map[statementKey]int{}}
	for _, v := range h.master.member("vocabularyList").items() {
		kind, known := vocabularyKind(v.str("type"))
		for _, element := range v.member("vocabularyElementList").items() {
			m.element(kind, known, &element)
		}
	}
	return m.statements
}

type statementKey struct {
	kind hub.StatementKind
	id   string
}

type masterData struct {
	provider   hub.ProviderID
	statedAt   time.Time
	statements []hub.Statement
	at         map[statementKey]int
}

// vocabularyKind says what the elements of a vocabulary type are (CBV 2.0 section 9).
func vocabularyKind(uri string) (hub.StatementKind, bool) {
	switch uri[strings.LastIndexAny(uri, ":/#")+1:] {
	case "EPCClass", "EPCInstance", "Trade_Item", "TradeItem", "Lot":
		return hub.AboutProduct, true
	case "ReadPoint", "BusinessLocation", "BizLocation", "Location":
		return hub.AboutPlace, true
	case "Party":
		return hub.AboutParty, true
	}
	return 0, false
}

// kindOf guesses from a canonical id what it identifies.
func kindOf(id string) (hub.StatementKind, bool) {
	rest, ok := strings.CutPrefix(id, "https://id.gs1.org/")
	if !ok {
		return 0, false
	}
	key, _, _ := strings.Cut(rest, "/")
	switch key {
	case "01", "8006", "8010":
		return hub.AboutProduct, true
	case "414":
		return hub.AboutPlace, true
	case "417":
		return hub.AboutParty, true
	}
	return 0, false
}

// statement returns the statement about id, a new one when there is none.
func (m *masterData) statement(kind hub.StatementKind, id string) *hub.Statement {
	key := statementKey{kind, id}
	i, ok := m.at[key]
	if !ok {
		i = len(m.statements)
		m.at[key] = i
		m.statements = append(m.statements, hub.Statement{
			Kind: kind, ID: id, Provider: m.provider, StatedAt: m.statedAt, Attributes: map[string]string{},
		})
	}
	return &m.statements[i]
}

func (m *masterData) element(kind hub.StatementKind, known bool, element *node) {
	id := canonicalID(element.str("id"))
	if !known {
		kind, known = kindOf(id)
	}
	if !known || id == "" {
		return
	}
	s := m.statement(kind, id)
	for _, a := range element.member("attributes").items() {
		m.attribute(s, attributeName(a.str("id")), a.member("attribute"))
	}
	if kind != hub.AboutPlace {
		return
	}
	for _, child := range element.member("children").items() {
		if child.text != "" && canonicalID(child.text) != id {
			m.statement(kind, canonicalID(child.text)).Attributes["parent"] = id
		}
	}
}

// attributeName shortens the names of the CBV's and the GS1 Web Vocabulary's attributes; others keep their URI.
func attributeName(uri string) string {
	for _, ns := range []string{
		"urn:epcglobal:cbv:mda:", "urn:epcglobal:cbv:mda#", "https://ref.gs1.org/cbv/mda#", "https://ref.gs1.org/cbv/",
		gs1Vocabulary, "https://gs1.org/voc/", "cbvmda:", "gs1:",
	} {
		if local, ok := strings.CutPrefix(uri, ns); ok {
			return local
		}
	}
	return uri
}

// attribute adds a value: a scalar as it is, text in a language under name@language, an object member by member. Of
// several values of one name all are kept, with "; " between them.
func (m *masterData) attribute(s *hub.Statement, name string, n *node) {
	if n == nil || name == "" {
		return
	}
	switch n.kind {
	case kindArray:
		for i := range n.kids {
			m.attribute(s, name, &n.kids[i])
		}
	case kindObject:
		if v := n.member("@value"); v != nil {
			if lang := n.str("@language"); lang != "" {
				name += "@" + strings.ToLower(lang)
			}
			m.attribute(s, name, v)
			return
		}
		for i := range n.kids {
			if kid := n.kids[i].name; kid == "#text" {
				m.attribute(s, name, &n.kids[i])
			} else {
				m.attribute(s, name+"."+attributeName(kid), &n.kids[i])
			}
		}
	case kindNull, kindFalse, kindTrue, kindNumber, kindString:
		text := leafText(n)
		switch old := s.Attributes[name]; {
		case text == "" || old == text:
		case old == "":
			s.Attributes[name] = text
		default:
			s.Attributes[name] = old + "; " + text
		}
	}
}
