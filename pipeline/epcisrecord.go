package pipeline

import (
	"bytes"
	"errors"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// readEPCIS reads a record that is EPCIS already. One event has what its document says besides it as the preamble. A record
// without a body or without a preamble is a document: its events, and the master data of its header. So a splitter states
// a document's master data once, by one record that has no body.
func readEPCIS(from origin) (meaning, error) {
	preamble, body := from.env.Preamble, from.rec.Body
	if len(preamble) > 0 && len(body) > 0 {
		e, err := epcis.ParseRecord(preamble, body)
		if err != nil {
			return meaning{}, at(stageDecode, err)
		}
		return meaning{events: []statedEvent{{Event: e, raw: jsonObject(body)}}}, nil
	}
	if len(body) == 0 {
		body = preamble
	}
	var m meaning
	header, err := epcis.ReadDocument(bytes.NewReader(body), epcis.Limits{Event: frameCeiling}, func(it epcis.Item) error {
		e, err := it.Event()
		if err == nil {
			it.Raw = bytes.Clone(it.Raw)
			m.events = append(m.events, statedEvent{Event: e, raw: jsonObject(it.Raw), locate: within(it)})
		}
		return err
	})
	if err != nil {
		return meaning{}, at(stageDecode, err)
	}
	m.master = header.MasterData(from.env.Provider, from.env.ReceivedAt)
	return m, nil
}

// jsonObject returns raw if it is a JSON object, and nil if it is XML.
func jsonObject(raw []byte) []byte {
	if bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return raw
	}
	return nil
}

// within moves places in it into the record.
func within(it epcis.Item) func(error) error {
	return func(err error) error {
		fs, ok := errors.AsType[hub.Faults](err)
		if !ok {
			return it.Locate(err)
		}
		moved := make(hub.Faults, len(fs))
		for i, f := range fs {
			moved[i] = hub.AsFault(it.Locate(f))
		}
		return moved
	}
}
