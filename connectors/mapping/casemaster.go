package mapping

import (
	"slices"

	"github.com/suyuan-io/suyuan/hub"
)

// statement names what a test states of one thing; by is "" for what any provider is found to have stated.
type statement struct {
	kind hub.StatementKind
	id   string
	by   hub.ProviderID
}

// stated reads the master data that lookups of the cases find: entries as in a mapping's master:, with the provider who
// states it, or none for whoever asks.
func (l *loader) stated(n *node) Master {
	all := map[statement]map[string]string{}
	if n != nil && n.shape != listShape {
		l.fail(n, problem("mapping.shape", "master is a list", "master 应为列表").hint("begin each entry with  - product: ID", "每个条目以  - product: 标识  开头"))
	} else if n != nil {
		for _, item := range n.items {
			l.statedEntry(item, all)
		}
	}
	return func(kind hub.StatementKind, id string, by hub.ProviderID) (map[string]string, error) {
		if found, ok := all[statement{kind, id, by}]; ok {
			return found, nil
		}
		return all[statement{kind, id, ""}], nil
	}
}

func (l *loader) statedEntry(n *node, all map[statement]map[string]string) {
	words := sortedKeys(masterKinds())
	if !l.object(n, bilingual{"an entry of master", "master 的条目"}, append(slices.Clone(words), "provider", "attributes")...) {
		return
	}
	var s statement
	for _, word := range words {
		if v := n.get(word); v != nil {
			s.kind, s.id = masterKinds()[word], v.text
		}
	}
	if v := n.get("provider"); v != nil {
		s.by = hub.ProviderID(v.text)
	}
	if s.kind != hub.AboutAlias {
		id, err := masterID(s.kind, s.id)
		if err != nil {
			l.fail(n, gs1Trouble(err, -1))
			return
		}
		s.id = id
	}
	attributes := map[string]string{}
	if v := n.get("attributes"); v != nil {
		for i := range v.pairs {
			attributes[v.pairs[i].key] = v.pairs[i].value.text
		}
	}
	all[s] = attributes
}
