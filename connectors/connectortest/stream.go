package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/suyuan-io/suyuan/hub"
)

// Fate is what becomes of one call.
type Fate uint8

// The fates of a call: it works; it is lost with an error; it lands, but the answer is an error.
const (
	Works Fate = iota
	Lost
	Landed
)

// errFault is what a switched fault returns.
func errFault(what string) error {
	return hub.Faultf(hub.Unavailable, "test.fault", "%s: the fault switch is on", what)
}

// Stream is a raw stream: it implements connectors.Publisher. The zero Stream is in memory.
type Stream struct {
	// Fate decides each call by its number, from 1; nil is Works always. Refuse refuses envelopes for good.
	Fate   func(call int) Fate
	Refuse func(hub.Envelope) error

	mu        sync.Mutex
	calls     int
	envelopes []hub.Envelope
	file      *os.File
}

// OpenStream returns a stream on disk: what was published is there after kill -9.
func OpenStream(path string) (*Stream, error) {
	s := &Stream{}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for len(data) > 0 {
		end := slices.Index(data, '\n')
		if end < 0 {
			break // the process died while it wrote: not published
		}
		var env hub.Envelope
		if err := json.Unmarshal(data[:end], &env); err != nil {
			return nil, err
		}
		s.envelopes = append(s.envelopes, env)
		data = data[end+1:]
	}
	s.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return s, err
}

// Close closes a stream on disk.
func (s *Stream) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// Publish implements connectors.Publisher.
func (s *Stream) Publish(_ context.Context, envelopes ...hub.Envelope) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	fate := Works
	if s.Fate != nil {
		fate = s.Fate(s.calls)
	}
	if fate == Lost {
		return errFault("publish")
	}
	for _, env := range envelopes {
		if s.Refuse == nil {
			break
		}
		if err := s.Refuse(env); err != nil {
			return err
		}
	}
	for _, env := range envelopes {
		env.Records = slices.Clone(env.Records)
		s.envelopes = append(s.envelopes, env)
		if err := s.write(env); err != nil {
			return err
		}
	}
	if fate == Landed {
		return errFault("publish")
	}
	return nil
}

func (s *Stream) write(env hub.Envelope) error {
	if s.file == nil {
		return nil
	}
	line, err := json.Marshal(env)
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(line, '\n'))
	return err
}

// Envelopes returns what was published so far, in order, repetitions included.
func (s *Stream) Envelopes() []hub.Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.envelopes)
}

// Records returns the records of all envelopes, in order, repetitions included.
func (s *Stream) Records() []hub.Record {
	var out []hub.Record
	for _, env := range s.Envelopes() {
		out = append(out, env.Records...)
	}
	return out
}

// Shelf keeps positions: it implements connectors.Positions. The zero Shelf is in memory.
type Shelf struct {
	// Fate decides each call of SavePosition by its number, from 1; nil is Works always.
	Fate func(call int) Fate

	mu        sync.Mutex
	calls     int
	positions map[hub.ConnectorID]hub.Position
	path      string
}

// OpenShelf returns a shelf on disk.
func OpenShelf(path string) (*Shelf, error) {
	s := &Shelf{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(data, &s.positions)
}

// Position implements connectors.Positions.
func (s *Shelf) Position(_ context.Context, id hub.ConnectorID) (hub.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.positions[id], nil
}

// SavePosition implements connectors.Positions.
func (s *Shelf) SavePosition(_ context.Context, id hub.ConnectorID, p hub.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	fate := Works
	if s.Fate != nil {
		fate = s.Fate(s.calls)
	}
	if fate == Lost {
		return errFault("save position")
	}
	if s.positions == nil {
		s.positions = map[hub.ConnectorID]hub.Position{}
	}
	s.positions[id] = p
	if err := s.write(); err != nil {
		return err
	}
	if fate == Landed {
		return errFault("save position")
	}
	return nil
}

func (s *Shelf) write() error {
	if s.path == "" {
		return nil
	}
	data, err := json.Marshal(s.positions)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", data, 0o600); err != nil {
		return fmt.Errorf("write positions: %w", err)
	}
	return os.Rename(s.path+".new", s.path)
}
