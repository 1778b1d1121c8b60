package fabricnet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
)

// before is the way of peers before the Gateway service (Fabric before 2.4): the administrator collects the endorsements,
// sends the transaction to the orderer, and asks the own peer whether it is committed.
type before struct {
	operators map[string]*operator // by MSP
	orderer   *grpc.ClientConn
}

// connectBefore sets the organisations' operators up for peers without the service.
func (n *Network) connectBefore() error {
	roots, err := pool(n.ordererCA())
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(n.Orderer.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", n.Orderer.Name, err)
	}
	n.before = &before{operators: map[string]*operator{}, orderer: conn}
	for _, o := range n.Orgs {
		n.before.operators[o.MSP], o.operator.before = o.operator, n.before
	}
	return nil
}

// endorse has the peers of the organisations answer one proposal, all alike.
func (b *before) endorse(ctx context.Context, by *operator, contract string, args [][]byte, msps []string) (*transaction, []*peer.ProposalResponse, error) {
	id, signed, err := by.proposal(channel, contract, args)
	if err != nil {
		return nil, nil, err
	}
	var all []*peer.ProposalResponse
	for _, msp := range msps {
		r, err := b.operators[msp].process(ctx, contract, signed)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", msp, err)
		}
		if len(all) > 0 && !bytes.Equal(r.GetPayload(), all[0].GetPayload()) {
			return nil, nil, fmt.Errorf("%s and %s answer differently", msps[0], msp)
		}
		all = append(all, r)
	}
	return &transaction{id, signed}, all, nil
}

// transaction is a proposal under its id.
type transaction struct {
	id     string
	signed *peer.SignedProposal
}

// envelope makes what is sent to the orderer (Fabric's protos, peer/transaction.proto).
func (t *transaction) envelope(by *operator, endorsed []*peer.ProposalResponse) (*common.Envelope, error) {
	var proposal peer.Proposal
	var header common.Header
	if err := errors.Join(proto.Unmarshal(t.signed.GetProposalBytes(), &proposal), proto.Unmarshal(proposal.GetHeader(), &header)); err != nil {
		return nil, fmt.Errorf("make transaction: %w", err)
	}
	var failed []error
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		failed = append(failed, err)
		return b
	}
	action := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: endorsed[0].GetPayload()}
	for _, r := range endorsed {
		action.Endorsements = append(action.Endorsements, r.GetEndorsement())
	}
	payload := encode(&common.Payload{Header: &header, Data: encode(&peer.Transaction{Actions: []*peer.TransactionAction{{
		Header:  header.GetSignatureHeader(),
		Payload: encode(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: proposal.GetPayload(), Action: action}),
	}}})})
	digest := sha256.Sum256(payload)
	signature, err := by.sign(digest[:])
	if err := errors.Join(append(failed, err)...); err != nil {
		return nil, fmt.Errorf("make transaction: %w", err)
	}
	return &common.Envelope{Payload: payload, Signature: signature}, nil
}

// submit submits a transaction and waits until the own peer has committed it.
func (b *before) submit(ctx context.Context, by *operator, contract string, args [][]byte, msps []string) error {
	var id string
	if err := again(ctx, func() error {
		t, endorsed, err := b.endorse(ctx, by, contract, args, msps)
		if err != nil {
			return err
		}
		e, err := t.envelope(by, endorsed)
		if err != nil {
			return backoff.Permanent(err)
		}
		id = t.id
		return b.broadcast(ctx, e)
	}); err != nil {
		return err
	}
	return again(ctx, func() error {
		_, found, err := b.endorse(ctx, by, "qscc", [][]byte{[]byte("GetTransactionByID"), []byte(channel), []byte(id)}, []string{by.msp})
		if err != nil {
			return err
		}
		var done peer.ProcessedTransaction
		if err := proto.Unmarshal(found[0].GetResponse().GetPayload(), &done); err != nil {
			return backoff.Permanent(err)
		}
		if code := peer.TxValidationCode(done.GetValidationCode()); code != peer.TxValidationCode_VALID {
			return backoff.Permanent(fmt.Errorf("the transaction is %s", code))
		}
		return nil
	})
}

// broadcast sends a transaction to the orderer.
func (b *before) broadcast(ctx context.Context, e *common.Envelope) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := orderer.NewAtomicBroadcastClient(b.orderer).Broadcast(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(e); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	if answer.GetStatus() != common.Status_SUCCESS {
		return fmt.Errorf("the orderer answers %s: %s", answer.GetStatus(), answer.GetInfo())
	}
	return nil
}
