package schemas

import (
	"sync"
)

// fastPath judges events and documents in one pass over their bytes. It knows the ordinary forms and nothing else: its
// answer is "valid" or "ask the schema", never "invalid". What it calls valid, the schema calls valid.
//
// One table serves all event types, because a field means the same wherever it occurs; where two types differ, the table
// is the stricter. Which fields belong to the declared type is decided at the end of the object, so that the order of the
// fields does not matter.
type fastPath struct {
	event    *fastObject
	document *fastObject
	pool     sync.Pool
}

// isEvent reports whether an event that is valid in a document begins at data[start].
func (f *fastPath) isEvent(data []byte, start int, hook func(string) error) bool {
	s := f.borrow(data, start, hook)
	defer f.giveBack(s)
	_, ok := f.checkEvent(s)
	return ok
}

// onlyEvent reports whether data is one event that is valid in a document, and whether the rules ask for a closer look.
func (f *fastPath) onlyEvent(data []byte, hook func(string) error) (valid, look bool) {
	s := f.borrow(data, skipBOM(data), hook)
	defer f.giveBack(s)
	_, ok := f.checkEvent(s)
	return ok && s.atEnd(), s.look
}

// isRoot reports whether data is a document, a query document, or an event with a context, as onlyEvent does.
func (f *fastPath) isRoot(data []byte, hook func(string) error) (valid, look bool) {
	s := f.borrow(data, skipBOM(data), hook)
	defer f.giveBack(s)
	if seen, ok := f.document.check(s); ok && s.documentComplete(seen) && s.atEnd() {
		return true, s.look
	}
	s.reset(data, skipBOM(data), hook)
	seen, ok := f.checkEvent(s)
	return ok && seen&fieldContext != 0 && s.atEnd(), s.look
}

func (f *fastPath) borrow(data []byte, start int, hook func(string) error) *scanner {
	s, ok := f.pool.Get().(*scanner)
	if !ok {
		s = &scanner{}
	}
	s.reset(data, start, hook)
	return s
}

// giveBack returns s to the pool without the caller's bytes.
func (f *fastPath) giveBack(s *scanner) {
	s.data, s.hook = nil, nil
	f.pool.Put(s)
}

// checkEvent reads one event and returns the fields that it has.
func (f *fastPath) checkEvent(s *scanner) (seen fieldSet, ok bool) {
	outer := s.facts
	s.facts = facts{}
	seen, ok = f.event.check(s)
	ok = ok && s.facts.complete(seen)
	if ok && s.facts.wantsRules(seen) {
		s.look = true
	}
	s.facts = outer
	return seen, ok
}

// fieldSet is a set of fields of one object, by their position in its table.
type fieldSet uint64

// Fields of events, in the order of the table in newFastPath.
const (
	fieldContext fieldSet = 1 << iota
	fieldType
	fieldEventID
	fieldEventTime
	fieldOffset
	fieldRecordTime
	fieldCertification
	fieldError
	fieldAction
	fieldBizStep
	fieldDisposition
	fieldPersistent
	fieldReadPoint
	fieldBizLocation
	fieldBizTransactions
	fieldSources
	fieldDestinations
	fieldSensors
	fieldEPCs
	fieldQuantities
	fieldParent
	fieldChildren
	fieldChildQuantities
	fieldInputs
	fieldInputQuantities
	fieldOutputs
	fieldOutputQuantities
	fieldTransformation
	fieldILMD

	fieldsOfAll = fieldContext | fieldType | fieldEventID | fieldEventTime | fieldOffset | fieldRecordTime |
		fieldCertification | fieldError | fieldBizStep | fieldDisposition | fieldPersistent | fieldReadPoint |
		fieldBizLocation | fieldBizTransactions | fieldSources | fieldDestinations | fieldSensors
	requiredOfAll = fieldType | fieldEventTime | fieldOffset
)

// facts are what the whole event must be judged by.
type facts struct {
	eventType eventKind
	action    actionKind
	filled    fieldSet // lists that are not empty
}

type eventKind uint8

const (
	otherEvent eventKind = iota
	objectEvent
	aggregationEvent
	transactionEvent
	transformationEvent
	associationEvent
)

type actionKind uint8

const (
	noAction actionKind = iota
	actionAdd
	actionObserve
	actionDelete
)

// complete reports whether an event with these fields has what its type demands and nothing else.
func (f facts) complete(seen fieldSet) bool {
	has := func(set fieldSet) bool { return seen&set == set }
	only := func(own fieldSet) bool { return seen&^(fieldsOfAll|own) == 0 }
	if !has(requiredOfAll) {
		return false
	}
	switch f.eventType {
	case objectEvent:
		return only(fieldAction|fieldEPCs|fieldQuantities|fieldILMD) && has(fieldAction) &&
			(has(fieldEPCs) || f.filled&fieldQuantities != 0 || f.filled&fieldSensors != 0 && has(fieldReadPoint)) &&
			(!has(fieldILMD) || f.action == actionAdd)
	case aggregationEvent:
		return only(fieldAction|fieldParent|fieldChildren|fieldChildQuantities) && has(fieldAction) &&
			(f.filled&(fieldChildren|fieldChildQuantities) != 0 || f.action == actionDelete)
	case associationEvent:
		return only(fieldAction|fieldParent|fieldChildren|fieldChildQuantities) && has(fieldAction|fieldParent) &&
			(f.filled&(fieldChildren|fieldChildQuantities) != 0 || f.action == actionDelete)
	case transactionEvent:
		return only(fieldAction|fieldParent|fieldEPCs|fieldQuantities) && has(fieldAction) &&
			f.filled&fieldBizTransactions != 0 &&
			(has(fieldEPCs) || f.filled&fieldQuantities != 0 || f.action == actionDelete)
	case transformationEvent:
		in := f.filled&(fieldInputs|fieldInputQuantities) != 0
		out := f.filled&(fieldOutputs|fieldOutputQuantities) != 0
		return only(fieldInputs|fieldInputQuantities|fieldOutputs|fieldOutputQuantities|fieldTransformation|fieldILMD) &&
			(in && out || has(fieldTransformation) && (in || out))
	case otherEvent:
	}
	return false
}

// wantsRules reports whether one of the [Rules] could refuse the event.
func (f facts) wantsRules(seen fieldSet) bool {
	return f.filled&fieldSensors != 0 ||
		f.eventType == aggregationEvent && f.action != actionObserve && seen&fieldParent == 0
}

// Fields of documents, in the order of the table in newFastPath.
const (
	documentContext fieldSet = 1 << iota
	documentType
	documentID
	documentVersion
	documentCreated
	documentInstance
	documentSender
	documentReceiver
	documentHeader
	documentBody
)

type documentKind uint8

const (
	otherDocument documentKind = iota
	captureDocument
	queryDocument
)

// documentComplete reports whether a document with these fields has what its type demands and nothing else.
func (s *scanner) documentComplete(seen fieldSet) bool {
	const query = documentContext | documentType | documentID | documentVersion | documentCreated | documentBody
	var required fieldSet
	switch {
	case s.document == captureDocument && s.body == captureDocument:
		required = documentContext | documentType | documentVersion | documentCreated | documentBody
	case s.document == queryDocument && s.body == queryDocument && seen&^query == 0:
		required = documentContext | documentType | documentBody
	default:
		return false
	}
	return seen&required == required
}
