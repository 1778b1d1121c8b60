package fabrictest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

const origin = "test.example/log"

type memory map[string][]byte

func (m memory) Get(key string) []byte        { return m[key] }
func (m memory) Put(key string, value []byte) { m[key] = value }

// leaf is the leaf hash of a byte, node that of two subtrees (RFC 6962, section 2.1).
func leaf(b byte) hub.Digest { return hub.Sum([]byte{0, b}) }
func node(left, right hub.Digest) hub.Digest {
	return hub.Sum(append(append([]byte{1}, left[:]...), right[:]...))
}

// TestTheContractsDecisions goes through a log of one, two and three leaves, call by call, on one state.
func TestTheContractsDecisions(t *testing.T) {
	key, err := anchor.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := leaf('a'), leaf('b'), leaf('c')
	one, two, three := a, node(a, b), node(node(a, b), c)
	// commit makes the arguments of Commit, and change spoils some of them.
	commit := func(size uint64, root hub.Digest, proof []hub.Digest, change ...func([]string)) []string {
		args, err := contract.CommitArguments(anchor.Commitment{Checkpoint: key.SignCheckpoint(size, root), Consistency: proof}, "meta")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range change {
			f(args)
		}
		return args
	}
	put := func(i int, text string) func([]string) { return func(args []string) { args[i] = text } }
	at := func(size uint64) []string { return []string{origin, fmt.Sprint(size)} }
	state := memory{}
	for _, tc := range []struct {
		name, msp, function string
		args                []string
		status, code        string
		size                uint64 // of the record that is answered
	}{
		{"nothing is held", "Org1MSP", "Latest", []string{origin}, contract.StatusNone, "", 0},
		{"no origin", "Org1MSP", "Commit", commit(1, one, nil, put(0, "a b")), contract.StatusRefused, contract.CodeArgument, 0},
		{"size 0", "Org1MSP", "Commit", commit(1, one, nil, put(1, "0")), contract.StatusRefused, contract.CodeArgument, 0},
		{"a root that is no digest", "Org1MSP", "Commit", commit(1, one, nil, put(2, "ab")), contract.StatusRefused, contract.CodeArgument, 0},
		{"a proof that is no list", "Org1MSP", "Commit", commit(1, one, nil, put(4, "{}")), contract.StatusRefused, contract.CodeArgument, 0},
		{"a note of another size", "Org1MSP", "Commit", commit(1, one, nil, put(1, "2")), contract.StatusRefused, contract.CodeNote, 0},
		{"a note of another root", "Org1MSP", "Commit", commit(1, one, nil, put(2, two.String())), contract.StatusRefused, contract.CodeNote, 0},
		{"a note of another origin", "Org1MSP", "Commit", commit(1, one, nil, put(0, "other.example/log")), contract.StatusRefused, contract.CodeNote, 0},
		{"a note without a signature", "Org1MSP", "Commit", commit(1, one, nil, func(args []string) {
			text, _, _ := strings.Cut(args[3], "\n\n")
			args[3] = text + "\n\n"
		}), contract.StatusRefused, contract.CodeNote, 0},
		{"a first one with a proof", "Org1MSP", "Commit", commit(1, one, []hub.Digest{b}), contract.StatusRefused, contract.CodeProof, 0},
		{"still nothing is held", "Org1MSP", "Get", at(1), contract.StatusNone, "", 0},

		{"the first", "Org1MSP", "Commit", commit(1, one, nil), contract.StatusCommitted, "", 1},
		{"the first again", "Org1MSP", "Commit", commit(1, one, nil), contract.StatusExists, "", 1},
		{"another organisation", "Org2MSP", "Commit", commit(2, two, []hub.Digest{b}), contract.StatusRefused, contract.CodeOwner, 0},
		{"another organisation repeats", "Org2MSP", "Commit", commit(1, one, nil), contract.StatusRefused, contract.CodeOwner, 0},
		{"another root of a size", "Org1MSP", "Commit", commit(1, two, nil), contract.StatusRefused, contract.CodeRoot, 0},
		{"no proof", "Org1MSP", "Commit", commit(2, two, nil), contract.StatusRefused, contract.CodeProof, 0},
		{"a proof of another growth", "Org1MSP", "Commit", commit(2, two, []hub.Digest{c}), contract.StatusRefused, contract.CodeProof, 0},
		{"growth over a gap", "Org1MSP", "Commit", commit(3, three, []hub.Digest{b, c}), contract.StatusCommitted, "", 3},
		{"a size that was passed over", "Org1MSP", "Commit", commit(2, two, []hub.Digest{b}), contract.StatusRefused, contract.CodeSize, 0},
		{"an old one again", "Org1MSP", "Commit", commit(1, one, nil), contract.StatusExists, "", 1},
		{"everyone reads", "Org2MSP", "Get", at(3), contract.StatusFound, "", 3},
		{"everyone reads the newest", "Org2MSP", "Latest", []string{origin}, contract.StatusFound, "", 3},
		{"what was passed over", "Org2MSP", "Get", at(2), contract.StatusNone, "", 0},
		{"another origin", "Org2MSP", "Latest", []string{"other.example/log"}, contract.StatusNone, "", 0},
	} {
		before := fmt.Sprint(state)
		text, err := fabrictest.Call(state, tc.msp, "tx "+tc.name, tc.function, tc.args...)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		got, err := contract.ParseAnswer(text)
		if err != nil || got.Status != tc.status || got.Code != tc.code {
			t.Errorf("%s: %s, %v", tc.name, text, err)
		}
		if changed := fmt.Sprint(state) != before; changed != (tc.status == contract.StatusCommitted) {
			t.Errorf("%s: the state changed: %v", tc.name, changed)
		}
		if tc.size == 0 {
			continue
		}
		record, err := contract.ParseRecord(got.Record)
		if err != nil || record.Size != tc.size || record.Submitter != "Org1MSP" || record.Metadata != "meta" {
			t.Errorf("%s: record %+v, %v", tc.name, record, err)
		}
		if _, err := record.Parse(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	record, err := contract.ParseRecord(state[contract.RecordKey(origin, 3)])
	if err != nil || record.Previous != 1 || record.TxID != "tx growth over a gap" {
		t.Errorf("%+v, %v", record, err)
	}
	var head contract.Head
	if err := json.Unmarshal(state[contract.HeadKey(origin)], &head); err != nil || head.Size != 3 || head.Owner != "Org1MSP" || head.Root != three.String() {
		t.Errorf("%+v, %v", head, err)
	}
}

func TestCallsThatTheContractDoesNotHave(t *testing.T) {
	for name, call := range map[string][]string{
		"no function":        {"Delete", origin, "1"},
		"an argument short":  {"Get", origin},
		"an argument more":   {"Latest", origin, "1"},
		"a size in words":    {"Get", origin, "one"},
		"a negative size":    {"Get", origin, "-1"},
		"a size beyond 2^64": {"Get", origin, "18446744073709551616"},
	} {
		if b, err := fabrictest.Call(memory{}, "Org1MSP", "tx", call[0], call[1:]...); err == nil {
			t.Errorf("%s is answered: %s", name, b)
		}
	}
}
