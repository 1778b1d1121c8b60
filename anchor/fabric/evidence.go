package fabric

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// evidence returns the evidence of a record that the channel holds: what was given out first, or else made anew.
func (l *Ledger) evidence(ctx context.Context, r contract.Record) (hub.Evidence, error) {
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
func (l *Ledger) prove(ctx context.Context, r contract.Record) ([]byte, error) {
	processed, err := l.transaction(ctx, r.TxID)
	if err != nil {
		return nil, err
	}
	p := contract.Proof{Type: contract.EvidenceType, Validation: peer.TxValidationCode(processed.GetValidationCode()).String()}
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
	if p.Block, err = attestation.blockOf(contract.RecordKey(r.Origin, r.Size)); err != nil {
		return nil, fmt.Errorf("read attestation: %w", err)
	}
	entry, err := p.Encode()
	if err != nil {
		return nil, err
	}
	c, err := r.Parse()
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
func (l *Ledger) attest(ctx context.Context, r contract.Record) ([]byte, error) {
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
		a, err := contract.ParseAnswer(transaction.Result())
		if err != nil {
			return nil, backoff.Permanent(err)
		}
		if a.Status != contract.StatusFound {
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
