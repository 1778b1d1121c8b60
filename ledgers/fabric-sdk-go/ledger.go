package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/peer"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

// The time limits of one commit: for the block, and for the other organisations' peers to have it, too. Both together are
// below the hub's own.
const (
	blockWait = 12 * time.Second
	catchUp   = 10 * time.Second
)

// ledger is the contract on a channel. What it has given out is in its folder, because signatures made anew would differ.
type ledger struct {
	dir      string
	metadata string
	chain    *chain
}

// record is a checkpoint as the contract keeps it (docs/formats.md, "Fabric").
type record struct {
	Checkpoint string `json:"checkpoint"`
	Origin     string `json:"origin"`
	Root       string `json:"root"`
	Size       uint64 `json:"size"`
	TxID       string `json:"txId"`
}

// contractAnswer is what the contract answers.
type contractAnswer struct {
	Status  string `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Head    struct {
		Size uint64 `json:"size"`
	} `json:"head"`
	Record json.RawMessage `json:"record"`
}

// proof is the evidence; its members stand in the order of RFC 8785.
type proof struct {
	Attestation []byte `json:"attestation"`
	Block       uint64 `json:"block"`
	Transaction []byte `json:"transaction"`
	Type        string `json:"type"`
	Validation  string `json:"validation"`
}

func open(config map[string]string) (*ledger, error) {
	l := &ledger{dir: config["dir"], metadata: config["metadata"]}
	if l.dir == "" {
		return nil, program.Refuse(program.Config, "config needs dir, the folder of what this ledger remembers")
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, program.Refuse(program.Config, "make folder: %w", err)
	}
	var err error
	l.chain, err = connect(config)
	return l, err
}

// Commit implements [program.Ledger]. What is true after a crash:
//
//	before save    nothing was submitted
//	after save     the outcome is unknown; the next commit of this origin settles it by the same transaction
//	after settle   the transaction is in a block, valid or not; the channel's state says what it holds
func (l *ledger) Commit(_ context.Context, r program.Request) (json.RawMessage, error) {
	if stated := strings.SplitN(r.Note, "\n", 4); len(stated) < 4 || stated[0] != r.Origin || stated[1] != strconv.FormatUint(r.Size, 10) ||
		stated[2] != base64Of(r.Root) || r.Size == 0 {
		return nil, program.Refuse(program.Invalid, "the note states another checkpoint")
	}
	if err := l.settle(r.Origin); err != nil {
		return nil, err
	}
	evidence, err := l.held(r)
	if evidence != nil || err != nil {
		return evidence, err
	}
	consistency, err := json.Marshal(append([]string{}, r.Consistency...))
	if err != nil {
		return nil, err
	}
	tx, payload, err := l.chain.endorse("Commit", r.Origin, strconv.FormatUint(r.Size, 10), r.Root, r.Note, string(consistency), l.metadata)
	if err != nil {
		return nil, program.Refusal{Code: program.Unavailable, Err: err}
	}
	var a contractAnswer
	if err := json.Unmarshal(payload, &a); err != nil {
		return nil, fmt.Errorf("read the contract's answer: %w", err)
	}
	switch a.Status {
	case "committed":
		if err := l.save(r.Origin, tx); err != nil {
			return nil, program.Refusal{Code: program.Unavailable, Err: err}
		}
		if err := l.settle(r.Origin); err != nil {
			return nil, err
		}
	case "exists":
	case "refused":
		return nil, a.refusal(r)
	default:
		return nil, fmt.Errorf("the contract answers %q to a commit", a.Status)
	}
	if evidence, err = l.held(r); evidence == nil && err == nil {
		err = program.Refuse(program.Unavailable, "the transaction was ordered after another and is invalid")
	}
	return evidence, err
}

// refusal turns a refusal of the contract into what the hub may do, as the hub's own driver does.
func (a contractAnswer) refusal(r program.Request) error {
	code := program.Invalid
	switch {
	case a.Code == "root", a.Code == "size", a.Code == "proof" && a.Head.Size == r.Previous:
		code = program.Conflict
	case a.Code == "owner":
		code = program.Forbidden
	}
	return program.Refuse(code, "the contract refuses checkpoint %d: %s", r.Size, a.Message)
}

// held returns the evidence of a checkpoint that the channel holds, nil if it holds none of this size.
func (l *ledger) held(r program.Request) (json.RawMessage, error) {
	rec, err := l.record("Get", r.Origin, strconv.FormatUint(r.Size, 10))
	if err != nil || rec == nil {
		return nil, err
	}
	if rec.Root != r.Root {
		return nil, program.Refuse(program.Conflict, "the channel holds the root %s for size %d", rec.Root, r.Size)
	}
	return l.evidence(rec)
}

// Lookup implements [program.Ledger].
func (l *ledger) Lookup(_ context.Context, r program.Request) (program.Held, error) {
	rec, err := l.record("Get", r.Origin, strconv.FormatUint(r.Size, 10))
	if err != nil || rec == nil {
		return program.Held{}, err
	}
	evidence, err := l.evidence(rec)
	return program.Held{Note: rec.Checkpoint, Evidence: evidence}, err
}

// Latest implements [program.Ledger].
func (l *ledger) Latest(_ context.Context, r program.Request) (program.Held, error) {
	rec, err := l.record("Latest", r.Origin)
	if err != nil || rec == nil {
		return program.Held{}, err
	}
	return program.Held{Note: rec.Checkpoint}, nil
}

// record asks one peer for a record, nil for none.
func (l *ledger) record(function string, args ...string) (*record, error) {
	b, err := l.chain.query(l.chain.contract, function, args...)
	if err != nil {
		return nil, program.Refusal{Code: program.Unavailable, Err: err}
	}
	var a contractAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("read the contract's answer: %w", err)
	}
	switch a.Status {
	case "none":
		return nil, nil
	case "found":
		var r record
		return &r, json.Unmarshal(a.Record, &r)
	}
	return nil, fmt.Errorf("the contract answers %q to a question", a.Status)
}

// settle brings the transaction of origin that is under way, if there is one, to its end. An acknowledged submit is not
// durable: it is submitted until it is in a block; the peers take a transaction id once.
func (l *ledger) settle(origin string) error {
	tx, err := l.pending(origin)
	if err != nil || tx == nil {
		return err
	}
	deadline := time.Now().Add(blockWait)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if _, err := l.chain.transaction(tx.ID); err == nil {
			return l.drop(origin)
		}
		if wait == 20*time.Millisecond || wait >= time.Second {
			if err := l.chain.submit(tx); err != nil {
				return fmt.Errorf("submit: %w", err)
			}
		}
		if time.Now().After(deadline) {
			return errors.New("the transaction is in no block yet")
		}
		time.Sleep(wait)
	}
}

// evidence returns the evidence of a record: what was given out first, or else made anew.
func (l *ledger) evidence(r *record) (json.RawMessage, error) {
	path := l.path("evidence", r.Origin, r.Size)
	if b, err := os.ReadFile(path); err == nil {
		return b, nil
	}
	processed, err := l.chain.transaction(r.TxID)
	if err != nil {
		return nil, err
	}
	p := proof{Type: "https://suyuan.dev/fabric/v1", Validation: peer.TxValidationCode(processed.ValidationCode).String()}
	if p.Transaction, err = proto.Marshal(processed.TransactionEnvelope); err != nil {
		return nil, err
	}
	if p.Attestation, p.Block, err = l.attest(r); err != nil {
		return nil, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return b, program.WriteFile(path, b)
}

// attest has the organisations read r and sign what they read. Just after a commit some peers lack the block yet, and their
// answers differ.
func (l *ledger) attest(r *record) ([]byte, uint64, error) {
	for deadline := time.Now().Add(catchUp); ; time.Sleep(50 * time.Millisecond) {
		tx, payload, err := l.chain.endorse("Get", r.Origin, strconv.FormatUint(r.Size, 10))
		var a contractAnswer
		if err == nil {
			err = json.Unmarshal(payload, &a)
		}
		if err == nil && a.Status != "found" {
			err = fmt.Errorf("attest: the contract answers %q", a.Status)
		}
		if err == nil {
			envelope, err := l.chain.sign(tx)
			if err != nil {
				return nil, 0, err
			}
			block, err := blockRead(tx, l.chain.contract, fmt.Sprintf("checkpoint %s %016d", r.Origin, r.Size))
			return envelope, block, err
		}
		if time.Now().After(deadline) {
			return nil, 0, err
		}
	}
}

func (l *ledger) path(what, origin string, size uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%s-%x-%d.json", what, origin, size))
}

func (l *ledger) pending(origin string) (*transaction, error) {
	b, err := os.ReadFile(l.path("pending", origin, 0))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tx transaction
	return &tx, json.Unmarshal(b, &tx)
}

func (l *ledger) save(origin string, tx *transaction) error {
	b, err := json.Marshal(tx)
	if err != nil {
		return err
	}
	return program.WriteFile(l.path("pending", origin, 0), b)
}

func (l *ledger) drop(origin string) error {
	if err := os.Remove(l.path("pending", origin, 0)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// base64Of returns the base64 of hexadecimal digits, "" if they are none.
func base64Of(digits string) string {
	b := make([]byte, len(digits)/2)
	if _, err := fmt.Sscanf(digits, "%x", &b); err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}
