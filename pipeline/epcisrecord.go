package pipeline

import (
	"bytes"
	"errors"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// readEPCIS reads a record that is EPCIS already: one event with what precedes it in its document as the preamble, or,
// without a preamble, whatever epcis.ReadDocument takes. The master data of a document's header is stated by the record
// that holds the document without its events.
func readEPCIS(from origin) (meaning, error) {
	var m meaning
	if len(from.env.Preamble) > 0 {
		e, err := parseRecord(from.env.Preamble, from.rec.Body)
		if err != nil {
			return m, at(stageDecode, err)
		}
		m.events = []statedEvent{{Event: e, raw: jsonObject(from.rec.Body)}}
		return m, nil
	}
	header, err := epcis.ReadDocument(bytes.NewReader(from.rec.Body), epcis.Limits{}, func(it epcis.Item) error {
		e, err := it.Event()
		if err == nil {
			it.Raw = bytes.Clone(it.Raw)
			m.events = append(m.events, statedEvent{Event: e, raw: jsonObject(it.Raw), locate: within(it)})
		}
		return err
	})
	if err != nil {
		return m, at(stageDecode, err)
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
		var fs hub.Faults
		if !errors.As(err, &fs) {
			return it.Locate(err)
		}
		moved := make(hub.Faults, len(fs))
		for i, f := range fs {
			moved[i] = hub.AsFault(it.Locate(f))
		}
		return moved
	}
}

// parseRecord reads one event beside the document that it was cut from.
func parseRecord(preamble, body []byte) (*epcis.Event, error) {
	header, err := epcis.ReadDocument(bytes.NewReader(preamble), epcis.Limits{}, func(epcis.Item) error { return nil })
	if err != nil {
		return nil, err
	}
	return epcis.ParseEvent(body, header.Context)
}
