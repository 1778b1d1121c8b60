package fabric

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/hub"
)

const (
	// evidenceType is the type that evidence of this format states.
	evidenceType = "https://suyuan.dev/fabric/v1"
	// maxEvidence bounds its bytes: two transactions of some 5 kB in base64 for three organisations, and 1.5 kB for each
	// more.
	maxEvidence = 256 << 10
	// valid is the verdict of a peer on a transaction that took effect.
	valid = "VALID"
)

// proof is the evidence. It is RFC 8785 (JCS) JSON; docs/formats.md specifies it.
type proof struct {
	// Attestation is the envelope of the transaction that read the checkpoint back.
	Attestation []byte `json:"attestation"`
	// Block is the number of the block that holds Transaction, as the attesting peers signed it.
	Block uint64 `json:"block"`
	// Transaction is the envelope of the transaction that wrote the checkpoint.
	Transaction []byte `json:"transaction"`
	Type        string `json:"type"`
	// Validation is the verdict of the peer that was asked on Transaction: "VALID", or the reason why not.
	Validation string `json:"validation"`
}

func (p proof) encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	return value, nil
}

// parseProof reads evidence in its one encoding.
func parseProof(b []byte) (proof, error) {
	if len(b) > maxEvidence {
		return proof{}, fmt.Errorf("the evidence has %d bytes, at most %d are read", len(b), maxEvidence)
	}
	var p proof
	if err := json.Unmarshal(b, &p, json.RejectUnknownMembers(true)); err != nil {
		return proof{}, fmt.Errorf("the evidence is not JSON of its form: %w", err)
	}
	if p.Type != evidenceType {
		return proof{}, fmt.Errorf("the evidence is of type %.100q, this reads %q", p.Type, evidenceType)
	}
	again, err := p.encode()
	if err != nil {
		return proof{}, err
	}
	if !bytes.Equal(again, b) {
		return proof{}, errors.New("the evidence is not in its canonical encoding")
	}
	return p, nil
}

// evidence returns the evidence of a record that the channel holds: what was given out first, or else made anew.
func (l *Ledger) evidence(ctx context.Context, r record) (hub.Evidence, error) {
	done, err := l.turn(ctx, "evidence "+r.Origin) // two at once would be two different firsts
	if err != nil {
		return hub.Evidence{}, err
	}
	defer done()
	entry, err := l.state.evidence(r.Origin, r.Size)
	if err != nil {
		return hub.Evidence{}, err
	}
	if entry == nil {
		if entry, err = l.prove(ctx, r); err != nil {
			return hub.Evidence{}, err
		}
		if err := l.state.saveEvidence(r.Origin, r.Size, entry); err != nil {
			return hub.Evidence{}, err
		}
	}
	return hub.Evidence{Ledger: Name, Entry: entry}, nil
}

// prove fetches the transaction that wrote r and has the organisations attest that it took effect. What it returns
// verifies: a peer that gave something else is not believed.
func (l *Ledger) prove(ctx context.Context, r record) ([]byte, error) {
	processed, err := l.transaction(ctx, r.TxID)
	if err != nil {
		return nil, err
	}
	p := proof{Type: evidenceType, Validation: peer.TxValidationCode(processed.GetValidationCode()).String()}
	if p.Transaction, err = (proto.MarshalOptions{Deterministic: true}).Marshal(processed.GetTransactionEnvelope()); err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	if p.Attestation, err = l.attest(ctx, r); err != nil {
		return nil, err
	}
	attestation, err := openEnvelope(p.Attestation)
	if err != nil {
		return nil, fmt.Errorf("read attestation: %w", err)
	}
	if p.Block, err = attestation.blockOf(recordKey(r.Origin, r.Size)); err != nil {
		return nil, fmt.Errorf("read attestation: %w", err)
	}
	entry, err := p.encode()
	if err != nil {
		return nil, err
	}
	c, err := r.checkpoint()
	if err != nil {
		return nil, err
	}
	if _, err := Verify(entry, c, nil); err != nil {
		return nil, fmt.Errorf("check evidence of checkpoint %d: %w", r.Size, err)
	}
	return entry, nil
}

// attest has the organisations read r and sign what they read; the transaction is not submitted. Just after a commit
// some peers lack the block yet, and their answers differ: it waits until they have caught up.
func (l *Ledger) attest(ctx context.Context, r record) ([]byte, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 10*time.Millisecond, 500*time.Millisecond
	return backoff.Retry(ctx, func() ([]byte, error) {
		proposal, err := l.contract.NewProposal("Get", client.WithArguments(r.Origin, fmt.Sprint(r.Size)))
		if err != nil {
			return nil, backoff.Permanent(fmt.Errorf("propose attestation: %w", err))
		}
		transaction, err := proposal.EndorseWithContext(ctx)
		if err != nil {
			return nil, l.nothingDone("attest", err)
		}
		a, err := parseAnswer(transaction.Result())
		if err != nil {
			return nil, backoff.Permanent(err)
		}
		if a.Status != statusFound {
			return nil, fmt.Errorf("attest: the contract answers %.40q", a.Status)
		}
		b, err := l.signTransaction(transaction)
		if err != nil {
			return nil, backoff.Permanent(err)
		}
		var prepared gateway.PreparedTransaction
		if err := unmarshal(b, &prepared, "transaction"); err != nil {
			return nil, backoff.Permanent(err)
		}
		return proto.MarshalOptions{Deterministic: true}.Marshal(prepared.GetEnvelope())
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(l.config.CatchUp))
}
