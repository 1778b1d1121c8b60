package fabrictest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/anchor"
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

// reply is the contract's answer; its members are those of the real one.
type reply struct {
	Status  string          `json:"status"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Head    *headState      `json:"head,omitempty"`
	Record  json.RawMessage `json:"record,omitempty"`
}

type headState struct {
	Owner string `json:"owner"`
	Root  string `json:"root"`
	Size  uint64 `json:"size"`
}

type recordState struct {
	Checkpoint string `json:"checkpoint"`
	Metadata   string `json:"metadata"`
	Origin     string `json:"origin"`
	Previous   uint64 `json:"previous"`
	Root       string `json:"root"`
	Size       uint64 `json:"size"`
	Submitter  string `json:"submitter"`
	TxID       string `json:"txId"`
}

// run runs the contract.
func (c call) run() (reply, error) {
	want := map[string]int{"Commit": 6, "Get": 2, "Latest": 1}[c.function]
	if want == 0 || len(c.args) != want {
		return reply{}, fmt.Errorf("no function %s of %d arguments", c.function, len(c.args))
	}
	if c.function == "Latest" {
		h := c.head()
		if h == nil {
			return reply{Status: "none"}, nil
		}
		return c.get(h.Size), nil
	}
	size, err := strconv.ParseUint(c.args[1], 10, 64)
	if err != nil {
		return reply{}, fmt.Errorf("parse size: %w", err)
	}
	if c.function == "Get" {
		return c.get(size), nil
	}
	return c.commit(size), nil
}

func (c call) get(size uint64) reply {
	r := c.state.Get(fmt.Sprintf("checkpoint %s %016d", c.args[0], size))
	if r == nil {
		return reply{Status: "none"}
	}
	return reply{Status: "found", Record: r}
}

func (c call) head() *headState {
	b := c.state.Get("head " + c.args[0])
	if b == nil {
		return nil
	}
	var h headState
	must(json.Unmarshal(b, &h))
	return &h
}

func (c call) commit(size uint64) reply {
	refuse := func(code string, h *headState, message string) reply {
		return reply{Status: "refused", Code: code, Message: message, Head: h}
	}
	origin, note := c.args[0], c.args[3]
	root, proof, err := c.digests()
	if err != nil || anchor.CheckOrigin(origin) != nil || size == 0 {
		return refuse("argument", nil, "an argument is malformed")
	}
	text := fmt.Sprintf("%s\n%d\n%s\n\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	if !strings.HasPrefix(note, text) || len(note) == len(text) {
		return refuse("note", nil, "the note states another checkpoint")
	}
	h := c.head()
	if h != nil && h.Owner != c.msp {
		return refuse("owner", h, "the origin belongs to "+h.Owner)
	}
	if held := c.get(size); held.Status == "found" {
		var first recordState
		must(json.Unmarshal(held.Record, &first))
		if first.Root != c.args[2] {
			return refuse("root", h, "another root is held")
		}
		return reply{Status: "exists", Record: held.Record}
	}
	r := recordState{
		Checkpoint: note, Metadata: c.args[5], Origin: origin, Root: c.args[2], Size: size, Submitter: c.msp, TxID: c.txID,
	}
	if h == nil && len(proof) > 0 {
		return refuse("proof", nil, "there is nothing to prove from")
	}
	if h != nil {
		if size < h.Size {
			return refuse("size", h, "a larger size is held")
		}
		var was hub.Digest
		must(was.UnmarshalText([]byte(h.Root)))
		from, to := anchor.Head{Size: h.Size, Root: was}, anchor.Head{Size: size, Root: root}
		if err := anchor.VerifyConsistency(anchor.SHA256, from, to, proof); err != nil {
			return refuse("proof", h, err.Error())
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

func (c call) write(r recordState) reply {
	record := encode(r)
	c.state.Put(fmt.Sprintf("checkpoint %s %016d", r.Origin, r.Size), record)
	c.state.Put("head "+r.Origin, encode(headState{Owner: r.Submitter, Root: r.Root, Size: r.Size}))
	return reply{Status: "committed", Record: record}
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
