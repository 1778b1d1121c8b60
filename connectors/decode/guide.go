package decode

import "github.com/suyuan-io/suyuan/hub"

type guides struct{}

func (guides) resolve(string) ([]*guide, error) { return nil, nil }

type guide struct{ Message string }

func (g *guide) build(m *ediMessage, note any) (map[string]any, error) { return nil, nil }

func (m *ediMessage) locateGuided(g *guide, pointer string) hub.Where { return hub.Where{} }
