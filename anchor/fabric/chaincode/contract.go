package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

const (
	// maxSize is the largest tree size that JSON numbers carry exactly.
	maxSize = 1<<53 - 1
	// maxNote and maxMetadata bound what one record holds.
	maxNote     = 8 << 10
	maxMetadata = 1 << 10
	// maxPage is the most records of one answer.
	maxPage = 100
	// eventName is the name of the event that a new checkpoint emits; its payload is the record.
	eventName = "checkpoint"
)

// The values of [Answer.Status].
const (
	statusCommitted = "committed" // the record is new
	statusExists    = "exists"    // the same checkpoint was committed before: Record is the first record
	statusFound     = "found"     // Record is what was asked for
	statusNone      = "none"      // nothing is held
	statusRefused   = "refused"   // nothing was written; Code says why
)

// The values of [Answer.Code]. They are stable: drivers act on them.
const (
	codeArgument = "argument" // an argument is malformed
	codeNote     = "note"     // the note is not that of the checkpoint
	codeRoot     = "root"     // another root is held for this size
	codeSize     = "size"     // a larger size is held
	codeProof    = "proof"    // the proof does not lead from the newest checkpoint to this one
	codeOwner    = "owner"    // another organisation owns the origin
)

// Record is a committed checkpoint as the ledger holds it. docs/formats.md specifies its bytes.
type Record struct {
	// Checkpoint is the signed note.
	Checkpoint string `json:"checkpoint"`
	// Metadata is the submitter's, uninterpreted.
	Metadata string `json:"metadata"`
	Origin   string `json:"origin"`
	// Previous is the size of the checkpoint before, 0 for the first.
	Previous uint64 `json:"previous"`
	// Root is 64 hexadecimal digits.
	Root string `json:"root"`
	Size uint64 `json:"size"`
	// Submitter is the MSP id of the organisation that committed it.
	Submitter string `json:"submitter"`
	// TxID is the transaction that wrote it.
	TxID string `json:"txId"`
}

// Head is the newest checkpoint of an origin, and its owner.
type Head struct {
	Owner string `json:"owner"`
	Root  string `json:"root"`
	Size  uint64 `json:"size"`
}

