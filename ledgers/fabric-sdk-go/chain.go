package main

import (
	"bytes"
	reqContext "context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric-sdk-go/pkg/client/msp"
	"github.com/hyperledger/fabric-sdk-go/pkg/common/providers/context"
	"github.com/hyperledger/fabric-sdk-go/pkg/common/providers/fab"
	mspid "github.com/hyperledger/fabric-sdk-go/pkg/common/providers/msp"
	contextImpl "github.com/hyperledger/fabric-sdk-go/pkg/context"
	"github.com/hyperledger/fabric-sdk-go/pkg/core/config"
	"github.com/hyperledger/fabric-sdk-go/pkg/fab/txn"
	"github.com/hyperledger/fabric-sdk-go/pkg/fabsdk"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

// callTimeout bounds what peers answer from what they have.
const callTimeout = 10 * time.Second

// chain is the channel by way of the SDK. It uses the SDK's plain protocol alone, not its channel client, which sets up every
// organisation's MSP and discovery.
type chain struct {
	channel, contract string
	ctx               context.Channel
	peers             []fab.Peer
	// endorsers is how many of the peers have to endorse.
	endorsers int
}

// connect reads the connection profile and the identity. It connects when first needed.
func connect(c map[string]string) (*chain, error) {
	for _, name := range []string{"profile", "org", "certificate", "key", "channel"} {
		if c[name] == "" {
			return nil, program.Refuse(program.Config, "config lacks %s", name)
		}
	}
	l := &chain{channel: c["channel"], contract: c["chaincode"]}
	if l.contract == "" {
		l.contract = "suyuan"
	}
	sdk, err := fabsdk.New(config.FromFile(c["profile"]))
	if err != nil {
		return nil, program.Refuse(program.Config, "read profile: %w", err)
	}
	identity, err := signer(sdk, c)
	if err != nil {
		return nil, program.Refuse(program.Config, "read identity: %w", err)
	}
	if l.ctx, err = sdk.ChannelContext(l.channel, fabsdk.WithIdentity(identity))(); err != nil {
		return nil, program.Refusal{Code: program.Unavailable, Err: err}
	}
	if err := l.findPeers(c["endorsers"]); err != nil {
		return nil, program.Refusal{Code: program.Config, Err: err}
	}
	return l, nil
}

func signer(sdk *fabsdk.FabricSDK, c map[string]string) (mspid.SigningIdentity, error) {
	cert, err := os.ReadFile(c["certificate"])
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(c["key"])
	if err != nil {
		return nil, err
	}
	client, err := msp.New(sdk.Context(), msp.WithOrg(c["org"]))
	if err != nil {
		return nil, err
	}
	return client.CreateSigningIdentity(mspid.WithCert(cert), mspid.WithPrivateKey(key))
}

// findPeers takes the channel's peers from the profile, in its order; most of them have to endorse, if no number is given.
func (l *chain) findPeers(number string) error {
	for _, p := range l.ctx.EndpointConfig().ChannelPeers(l.channel) {
		made, err := l.ctx.InfraProvider().CreatePeerFromConfig(&p.NetworkPeer)
		if err != nil {
			return err
		}
		l.peers = append(l.peers, made)
	}
	l.endorsers = len(l.peers)/2 + 1
	if number != "" {
		var err error
		if l.endorsers, err = strconv.Atoi(number); err != nil {
			return fmt.Errorf("endorsers: %w", err)
		}
	}
	if l.endorsers < 1 || l.endorsers > len(l.peers) {
		return fmt.Errorf("%d of %d peers of the profile cannot endorse", l.endorsers, len(l.peers))
	}
	return nil
}

// transaction is an endorsed transaction with its proposal: what it takes to submit the same one again.
type transaction struct {
	ID       string `json:"id"`
	Proposal []byte `json:"proposal"`
	Endorsed []byte `json:"endorsed"`
}

func (t *transaction) open() (*fab.Transaction, error) {
	var p peer.Proposal
	var tx peer.Transaction
	if err := proto.Unmarshal(t.Proposal, &p); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(t.Endorsed, &tx); err != nil {
		return nil, err
	}
	return &fab.Transaction{
		Proposal: &fab.TransactionProposal{TxnID: fab.TransactionID(t.ID), Proposal: &p}, Transaction: &tx,
	}, nil
}

// transactor makes one conversation with peers or orderers.
func (l *chain) transactor() (fab.Transactor, reqContext.CancelFunc, error) {
	ctx, cancel := contextImpl.NewRequest(l.ctx, contextImpl.WithTimeout(callTimeout))
	t, err := l.ctx.ChannelService().Transactor(ctx)
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("connect to the channel: %w", err)
	}
	return t, cancel, nil
}

