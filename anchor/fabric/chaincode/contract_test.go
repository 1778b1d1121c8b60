package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
)

// stub is a ledger of one key space in memory. What it does not implement panics, and so fails the test.
type stub struct {
	shim.ChaincodeStubInterface

	state   map[string][]byte
	history map[string][]*queryresult.KeyModification
	events  []string
	tx      int
	fail    error
}

func newStub() *stub {
	return &stub{state: map[string][]byte{}, history: map[string][]*queryresult.KeyModification{}}
}

func (s *stub) GetTxID() string { return fmt.Sprint("tx", s.tx) }

func (s *stub) GetState(key string) ([]byte, error) { return s.state[key], s.fail }

func (s *stub) PutState(key string, value []byte) error {
	s.state[key] = value
	s.history[key] = append([]*queryresult.KeyModification{{TxId: s.GetTxID(), Value: value}}, s.history[key]...)
	return s.fail
}

func (s *stub) SetEvent(name string, payload []byte) error {
	s.events = append(s.events, name+" "+string(payload))
	return nil
}

func (s *stub) GetStateByRange(from, to string) (shim.StateQueryIteratorInterface, error) {
	it := &states{}
	for _, key := range slices.Sorted(maps.Keys(s.state)) {
		if key >= from && key < to {
			it.left = append(it.left, &queryresult.KV{Key: key, Value: s.state[key]})
		}
	}
	return it, s.fail
}

func (s *stub) GetHistoryForKey(key string) (shim.HistoryQueryIteratorInterface, error) {
	return &changes{left: slices.Clone(s.history[key])}, s.fail
}

type states struct{ left []*queryresult.KV }

func (i *states) HasNext() bool { return len(i.left) > 0 }
func (i *states) Close() error  { return nil }
func (i *states) Next() (*queryresult.KV, error) {
	next := i.left[0]
	i.left = i.left[1:]
	return next, nil
}

type changes struct {
	left []*queryresult.KeyModification
}

func (i *changes) HasNext() bool { return len(i.left) > 0 }
func (i *changes) Close() error  { return nil }
func (i *changes) Next() (*queryresult.KeyModification, error) {
	next := i.left[0]
	i.left = i.left[1:]
	return next, nil
}

// identity is a client of one organisation.
type identity struct {
	cid.ClientIdentity

	msp string
}

func (i identity) GetMSPID() (string, error) { return i.msp, nil }

// call is one step of testdata/calls.json, which the hub's fake of a network has to answer alike.
type call struct {
	Name, MSP, Function, Status, Code string
	Args                              []string
	Size                              uint64
}

// do calls a function as the peer does, with text arguments.
func (s *stub) do(t *testing.T, c call) Answer {
	t.Helper()
	s.tx++
	ctx := &contractapi.TransactionContext{}
	ctx.SetStub(s)
	ctx.SetClientIdentity(identity{msp: c.MSP})
	size := func() uint64 {
		n, err := strconv.ParseUint(c.Args[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var contract Contract
	var text string
	var err error
	switch c.Function {
	case "Commit":
		text, err = contract.Commit(ctx, c.Args[0], size(), c.Args[2], c.Args[3], c.Args[4], c.Args[5])
	case "Get":
		text, err = contract.Get(ctx, c.Args[0], size())
	case "Latest":
		text, err = contract.Latest(ctx, c.Args[0])
	default:
		t.Fatalf("no function %q", c.Function)
	}
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	var a Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func readCalls(t *testing.T) []call {
	t.Helper()
	b, err := os.ReadFile("testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	if err := json.Unmarshal(b, &calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

func TestCalls(t *testing.T) {
	s := newStub()
	for _, c := range readCalls(t) {
		before := maps.Clone(s.state)
		a := s.do(t, c)
		if a.Status != c.Status || a.Code != c.Code {
			t.Errorf("%s: got %s %s %q, want %s %s", c.Name, a.Status, a.Code, a.Message, c.Status, c.Code)
		}
		if c.Size > 0 {
			var r Record
			if err := json.Unmarshal(a.Record, &r); err != nil || r.Size != c.Size {
				t.Errorf("%s: got size %d, %v, want %d", c.Name, r.Size, err, c.Size)
			}
		}
		if wrote := len(s.state) != len(before); wrote != (c.Status == statusCommitted) && c.Function == "Commit" {
			t.Errorf("%s: answered %s, and the state changed: %v", c.Name, a.Status, wrote)
		}
	}
	if len(s.events) != 3 || !strings.HasPrefix(s.events[0], `checkpoint {"checkpoint":"hub.example/log\n5\n`) {
		t.Errorf("emitted %q", s.events)
	}
}

func TestARepeatedCommitHasTheFirstRecord(t *testing.T) {
	s := newStub()
	var first, again Answer
	for _, c := range readCalls(t) {
		switch a := s.do(t, c); c.Name {
		case "the first checkpoint":
			first = a
		case "the first again after growth":
			again = a
		}
	}
	if len(first.Record) == 0 || string(first.Record) != string(again.Record) {
		t.Errorf("first %s, again %s", first.Record, again.Record)
	}
}

func TestRangeAndHistory(t *testing.T) {
	s := newStub()
	for _, c := range readCalls(t) {
		s.do(t, c)
	}
	ctx := &contractapi.TransactionContext{}
	ctx.SetStub(s)
	var contract Contract
	for _, c := range []struct {
		origin string
		from   uint64
		limit  int
		want   []uint64
	}{
		{"hub.example/log", 0, 100, []uint64{5, 9}},
		{"hub.example/log", 0, 1, []uint64{5}},
		{"hub.example/log", 6, 10, []uint64{9}},
		{"hub.example/log", 10, 10, nil},
		{"hub.example/log2", 0, 10, []uint64{3}},
		{"hub.example/lo", 0, 10, nil},
	} {
		text, err := contract.Range(ctx, c.origin, c.from, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var records []Record
		if err := json.Unmarshal([]byte(text), &records); err != nil {
			t.Fatal(err)
		}
		var sizes []uint64
		for _, r := range records {
			sizes = append(sizes, r.Size)
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("%s from %d: got %v, want %v", c.origin, c.from, sizes, c.want)
		}
	}
	if _, err := contract.Range(ctx, "hub.example/log", 0, maxPage+1); err == nil {
		t.Error("a page without bound was answered")
	}
	text, err := contract.History(ctx, "hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	var history []Change
	if err := json.Unmarshal([]byte(text), &history); err != nil {
		t.Fatal(err)
	}
	if len(history) != 2 || history[0].Head.Size != 9 || history[1].Head.Size != 5 || history[0].TxID == history[1].TxID {
		t.Errorf("the history is %+v", history)
	}
}

func TestTheContractIsWellFormed(t *testing.T) {
	if _, err := contractapi.NewChaincode(&Contract{}); err != nil {
		t.Fatal(err)
	}
}
