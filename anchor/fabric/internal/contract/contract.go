// Package contract is the language of the checkpoint contract: its answers, its records, its keys in the channel's state, and the
// hash of a block's header. The driver and the consortium in process speak it; the contract itself (chaincode/contract.go) is a
// module of its own and says what it means.
package contract

import (
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// The values of [Answer.Status] and [Answer.Code]; chaincode/contract.go says what they mean.
const (
	StatusCommitted = "committed"
	StatusExists    = "exists"
	StatusFound     = "found"
	StatusNone      = "none"
	StatusRefused   = "refused"

	CodeArgument = "argument"
	CodeNote     = "note"
	CodeRoot     = "root"
	CodeSize     = "size"
	CodeProof    = "proof"
	CodeOwner    = "owner"
)

// Answer is what the contract returns.
type Answer struct {
	Status  string         `json:"status"`
	Code    string         `json:"code,omitzero"`
	Message string         `json:"message,omitzero"`
	Head    Head           `json:"head,omitzero"`
	Record  jsontext.Value `json:"record,omitzero"`
}

// Head is the newest checkpoint of an origin.
type Head struct {
	Owner string `json:"owner"`
	Root  string `json:"root"`
	Size  uint64 `json:"size"`
}

// Record is a checkpoint as it stands in the channel's state.
type Record struct {
	Checkpoint string `json:"checkpoint"`
	Metadata   string `json:"metadata"`
	Origin     string `json:"origin"`
	Previous   uint64 `json:"previous"`
	Root       string `json:"root"`
	Size       uint64 `json:"size"`
	Submitter  string `json:"submitter"`
	TxID       string `json:"txId"`
}

// RecordKey is the key of a checkpoint in the channel's state.
func RecordKey(origin string, size uint64) string {
	return fmt.Sprintf("%s%016d", RecordPrefix(origin), size)
}

// RecordPrefix is what the keys of all checkpoints of an origin begin with.
func RecordPrefix(origin string) string { return "checkpoint " + origin + " " }

// HeadKey is the key of the newest checkpoint of an origin.
func HeadKey(origin string) string { return "head " + origin }

// ParseAnswer reads what the contract answers.
func ParseAnswer(b []byte) (Answer, error) {
	var a Answer
	if err := json.Unmarshal(b, &a); err != nil {
		return Answer{}, fmt.Errorf("read the contract's answer: %w", err)
	}
	return a, nil
}

// ParseRecord reads a record in its one form.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(b, &r, json.RejectUnknownMembers(true)); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	return r, nil
}

// Parse returns the checkpoint that the record's note says, which must be what the record says.
func (r Record) Parse() (hub.Checkpoint, error) {
	c, _, err := anchor.ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		return hub.Checkpoint{}, err
	}
	if c.Origin != r.Origin || c.Size != r.Size || c.Root.String() != r.Root {
		return hub.Checkpoint{}, fmt.Errorf("the record of size %d holds the note of another checkpoint", r.Size)
	}
	return c, nil
}

// CommitArguments are the arguments of Commit.
func CommitArguments(c anchor.Commitment, metadata string) ([]string, error) {
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

// Refusal turns a refusal of the contract into a fault, whose kind says what the hub may do.
func (a Answer) Refusal(c anchor.Commitment) error {
	var kind hub.Kind
	var zh string
	switch {
	case a.Code == CodeRoot || a.Code == CodeSize:
		kind, zh = hub.Conflict, "联盟链上的检查点与本日志矛盾"
	case a.Code == CodeProof && a.Head.Size == c.PreviousSize:
		kind, zh = hub.Conflict, "一致性证明不成立:日志被改写"
	case a.Code == CodeProof: // the proof began elsewhere: that is no sign of a rewritten log
		kind, zh = hub.Invalid, "一致性证明的起点不是链上最新的检查点"
	case a.Code == CodeOwner:
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

// BlockHash returns the hash of a block's header (Fabric's protoutil.BlockHeaderHash).
func BlockHash(h *common.BlockHeader) ([]byte, error) {
	b, err := asn1.Marshal(struct {
		Number       *big.Int
		PreviousHash []byte
		DataHash     []byte
	}{new(big.Int).SetUint64(h.GetNumber()), h.GetPreviousHash(), h.GetDataHash()})
	if err != nil {
		return nil, fmt.Errorf("encode header of block %d: %w", h.GetNumber(), err)
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}