// Answer is what every function but Range and History returns, as JSON.
type Answer struct {
	Status  string `json:"status"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Head is the newest checkpoint, with a refusal.
	Head *Head `json:"head,omitempty"`
	// Record holds the bytes of the state, unchanged.
	Record json.RawMessage `json:"record,omitempty"`
}

// Contract holds the transactions. It keeps nothing in memory.
type Contract struct {
	contractapi.Contract
}

// GetEvaluateTransactions names the functions that only read.
func (*Contract) GetEvaluateTransactions() []string {
	return []string{"Get", "Latest", "Range", "History"}
}

// Commit records a checkpoint. root is hexadecimal, note the signed note that states it, proof a JSON array of the
// hexadecimal hashes of the consistency proof from the newest size ("[]" for the first), metadata any text. It returns
// an [Answer]; an error is the infrastructure's.
func (c *Contract) Commit(ctx contractapi.TransactionContextInterface,
	origin string, size uint64, root string, note string, proof string, metadata string) (string, error) {
	want := Record{Checkpoint: note, Metadata: metadata, Origin: origin, Root: root, Size: size}
	if refusal := check(want); refusal != nil {
		return answer(*refusal)
	}
	hashes, err := parseProof(proof)
	if err != nil {
		return answer(*refuse(codeArgument, nil, "the proof is refused: %v", err))
	}
	if want.Submitter, err = ctx.GetClientIdentity().GetMSPID(); err != nil {
		return "", fmt.Errorf("read submitter: %w", err)
	}
	stub := ctx.GetStub()
	newest, err := readHead(stub, origin)
	if err != nil {
		return "", err
	}
	if newest != nil && newest.Owner != want.Submitter {
		return answer(*refuse(codeOwner, newest, "the origin belongs to %s", newest.Owner))
	}
	held, err := stub.GetState(recordKey(origin, size))
	if err != nil {
		return "", fmt.Errorf("read record: %w", err)
	}
	if held != nil {
		return repeated(held, want, newest)
	}
	if refusal := checkGrowth(newest, want, hashes); refusal != nil {
		return answer(*refusal)
	}
	if newest != nil {
		want.Previous = newest.Size
	}
	want.TxID = stub.GetTxID()
	return write(stub, want)
}

// check refuses a record that is malformed or whose note states something else.
func check(r Record) *Answer {
	switch {
	case !isOrigin(r.Origin):
		return refuse(codeArgument, nil, "the origin is not 1 to 255 visible ASCII characters")
	case r.Size == 0 || r.Size > maxSize:
		return refuse(codeArgument, nil, "the size is not within 1 and 2^53-1")
	case len(r.Checkpoint) > maxNote || len(r.Metadata) > maxMetadata:
		return refuse(codeArgument, nil, "the note or the metadata is too long")
	}
	hash, err := parseDigest(r.Root)
	if err != nil {
		return refuse(codeArgument, nil, "the root is refused: %v", err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n\n", r.Origin, r.Size, base64.StdEncoding.EncodeToString(hash[:]))
	if !strings.HasPrefix(r.Checkpoint, text) || len(r.Checkpoint) == len(text) {
		return refuse(codeNote, nil, "the note does not state this origin, size and root, or is not signed")
	}
	return nil
}

// isOrigin reports whether s may name a log: spaces separate the parts of keys.
func isOrigin(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '+' || r > '~' })
}

// repeated answers a commit of a size that is held.
func repeated(held []byte, want Record, newest *Head) (string, error) {
	var first Record
	if err := json.Unmarshal(held, &first); err != nil {
		return "", fmt.Errorf("read record: %w", err)
	}
	if first.Root != want.Root {
		return answer(*refuse(codeRoot, newest, "size %d is held with the root %s", want.Size, first.Root))
	}
	return answer(Answer{Status: statusExists, Record: held})
}

// checkGrowth refuses a checkpoint that does not extend the newest one.
func checkGrowth(newest *Head, want Record, proof []digest) *Answer {
	if newest == nil {
		if len(proof) > 0 {
			return refuse(codeProof, nil, "there is no checkpoint to which a proof could lead back")
		}
		return nil
	}
	if want.Size < newest.Size {
		return refuse(codeSize, newest, "size %d is held, which is larger than %d", newest.Size, want.Size)
	}
	was, err := parseDigest(newest.Root)
	if err != nil {
		return refuse(codeProof, newest, "the newest root is damaged: %v", err)
	}
	is, err := parseDigest(want.Root)
	if err != nil {
		return refuse(codeArgument, newest, "the root is refused: %v", err)
	}
	if err := verifyConsistency(head{newest.Size, was}, head{want.Size, is}, proof); err != nil {
		return refuse(codeProof, newest, "size %d is not shown to extend size %d: %v", want.Size, newest.Size, err)
	}
	return nil
}

// write puts the record and the new head into the state and emits the event.
func write(stub shim.ChaincodeStubInterface, r Record) (string, error) {
	record, err := encode(r)
	if err != nil {
		return "", err
	}
	newest, err := encode(Head{Owner: r.Submitter, Root: r.Root, Size: r.Size})
	if err != nil {
		return "", err
	}
	if err := stub.PutState(recordKey(r.Origin, r.Size), record); err != nil {
		return "", fmt.Errorf("write record: %w", err)
	}
	if err := stub.PutState(headKey(r.Origin), newest); err != nil {
		return "", fmt.Errorf("write head: %w", err)
	}
	if err := stub.SetEvent(eventName, record); err != nil {
		return "", fmt.Errorf("emit event: %w", err)
	}
	return answer(Answer{Status: statusCommitted, Record: record})
}

// Get returns the record of a size.
func (c *Contract) Get(ctx contractapi.TransactionContextInterface, origin string, size uint64) (string, error) {
	record, err := ctx.GetStub().GetState(recordKey(origin, size))
	if err != nil {
		return "", fmt.Errorf("read record: %w", err)
	}
	if record == nil {
		return answer(Answer{Status: statusNone})
	}
	return answer(Answer{Status: statusFound, Record: record})
}

// Latest returns the newest record of an origin.
func (c *Contract) Latest(ctx contractapi.TransactionContextInterface, origin string) (string, error) {
	newest, err := readHead(ctx.GetStub(), origin)
	if err != nil {
		return "", err
	}
	if newest == nil {
		return answer(Answer{Status: statusNone})
	}
	return c.Get(ctx, origin, newest.Size)
}

// Range returns a JSON array of the records of an origin with sizes from the given one upwards, at most limit and at
// most 100 of them. The next page begins at the last size plus one.
func (c *Contract) Range(ctx contractapi.TransactionContextInterface, origin string, from uint64, limit int) (string, error) {
	if !isOrigin(origin) || limit < 1 || limit > maxPage {
		return "", fmt.Errorf("the origin is malformed, or the limit not within 1 and %d", maxPage)
	}
	// Digits end before ':', and no key of another origin lies between: the space cannot stand in an origin.
	it, err := ctx.GetStub().GetStateByRange(recordKey(origin, from), "checkpoint "+origin+" :")
	if err != nil {
		return "", fmt.Errorf("read range: %w", err)
	}
	defer it.Close() //nolint:errcheck // it was only read
	records := []json.RawMessage{}
	for it.HasNext() && len(records) < limit {
		kv, err := it.Next()
		if err != nil {
			return "", fmt.Errorf("read range: %w", err)
		}
		records = append(records, kv.Value)
	}
	b, err := encode(records)
	return string(b), err
}

// Change is one step of an origin's head.
type Change struct {
	Head Head   `json:"head"`
	TxID string `json:"txId"`
}

// History returns a JSON array of the changes of an origin's head, newest first, at most 100.
func (c *Contract) History(ctx contractapi.TransactionContextInterface, origin string) (string, error) {
	it, err := ctx.GetStub().GetHistoryForKey(headKey(origin))
	if err != nil {
		return "", fmt.Errorf("read history: %w", err)
	}
	defer it.Close() //nolint:errcheck // it was only read
	changes := []Change{}
	for it.HasNext() && len(changes) < maxPage {
		m, err := it.Next()
		if err != nil {
			return "", fmt.Errorf("read history: %w", err)
		}
		change := Change{TxID: m.GetTxId()}
		if err := json.Unmarshal(m.GetValue(), &change.Head); err != nil {
			return "", fmt.Errorf("read history: %w", err)
		}
		changes = append(changes, change)
	}
	b, err := encode(changes)
	return string(b), err
}

// recordKey orders the records of an origin by size: sizes have up to 16 digits.
func recordKey(origin string, size uint64) string {
	return fmt.Sprintf("checkpoint %s %016d", origin, size)
}

func headKey(origin string) string { return "head " + origin }

// readHead returns the newest checkpoint of an origin, or nil.
func readHead(stub shim.ChaincodeStubInterface, origin string) (*Head, error) {
	b, err := stub.GetState(headKey(origin))
	if err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	if b == nil {
		return nil, nil
	}
	var h Head
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	return &h, nil
}

func refuse(code string, newest *Head, format string, args ...any) *Answer {
	return &Answer{Status: statusRefused, Code: code, Message: fmt.Sprintf(format, args...), Head: newest}
}

func answer(a Answer) (string, error) {
	b, err := encode(a)
	return string(b), err
}

// encode returns the JSON of v, without escapes that only HTML needs: a record keeps its bytes inside an answer.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
