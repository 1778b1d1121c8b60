package drop

import "github.com/suyuan-io/suyuan/hub"

// Again reads a position and writes it.
func Again(p hub.Position) (hub.Position, error) {
	done, err := decodePosition(p)
	if err != nil {
		return "", err
	}
	return (&source{done: done}).position()
}

// Fixed cuts a pattern as a look does.
func Fixed(pattern string) (dir string, steps []string) { return fixed(pattern) }
