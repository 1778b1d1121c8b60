package fabrictest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// State is what a contract reads and writes.
type State interface {
	Get(key string) []byte
	Put(key string, value []byte)
}

// call is one call of the contract.
type call struct {
	state    State
	txID     string
	msp      string
	function string
	args     []string
}

// run runs the contract.
func (c call) run() (contract.Answer, error) {
	want := map[string]int{"Commit": 6, "Get": 2, "Latest": 1}[c.function]
	if want == 0 || len(c.args) != want {
		return contract.Answer{}, fmt.Errorf("no function %s of %d arguments", c.function, len(c.args))
	}
	if c.function == "Latest" {
		h := c.head()
		if h == nil {
			return contract.Answer{Status: contract.StatusNone}, nil
		}
		return c.get(h.Size), nil
	}
	size, err := strconv.ParseUint(c.args[1], 10, 64)
	if err != nil {
		return contract.Answer{}, fmt.Errorf("parse size: %w", err)
	}
	if c.function == "Get" {
		return c.get(size), nil
	}
	return c.commit(size), nil
}

func (c call) get(size uint64) contract.Answer {
	r := c.state.Get(contract.RecordKey(c.args[0], size))
	if r == nil {
		return contract.Answer{Status: contract.StatusNone}
	}
	return contract.Answer{Status: contract.StatusFound, Record: r}
}

func (c call) head() *contract.Head {
	b := c.state.Get(contract.HeadKey(c.args[0]))
	if b == nil {
		return nil
	}
	var h contract.Head
	must(json.Unmarshal(b, &h))
	return &h
}

func (c call) commit(size uint64) contract.Answer {
	refuse := func(code string, h *contract.Head, message string) contract.Answer {
		a := contract.Answer{Status: contract.StatusRefused, Code: code, Message: message}
		if h != nil {
			a.Head = *h
		}
		return a
	}
	origin, note := c.args[0], c.args[3]
	root, proof, err := c.digests()
	if err != nil || anchor.CheckOrigin(origin) != nil || size == 0 {
		return refuse(contract.CodeArgument, nil, "an argument is malformed")
	}
	text := fmt.Sprintf("%s\n%d\n%s\n\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	if !strings.HasPrefix(note, text) || len(note) == len(text) {
		return refuse(contract.CodeNote, nil, "the note states another checkpoint")
	}
	h := c.head()
	if h != nil && h.Owner != c.msp {
		return refuse(contract.CodeOwner, h, "the origin belongs to "+h.Owner)
	}
	if held := c.get(size); held.Status == contract.StatusFound {
		var first contract.Record
		must(json.Unmarshal(held.Record, &first))
		if first.Root != c.args[2] {
			return refuse(contract.CodeRoot, h, "another root is held")
		}
		return contract.Answer{Status: contract.StatusExists, Record: held.Record}
	}
	r := contract.Record{
		Checkpoint: note, Metadata: c.args[5], Origin: origin, Root: c.args[2], Size: size, Submitter: c.msp, TxID: c.txID,
	}
	if h == nil && len(proof) > 0 {
		return refuse(contract.CodeProof, nil, "there is nothing to prove from")
	}
	if h != nil {
		if size < h.Size {
			return refuse(contract.CodeSize, h, "a larger size is held")
		}
		var was hub.Digest
		must(was.UnmarshalText([]byte(h.Root)))
		from, to := anchor.Head{Size: h.Size, Root: was}, anchor.Head{Size: size, Root: root}
		if err := anchor.VerifyConsistency(anchor.SHA256, from, to, proof); err != nil {
			return refuse(contract.CodeProof, h, err.Error())
		}
		r.Previous = h.Size
	}
	return c.write(r)
}

// digests reads the root and the proof.
func (c call) digests() (root hub.Digest, proof []hub.Digest, err error) {
	if err = root.UnmarshalText([]byte(c.args[2])); err == nil {
		err = json.Unmarshal([]byte(c.args[4]), &proof)
	}
	return root, proof, err
}

func (c call) write(r contract.Record) contract.Answer {
	record := encode(r)
	c.state.Put(contract.RecordKey(r.Origin, r.Size), record)
	c.state.Put(contract.HeadKey(r.Origin), encode(contract.Head{Owner: r.Submitter, Root: r.Root, Size: r.Size}))
	return contract.Answer{Status: contract.StatusCommitted, Record: record}
}

// Call runs one function of the contract on a state of its own keeping and returns the answer's JSON.
func Call(state State, mspID, txID, function string, args ...string) ([]byte, error) {
	r, err := call{state: state, txID: txID, msp: mspID, function: function, args: args}.run()
	if err != nil {
		return nil, err
	}
	return encode(r), nil
}

// encode encodes what was made here, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	must(err)
	return b
}

// must panics on what cannot happen: the state holds what the contract wrote.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
