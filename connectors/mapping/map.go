package mapping

import (
	"errors"

	"github.com/suyuan-io/suyuan/hub"
)

// Map says what one record means. It is pure, and safe for concurrent use.
//
// The error is a [hub.Fault] with a stable code (map.missing, map.time, map.type, map.lookup, map.refused, map.nothing,
// gs1.…; kind Invalid; map.limit has kind TooLarge). Its Where is the place in the sender's record, as locate translates
// the JSON pointer of the part that was read; its cause is the [Site] in the mapping. locate may be nil.
func (m *Mapping) Map(in Input, locate func(pointer string) hub.Where) (Output, error) {
	return m.run(in, locate, nil)
}

func (m *Mapping) run(in Input, locate func(pointer string) hub.Where, hits []uint32) (Output, error) {
	s, ok := m.scopes.Get().(*scope)
	if !ok {
		return Output{}, hub.Faultf(hub.Internal, "map.internal", "the mapping was not loaded with Load")
	}
	s.in, s.steps, s.hits = in, maxSteps, hits
	s.room, _ = rooms.Get().(*room)
	out, err := m.outputs(s)
	out.room = s.room
	s.reset()
	m.scopes.Put(s)
	if err == nil {
		return out, nil
	}
	out.Release()
	return Output{}, located(err, locate)
}

// reset forgets the record, whatever state a fault left the scope in.
func (s *scope) reset() {
	clear(s.vars)
	clear(s.stack[:cap(s.stack)])
	*s = scope{m: s.m, vars: s.vars, stack: s.stack[:0]}
}

// located translates the fault's JSON pointer into the sender's terms.
func located(err error, locate func(pointer string) hub.Where) error {
	if errors.Is(err, errAbsent) || errors.Is(err, errShort) {
		return problem("map.missing", "a value is missing", "缺少某个值").fault(hub.Invalid)
	}
	f := hub.AsFault(err)
	if locate != nil {
		if w := locate(f.Where.Pointer); w != (hub.Where{}) {
			f.Where = w
		}
	}
	return f
}

func (m *Mapping) outputs(s *scope) (Output, error) {
	reason, err := m.skipped(s)
	if err != nil || reason != "" {
		return Output{Skipped: reason}, err
	}
	var out Output
	for _, e := range m.events {
		if err := e.loop.run(s, func() error { return e.append(s, &out) }); err != nil {
			return Output{}, err
		}
	}
	for _, ms := range m.masters {
		if err := ms.loop.run(s, func() error { return ms.append(s, &out) }); err != nil {
			return Output{}, err
		}
	}
	if len(out.Events) == 0 && len(out.Master) == 0 {
		return Output{}, m.nothing()
	}
	return out, nil
}

// skipped returns the reason of the first skip that applies.
func (m *Mapping) skipped(s *scope) (string, error) {
	for _, sk := range m.skips {
		ok, err := truth(s, sk.cond)
		if err != nil {
			return "", err
		}
		if ok {
			s.hit(sk.id)
			return sk.reason, nil
		}
	}
	return "", nil
}

func (e *event) append(s *scope, out *Output) error {
	made, err := e.make(s)
	if err != nil {
		return err
	}
	if len(out.Events) >= maxEvents {
		return problem("map.limit", "the record makes more than %d events", "一条记录产生了超过 %d 个事件", maxEvents).fault(hub.TooLarge)
	}
	out.Events = append(out.Events, made)
	return nil
}

func (m *master) append(s *scope, out *Output) error {
	made, err := m.make(s)
	if err == nil {
		out.Master = append(out.Master, made)
	}
	return err
}

// nothing refuses a record that no part of the mapping applies to: it would vanish silently.
func (m *Mapping) nothing() *hub.Fault {
	f := problem("map.nothing", "no event, no master data and no skip: of the mapping applies to this record", "映射中没有任何事件、主数据或 skip: 适用于此记录").
		hint("add an event whose when: covers it, or a skip: with a reason", "请添加 when: 覆盖该记录的事件，或添加带原因的 skip:").fault(hub.Invalid)
	f.Err = &Site{Mapping: hub.Where{File: m.path}}
	return f
}
