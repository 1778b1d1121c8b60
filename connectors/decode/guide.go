package decode

import (
	"embed"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
)

//go:embed guides/*.yaml
var builtInGuides embed.FS

// guide turns the segments of one message type into named JSON. It says which segments are expected where, not in which
// order: a segment belongs to the innermost open group that expects its tag, and one that no group expects is kept under
// "others" of the innermost. So one guide reads all versions of a message, and nothing is ever dropped.
type guide struct {
	// Message is the type as the message's header states it; For the standard.
	Message string `yaml:"message"`
	For     string `yaml:"for"`
	// Body is what the message holds.
	Body []*guideNode `yaml:"body"`
}

// guideNode is one segment, or, with a Body, the group that the segment begins.
type guideNode struct {
	Segment string `yaml:"segment"`
	// As is its name in the tree.
	As string `yaml:"as"`
	// Repeat makes a list of it. By makes an object instead, keyed by an element: a second one with the same key gets "#2".
	Repeat bool        `yaml:"repeat"`
	By     *ediAddress `yaml:"by"`
	// Fields name what the segment holds; what is empty is left out.
	Fields map[string]ediAddress `yaml:"fields"`
	Body   []*guideNode          `yaml:"body"`
}

// ediAddress is a place in a segment: "2" and "2.1" are the first component of the second element, "2.3" its third,
// "2.*" the list of its components, "2..." the list of all components from the second element on.
type ediAddress struct {
	element, component int
	all, rest          bool
}

// UnmarshalYAML implements goccy/go-yaml's NodeUnmarshaler.
func (a *ediAddress) UnmarshalYAML(n ast.Node) error {
	written := n.GetToken().Value
	first, second, dotted := strings.Cut(written, ".")
	*a = ediAddress{rest: second == "..", all: second == "*"}
	var err error
	if a.element, err = strconv.Atoi(first); err == nil && dotted && !a.rest && !a.all {
		a.component, err = strconv.Atoi(second)
		a.component--
	}
	a.element--
	if err != nil || a.element < 0 || a.component < 0 {
		return badNode(n, "want an element and component such as 2, 2.1, 2.* or 2...")
	}
	return nil
}

// of returns what stands at the address: a string, a list of strings, or nil.
func (a ediAddress) of(g ediSegment) any {
	if a.element >= len(g.elements) {
		return nil
	}
	elements := g.elements[a.element : a.element+1]
	switch {
	case a.rest:
		elements = g.elements[a.element:]
	case !a.all:
		if v := g.get(a.element, a.component); v != "" {
			return v
		}
		return nil
	}
	var list []any
	for _, components := range elements {
		for _, v := range components {
			if v = strings.TrimSpace(v); v != "" {
				list = append(list, v)
			}
		}
	}
	if list == nil {
		return nil
	}
	return list
}

// guides is the setting of that name: a built-in's name, a guide written out, or a list of either.
type guides struct{ given []givenGuide }

// givenGuide is one of them.
type givenGuide struct {
	name  string
	guide *guide
}

// UnmarshalYAML implements goccy/go-yaml's InterfaceUnmarshaler.
func (g *guides) UnmarshalYAML(unmarshal func(any) error) error {
	var many []givenGuide
	if unmarshal(&many) == nil {
		g.given = many
		return nil
	}
	var one givenGuide
	err := unmarshal(&one)
	g.given = []givenGuide{one}
	return err
}

// UnmarshalYAML implements goccy/go-yaml's InterfaceUnmarshaler.
func (g *givenGuide) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&g.name) == nil {
		return nil
	}
	g.guide = &guide{}
	return unmarshal(g.guide)
}

// resolve finds the built-in guides and checks all.
func (g guides) resolve(standard string) ([]*guide, error) {
	var out []*guide
	for _, given := range g.given {
		one := given.guide
		if one == nil {
			var err error
			if one, err = builtInGuide(standard, given.name); err != nil {
				return nil, err
			}
		}
		if one.For != "" && one.For != standard {
			return nil, setting(standard, "guide", say("the guide for %s is for %s", "%s 的解析指南适用于 %s", one.Message, one.For))
		}
		if one.Message == "" {
			return nil, setting(standard, "guide", say("the guide states no message type", "解析指南没有写明报文类型"))
		}
		if err := checkGuide(standard, one.Body, "guide/body"); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func builtInGuide(standard, name string) (*guide, error) {
	b, err := builtInGuides.ReadFile("guides/" + strings.ToLower(name) + ".yaml")
	if err != nil {
		names := strings.Join(BuiltInGuides(), ", ")
		return nil, setting(standard, "guide", say("there is no built-in guide %q", "没有名为 %q 的内置解析指南", name).
			hint("the built-in ones are "+names, "内置的有："+names))
	}
	var g guide
	if err := yaml.UnmarshalWithOptions(b, &g, yaml.Strict()); err != nil {
		return nil, hub.Faultf(hub.Internal, "edi.guide", "the built-in guide %s cannot be read", name).Because(err)
	}
	return &g, nil
}

// BuiltInGuides lists the names that the setting guide: knows.
func BuiltInGuides() []string {
	entries, err := builtInGuides.ReadDir("guides")
	if err != nil { // cannot happen: the folder is embedded
		panic("decode: read built-in guides: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.ToUpper(strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// checkGuide refuses nodes that could not be told apart in the tree.
func checkGuide(standard string, nodes []*guideNode, key string) error {
	names := map[string]bool{"others": true}
	for i, n := range nodes {
		at := key + "/" + itoa(i)
		if n == nil || n.Segment == "" || n.As == "" {
			return setting(standard, at, say("every entry needs segment: and as:", "每一项都需要 segment: 和 as:"))
		}
		if names[n.As] {
			return setting(standard, at+"/as", say("%q stands for two things here", "名称 %q 在此处重复", n.As))
		}
		names[n.As] = true
		for _, child := range n.Body {
			if _, clash := n.Fields[childName(child)]; clash {
				return setting(standard, at+"/fields", say("%q is both a field and a segment", "%q 既是字段又是段", child.As))
			}
		}
		if err := checkGuide(standard, n.Body, at+"/body"); err != nil {
			return err
		}
	}
	return nil
}

func childName(n *guideNode) string {
	if n == nil {
		return ""
	}
	return n.As
}
