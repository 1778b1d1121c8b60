package connectortest

import (
	"bufio"
	"errors"
	"io"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Lines is a splitter for tests: one record a line. A line "!" is what it cannot split.
type Lines struct{}

// Split implements connectors.Splitter.
func (Lines) Split(r io.Reader, yield func(connectors.Piece) error) error {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		body := line
		if len(body) > 0 && body[len(body)-1] == '\n' {
			body = body[:len(body)-1]
		}
		if string(body) == "!" {
			return hub.Faultf(hub.Invalid, "test.unsplittable", "a line is unsplittable").At(hub.Where{Line: n, Column: 1})
		}
		if len(body) > 0 {
			if err := yield(connectors.Piece{Body: body, Line: n, Column: 1}); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// Whole is a splitter for tests: an item is one record.
type Whole struct{}

// Split implements connectors.Splitter.
func (Whole) Split(r io.Reader, yield func(connectors.Piece) error) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return yield(connectors.Piece{Body: body, Line: 1, Column: 1})
}