// propose has peers run a function and returns their answers, all with status 200.
func (l *chain) propose(peers []fab.Peer, contract, function string, args []string) (fab.Transactor, *fab.TransactionProposal, []*fab.TransactionProposalResponse, error) {
	t, cancel, err := l.transactor()
	if err != nil {
		return nil, nil, nil, err
	}
	defer cancel()
	header, err := t.CreateTransactionHeader()
	if err != nil {
		return nil, nil, nil, err
	}
	in := fab.ChaincodeInvokeRequest{ChaincodeID: contract, Fcn: function}
	for _, arg := range args {
		in.Args = append(in.Args, []byte(arg))
	}
	proposal, err := txn.CreateChaincodeInvokeProposal(header, in)
	if err != nil {
		return nil, nil, nil, err
	}
	targets := make([]fab.ProposalProcessor, len(peers))
	for i, p := range peers {
		targets[i] = p
	}
	answers, err := t.SendTransactionProposal(proposal, targets)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s %s: %w", contract, function, err)
	}
	for _, a := range answers {
		if status := a.ProposalResponse.GetResponse().GetStatus(); status != 200 {
			return nil, nil, nil, fmt.Errorf("%s %s: status %d: %.300s", contract, function, status, a.ProposalResponse.GetResponse().GetMessage())
		}
		if !bytes.Equal(a.ProposalResponse.GetPayload(), answers[0].ProposalResponse.GetPayload()) {
			return nil, nil, nil, errors.New("the peers' answers differ")
		}
	}
	return t, proposal, answers, nil
}

// query asks the first peer that answers.
func (l *chain) query(contract, function string, args ...string) (answer []byte, err error) {
	for _, p := range l.peers {
		var answers []*fab.TransactionProposalResponse
		if _, _, answers, err = l.propose([]fab.Peer{p}, contract, function, args); err == nil {
			return answers[0].ProposalResponse.GetResponse().GetPayload(), nil
		}
		if contract != l.contract { // an error of the system's contracts is an answer: it does not know the transaction
			return nil, err
		}
	}
	return nil, err
}

// endorse has as many peers as have to run a function, and returns the transaction and what the contract answered. Where one of
// them does not answer, others are asked.
func (l *chain) endorse(function string, args ...string) (made *transaction, answer []byte, err error) {
	for first := range l.peers {
		var peers []fab.Peer
		for i := 0; i < l.endorsers; i++ {
			peers = append(peers, l.peers[(first+i)%len(l.peers)])
		}
		t, proposal, answers, failed := l.propose(peers, l.contract, function, args)
		if failed != nil {
			err = failed
			continue
		}
		tx, err := t.CreateTransaction(fab.TransactionRequest{Proposal: proposal, ProposalResponses: answers})
		if err != nil {
			return nil, nil, err
		}
		made = &transaction{ID: string(proposal.TxnID)}
		if made.Proposal, err = proto.Marshal(proposal.Proposal); err != nil {
			return nil, nil, err
		}
		if made.Endorsed, err = proto.Marshal(tx.Transaction); err != nil {
			return nil, nil, err
		}
		return made, answers[0].ProposalResponse.GetResponse().GetPayload(), nil
	}
	return nil, nil, err
}

// submit signs a transaction and gives it to an orderer.
func (l *chain) submit(t *transaction) error {
	tx, err := t.open()
	if err != nil {
		return err
	}
	sender, cancel, err := l.transactor()
	if err != nil {
		return err
	}
	defer cancel()
	_, err = sender.SendTransaction(tx)
	return err
}

// sign returns the signed envelope of a transaction, which is not submitted.
func (l *chain) sign(t *transaction) ([]byte, error) {
	tx, err := t.open()
	if err != nil {
		return nil, err
	}
	var header common.Header
	if err := proto.Unmarshal(tx.Proposal.Proposal.GetHeader(), &header); err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&common.Payload{Header: &header, Data: t.Endorsed})
	if err != nil {
		return nil, err
	}
	signature, err := l.ctx.SigningManager().Sign(payload, l.ctx.PrivateKey())
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&common.Envelope{Payload: payload, Signature: signature})
}

// transaction asks one peer for a transaction that is in a block, valid or not.
func (l *chain) transaction(id string) (*peer.ProcessedTransaction, error) {
	b, err := l.query("qscc", "GetTransactionByID", l.channel, id)
	if err != nil {
		return nil, err
	}
	var p peer.ProcessedTransaction
	return &p, proto.Unmarshal(b, &p)
}

// blockRead returns the number of the block that wrote the value of key that the transaction read.
func blockRead(t *transaction, contract, key string) (uint64, error) {
	tx, err := t.open()
	if err != nil {
		return 0, err
	}
	var action peer.ChaincodeActionPayload
	var answer peer.ProposalResponsePayload
	var result peer.ChaincodeAction
	var sets rwset.TxReadWriteSet
	for _, step := range []func() error{
		func() error { return proto.Unmarshal(tx.Transaction.GetActions()[0].GetPayload(), &action) },
		func() error { return proto.Unmarshal(action.GetAction().GetProposalResponsePayload(), &answer) },
		func() error { return proto.Unmarshal(answer.GetExtension(), &result) },
		func() error { return proto.Unmarshal(result.GetResults(), &sets) },
	} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	for _, ns := range sets.GetNsRwset() {
		var set kvrwset.KVRWSet
		if err := proto.Unmarshal(ns.GetRwset(), &set); err != nil {
			return 0, err
		}
		for _, read := range set.GetReads() {
			if ns.GetNamespace() == contract && read.GetKey() == key && read.GetVersion() != nil {
				return read.GetVersion().GetBlockNum(), nil
			}
		}
	}
	return 0, errors.New("the attestation did not read the checkpoint from the channel's state")
}
