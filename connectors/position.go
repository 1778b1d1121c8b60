package connectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// BadPosition is the fault of a position that a kind cannot be opened at. form is one that it can, as an operator would write it. The
// host puts the id of the instance for ID in the hint where it knows it.
func BadPosition(code, form string, cause error) *hub.Fault {
	f := hub.Faultf(hub.Invalid, code, "this is no position of the connector").Because(plainly(cause))
	f.MessageZh = "该位置不属于此连接器"
	f.Hint = fmt.Sprintf("while it is paused: suyuan connector rewind ID --to POSITION, with one like %s; without --to it reads from the beginning", form)
	f.HintZh = fmt.Sprintf("暂停后执行 suyuan connector rewind ID --to POSITION，位置的写法如 %s；不带 --to 则从头读取", form)
	return f
}

// plainly says what encoding/json found without naming types of Go.
func plainly(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("it has a JSON %s where another type belongs", e.Value)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is no JSON")
	}
	return err
}

// NoPosition is the fault of setting the position of a connector whose place another keeps: the broker, or its senders.
func NoPosition(keeper, keeperZh string) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "connector.no-position", "the hub cannot set where this connector reads on: %s", keeper)
	f.MessageZh = "集线器无法设定此连接器的读取位置：" + keeperZh
	return f
}

// StrictPosition decodes a position that an operator wrote into the value that into points to, and refuses members that
// it does not know: a misspelt one would silently mean the beginning.
func StrictPosition(p hub.Position, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(p)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}

// CheckPosition is [Resumer]'s for a kind whose positions are JSON of a V: nothing may be in p that a V does not know, and decode, by
// which the kind opens, must take it. bad makes a fault of what is wrong.
func CheckPosition[V any](p hub.Position, bad func(error) error, decode func(hub.Position) (V, error)) error {
	if p == "" {
		return nil
	}
	if err := StrictPosition(p, new(V)); err != nil {
		return bad(err)
	}
	_, err := decode(p)
	return err
}
