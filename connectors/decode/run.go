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

// maxReported is how many faults Inspect gathers before it stops.
const maxReported = 20

// Options say how Inspect looks at an item.
type Options struct {
	// Format is a name of [Formats]; empty means that it is detected.
	Format string
	// Settings are the format's, as YAML; nil means the defaults, and for EDI "envelope: report".
	Settings []byte
	// Note is told what is doubtful and was decoded all the same: an encoding that had to be guessed, EDI trailers with a
	// wrong count or reference. It may be nil: a record's own are under "faults" of its tree too.
	Note func(*hub.Fault)
}

// Run is Inspect with the defaults for a format, which may be empty.
func Run(w io.Writer, name string, r io.Reader, format string) error {
	return Inspect(w, name, r, Options{Format: format})
}

// Inspect decodes r and writes one JSON line a record, in order. A record that cannot be decoded does not stop those after
// it. Where EDI trailers disagree with what they close, the records are written all the same, since Inspect is there to
// look at files; a connector with default settings refuses them. The error is a hub.Fault, or hub.Faults for several,
// with name as file and line and column in r.
func Inspect(w io.Writer, name string, r io.Reader, o Options) error {
	br := bufio.NewReaderSize(r, chunk)
	if o.Format == "" {
		head, err := br.Peek(chunk)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if what, code := notRead(head); what != "" {
			return refuse(code, hub.Where{File: name}, say("this is %s", "此文件无法读取：%s", what))
		}
		found, ok := Detect(head)
		if !ok {
			return refuse("decode.unknown", hub.Where{File: name}, say("no format is recognised here", "无法识别文件格式").
				hint("state it with --format: "+formatNames(), "请用 --format 指明格式："+formatNames()))
		}
		o.Format = found
	}
	if o.Note == nil {
		o.Note = func(*hub.Fault) {}
	}
	if o.Settings == nil {
		head, _ := br.Peek(chunk) // an error comes again
		o.Settings = o.look(name, head)
	}
	d, err := New(o.Format, o.Settings)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	i := inspection{d: d, name: name, note: o.Note, out: json.NewEncoder(out)}
	i.out.SetEscapeHTML(false)
	err = i.run(br)
	return errors.Join(err, out.Flush())
}

// look returns the settings with which an unknown file is looked at.
func (o Options) look(name string, head []byte) []byte {
	switch o.Format {
	case "edifact", "x12", "tradacoms":
		return []byte("envelope: report")
	}
	encoding := GuessEncoding(o.Format, head)
	if encoding == "" {
		return nil
	}
	o.Note(refuse("decode.encoding", hub.Where{File: name}, say("the encoding is a guess: %s", "编码为猜测：%s", encoding).
		hint("state it: encoding: "+encoding, "请写明：encoding: "+encoding)))
	return []byte("encoding: " + encoding)
}

// inspection is one run of Inspect.
type inspection struct {
	d      Decoder
	name   string
	note   func(*hub.Fault)
	out    *json.Encoder
	faults hub.Faults
}

// errEnough ends an inspection that has found more than anyone reads.
var errEnough = errors.New("enough faults")

func (i *inspection) run(r io.Reader) error {
	var doubts hub.Faults
	err := i.split(r, &doubts)
	for _, f := range doubts {
		i.note(i.placed(f, connectors.Piece{}))
	}
	if err != nil && !errors.Is(err, errEnough) {
		i.add(err, connectors.Piece{})
	}
	if len(i.faults) == 1 {
		return i.faults[0]
	}
	return i.faults.Err()
}

// doubting is a decoder that can tell what is doubtful about an item's envelopes.
type doubting interface {
	splitDoubting(r io.Reader, yield func(connectors.Piece) error, doubts *hub.Faults) error
}

func (i *inspection) split(r io.Reader, doubts *hub.Faults) error {
	if d, ok := i.d.(doubting); ok {
		return d.splitDoubting(r, i.record, doubts)
	}
	return i.d.Split(r, i.record)
}

// record decodes and writes one record.
func (i *inspection) record(p connectors.Piece) error {
	tree, err := i.d.Decode(p.Preamble, p.Body)
	if err != nil {
		if i.add(err, p); len(i.faults) >= maxReported {
			return errEnough
		}
		return nil
	}
	i.doubts(tree.Value, p)
	if err := i.out.Encode(tree.Value); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// doubts tells of the faults in a record's own tree, and moves their places to the item.
func (i *inspection) doubts(value any, p connectors.Piece) {
	tree, _ := value.(map[string]any)
	list, _ := tree["faults"].([]any)
	for _, v := range list {
		if f, ok := faultOfTree(v); ok {
			placed := i.placed(f, p)
			placeTree(v, placed.Where)
			i.note(placed)
		}
	}
}

// add gathers what an error says.
func (i *inspection) add(err error, p connectors.Piece) {
	var many hub.Faults
	if !errors.As(err, &many) {
		many = hub.Faults{hub.AsFault(err)}
	}
	for _, f := range many {
		i.faults = append(i.faults, i.placed(f, p))
	}
}

// placed returns f with its place moved from the record to the item.
func (i *inspection) placed(f *hub.Fault, p connectors.Piece) *hub.Fault {
	placed := *f
	placed.Where = Shift(f.Where, p)
	if placed.Where.File = i.name; f.Where.File != "" {
		placed.Where.File += "!" + f.Where.File
	}
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
