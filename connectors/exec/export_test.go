package exec

import (
	"bufio"
	"io"

	"github.com/suyuan-io/suyuan/internal/child"
)

// ReadMessages reads everything: each element is a message or a fault.
func ReadMessages(r io.Reader, limit int) []any {
	in := bufio.NewReader(r)
	var out []any
	for {
		line, err := child.ReadLine(in, limit)
		if err != nil {
			return out
		}
		m, err := parseMessage(line)
		switch {
		case err != nil:
			out = append(out, err)
		case m.T == "error":
			out = append(out, m.fault())
		default:
			out = append(out, &m)
		}
	}
}
