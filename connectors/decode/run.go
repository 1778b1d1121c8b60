package decode

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// maxReported is how many faults Run gathers before it stops.
const maxReported = 20

// Run decodes r with the format's defaults and writes one JSON line a record, in order. An empty format is detected.
// EDI whose trailers state a wrong count or reference is decoded all the same, with the disagreement under "faults" of
// the record, because it is here to be looked at; a connector refuses it. A record that cannot be decoded does not stop those
// after it. The error is a hub.Fault, or hub.Faults for several, with name as file and the line and column in r.
func Run(w io.Writer, name string, r io.Reader, format string) error {
	br := bufio.NewReaderSize(r, chunk)
	if format == "" {
		head, err := br.Peek(chunk)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("read %s: %w", name, err)
		}
		found, ok := Detect(head)
		if !ok {
			return refuse("decode.unknown", hub.Where{File: name}, say("no format is recognised here", "无法识别文件格式").
				hint("state it with --format", "请用 --format 指明格式"))
		}
		format = found
	}
	d, err := New(format, lookSettings(format))
	if err != nil {
		return err
	}
	return runDecoder(w, name, br, d)
}

// lookSettings are the settings with which an unknown file is looked at.
func lookSettings(format string) []byte {
	switch format {
	case "edifact", "x12", "tradacoms":
		return []byte("envelope: report")
	}
	return nil
}

func runDecoder(w io.Writer, name string, r io.Reader, d Decoder) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	var faults hub.Faults
	note := func(err error, p connectors.Piece) {
		for _, f := range faultsOf(err) {
			faults = append(faults, placedIn(f, name, p))
		}
	}
	stop := errors.New("enough")
	err := d.Split(r, func(p connectors.Piece) error {
		tree, err := d.Decode(p.Preamble, p.Body)
		if err != nil {
			if note(err, p); len(faults) >= maxReported {
				return stop
			}
			return nil
		}
		if err := enc.Encode(tree.Value); err != nil {
			return fmt.Errorf("write record: %w", err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		note(err, connectors.Piece{})
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return faults.Err()
}

// faultsOf lists what err says.
func faultsOf(err error) hub.Faults {
	var many hub.Faults
	if errors.As(err, &many) {
		return many
	}
	return hub.Faults{hub.AsFault(err)}
}

// placedIn returns f with its place moved from the record to the item.
func placedIn(f *hub.Fault, name string, p connectors.Piece) *hub.Fault {
	placed := *f
	if placed.Where.File != "" {
		placed.Where.File = name + "!" + placed.Where.File
	} else {
		placed.Where.File = name
	}
	placed.Where = Shift(placed.Where, p)
	return &placed
}

// Shift moves a place that counts within a record's body to where it is in the record's item.
func Shift(w hub.Where, p connectors.Piece) hub.Where {
	if p.Line == 0 || w.Line == 0 {
		return w
	}
	if w.Line == 1 && p.Column > 0 && w.Column > 0 {
		w.Column += p.Column - 1
	}
	w.Line += p.Line - 1
	return w
}
