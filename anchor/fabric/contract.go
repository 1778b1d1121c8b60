package fabric

import (
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// The values of answer.Status and answer.Code; chaincode/contract.go says what they mean.
const (
	statusCommitted = "committed"
	statusExists    = "exists"
	statusFound     = "found"
	statusNone      = "none"
	statusRefused   = "refused"

	codeArgument = "argument"
	codeNote     = "note"
	codeRoot     = "root"
	codeSize     = "size"
	codeProof    = "proof"
	codeOwner    = "owner"
)

// answer is what the contract returns.
type answer struct {
	Status  string         `json:"status"`
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Head    head           `json:"head"`
	Record  jsontext.Value `json:"record"`
}

// head is the newest checkpoint of an origin.
type head struct {
	Owner string `json:"owner"`
	Root  string `json:"root"`
	Size  uint64 `json:"size"`
}

// record is a checkpoint as it stands in the channel's state.
type record struct {
	Checkpoint string `json:"checkpoint"`
	Metadata   string `json:"metadata"`
	Origin     string `json:"origin"`
	Previous   uint64 `json:"previous"`
	Root       string `json:"root"`
	Size       uint64 `json:"size"`
	Submitter  string `json:"submitter"`
	TxID       string `json:"txId"`
}

// recordKey and headKey are the keys of an origin in the channel's state.
func recordKey(origin string, size uint64) string {
	return fmt.Sprintf("checkpoint %s %016d", origin, size)
}

func headKey(origin string) string { return "head " + origin }

func parseAnswer(b []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return answer{}, fmt.Errorf("read the contract's answer: %w", err)
	}
	return a, nil
}

func parseRecord(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r, json.RejectUnknownMembers(true)); err != nil {
		return record{}, fmt.Errorf("read record: %w", err)
	}
	return r, nil
}

// checkpoint returns what the record's note says, which must be what the record says.
func (r record) checkpoint() (hub.Checkpoint, error) {
	c, _, err := anchor.ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		return hub.Checkpoint{}, err
	}
	if c.Origin != r.Origin || c.Size != r.Size || c.Root.String() != r.Root {
		return hub.Checkpoint{}, fmt.Errorf("the record of size %d holds the note of another checkpoint", r.Size)
	}
	return c, nil
}

// commitArguments are the arguments of Commit.
func commitArguments(c anchor.Commitment, metadata string) ([]string, error) {
	hashes := make([]string, len(c.Consistency))
	for i, h := range c.Consistency {
		hashes[i] = hex.EncodeToString(h[:])
	}
	proof, err := json.Marshal(hashes)
	if err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	p := c.Checkpoint
	return []string{p.Origin, fmt.Sprint(p.Size), p.Root.String(), string(p.Note), string(proof), metadata}, nil
}

// refusal turns a refusal of the contract into a fault, whose kind says what the hub may do.
func (a answer) refusal(c anchor.Commitment) error {
	var kind hub.Kind
	var zh string
	switch {
	case a.Code == codeRoot || a.Code == codeSize:
		kind, zh = hub.Conflict, "联盟链上的检查点与本日志矛盾"
	case a.Code == codeProof && a.Head.Size == c.PreviousSize:
		kind, zh = hub.Conflict, "一致性证明不成立:日志被改写"
	case a.Code == codeProof: // the proof began elsewhere: that is no sign of a rewritten log
		kind, zh = hub.Invalid, "一致性证明的起点不是链上最新的检查点"
	case a.Code == codeOwner:
		kind, zh = hub.Forbidden, "该日志在联盟链上属于其他组织"
	default:
		kind, zh = hub.Invalid, "合约拒绝了该检查点"
	}
	fault := hub.Faultf(kind, "fabric."+a.Code, "the contract refuses checkpoint %d: %.200s", c.Checkpoint.Size, a.Message)
	fault.MessageZh = zh
	if kind == hub.Forbidden {
		fault = fault.WithHint("commit as " + a.Head.Owner + ", or choose another origin")
	}
	return fault
}
