package fabric

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// Name is the driver's name in evidence and in trust files.
const Name = "fabric"

// Ledger is a consortium. It implements [anchor.Ledger].
type Ledger struct {
	config Config
	state  folder

	conn     *grpc.ClientConn
	gateway  *client.Gateway
	contract *client.Contract
	// system answers about transactions (qscc), configuration about the channel (cscc).
	system        *client.Contract
	configuration *client.Contract
	sign          identity.Sign
	expiresAt     time.Time // of our certificate

	mu    sync.Mutex
	turns map[string]chan struct{} // by origin; holds a token while a commit of it is under way
}

// Open reads the configuration's files and checks them; it connects when first needed. dir is the driver's folder,
// which it creates; one process may have it. All faults of the configuration are returned at once, of kind Invalid. The
// options are added to those of the connection.
func Open(config Config, dir string, options ...grpc.DialOption) (*Ledger, error) {
	m, conn, err := config.load(options)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("create folder of the ledger: %w", err), conn.Close())
	}
	gateway, err := client.Connect(m.id, client.WithSign(m.sign), client.WithHash(hash.SHA256),
		client.WithClientConnection(conn))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to gateway: %w", err), conn.Close())
	}
	network := gateway.GetNetwork(config.Channel)
	return &Ledger{
		config: config, state: folder(dir), conn: conn, gateway: gateway, sign: m.sign, expiresAt: m.expiresAt,
		contract: network.GetContract(config.Chaincode), system: network.GetContract("qscc"),
		configuration: network.GetContract("cscc"),
		turns:         make(map[string]chan struct{}),
	}, nil
}

// Name implements [anchor.Ledger].
func (l *Ledger) Name() string { return Name }

// Close implements [anchor.Ledger].
func (l *Ledger) Close() error { return errors.Join(l.gateway.Close(), l.conn.Close()) }

// Commit implements [anchor.Ledger]. What is true after a crash:
//
//	before savePending   nothing was submitted: the endorsed transaction existed in memory only, and is lost
//	after savePending    the outcome is unknown; the next Commit of this origin settles it with the same bytes
//	after dropPending    the transaction is in a block, valid or not; the channel's state says what it holds
func (l *Ledger) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	if err := checkNote(c.Checkpoint); err != nil {
		return hub.Evidence{}, err
	}
	done, err := l.turn(ctx, c.Checkpoint.Origin)
	if err != nil {
		return hub.Evidence{}, err
	}
	defer done()
	if err := l.settle(ctx, c.Checkpoint.Origin); err != nil {
		return hub.Evidence{}, err
	}
	evidence, err := l.held(ctx, c.Checkpoint)
	if hub.KindOf(err) != hub.NotFound {
		return evidence, err
	}
	if err := l.checkIdentity(l.config.Now()); err != nil {
		return hub.Evidence{}, err
	}
	p, err := l.endorse(ctx, c)
	if err != nil {
		return hub.Evidence{}, err
	}
	if p != nil { // otherwise it was committed since
		if err := l.state.savePending(*p); err != nil {
			return hub.Evidence{}, err
		}
		if err := l.submit(ctx, p); err != nil {
			return hub.Evidence{}, err
		}
	}
	if evidence, err = l.held(ctx, c.Checkpoint); hub.KindOf(err) == hub.NotFound {
		fault := hub.Faultf(hub.Unavailable, "fabric.overtaken", "the transaction was ordered after another and is invalid")
		fault.MessageZh = "交易因并发冲突而无效"
		return hub.Evidence{}, fault
	}
	return evidence, err
}

// checkNote refuses a checkpoint that is not what its note says.
func checkNote(c hub.Checkpoint) error {
	stated, _, err := anchor.ParseCheckpoint(c.Note)
	if err != nil {
		return err
	}
	if stated.Origin != c.Origin || stated.Size != c.Size || stated.Root != c.Root || c.Size == 0 {
		return hub.Faultf(hub.Invalid, "fabric.note", "the checkpoint is not what its note says")
	}
	return nil
}

// turn waits until no other commit of origin is under way.
func (l *Ledger) turn(ctx context.Context, origin string) (done func(), err error) {
	l.mu.Lock()
	token := l.turns[origin]
	if token == nil {
		token = make(chan struct{}, 1)
		l.turns[origin] = token
	}
	l.mu.Unlock()
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the commit before: %w", ctx.Err())
	}
}

// checkIdentity says that our certificate has expired, if it has: peers of 2.5 go on answering, while no orderer takes anything.
func (l *Ledger) checkIdentity(now time.Time) *hub.Fault {
	if !now.After(l.expiresAt) {
		return nil
	}
	fault := hub.Faultf(hub.Unavailable, "fabric.identity", "our certificate in %s expired at %v", l.config.MSP, l.expiresAt.UTC()).
		WithHint("enrol again with the organisation's certificate authority, and restart")
	fault.MessageZh, fault.HintZh = "本组织的证书已过期", "请重新向组织的证书机构申请证书,然后重启"
	return fault
}

// endorse has the contract run and its result signed, and signs the transaction. It returns nil if the contract says
// that it holds the checkpoint already. Nothing is submitted.
func (l *Ledger) endorse(ctx context.Context, c anchor.Commitment) (*pending, error) {
	args, err := contract.CommitArguments(c, l.config.Metadata)
	if err != nil {
		return nil, err
	}
	proposal, err := l.contract.NewProposal("Commit", client.WithArguments(args...))
	if err != nil {
		return nil, fmt.Errorf("propose checkpoint: %w", err)
	}
	transaction, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return nil, l.nothingDone("endorse", err)
	}
	a, err := contract.ParseAnswer(transaction.Result())
	if err != nil {
		return nil, err
	}
	switch a.Status {
	case contract.StatusCommitted:
	case contract.StatusExists:
		return nil, nil
	case contract.StatusRefused:
		return nil, a.Refusal(c)
	default:
		return nil, fmt.Errorf("the contract answers %.40q to a commit", a.Status)
	}
	signed, err := l.signTransaction(transaction)
	if err != nil {
		return nil, err
	}
	return &pending{
		Origin: c.Checkpoint.Origin, Size: c.Checkpoint.Size, TxID: transaction.TransactionID(), Transaction: signed,
	}, nil
}

// signTransaction returns the bytes of a transaction with its envelope signed.
func (l *Ledger) signTransaction(t *client.Transaction) ([]byte, error) {
	b, err := t.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	signature, err := l.sign(t.Digest())
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	signed, err := l.gateway.NewSignedTransaction(b, signature)
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	if b, err = signed.Bytes(); err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	return b, nil
}

// settle brings the pending transaction of origin, if there is one, to its end: into a block, valid or not. An
// acknowledged submit is not durable, so after any doubt the same bytes are submitted again; the peers take a
// transaction id once. An error leaves the outcome unknown, and the transaction pending.
//
// A transaction that an identity signed which has expired since is given up: no orderer takes it any more. Had one taken
// it before, it could still come; then it and the one that is made in its place have read the same keys, and the peers
// let only one of them take effect.
func (l *Ledger) settle(ctx context.Context, origin string) error {
	p, err := l.state.pending(origin)
	if err != nil || p == nil {
		return err
	}
	if _, err := l.transaction(ctx, p.TxID); err == nil {
		return l.state.dropPending(origin)
	}
	return l.submit(ctx, p)
}

// submit submits the pending transaction and waits until it is in a block, valid or not.
func (l *Ledger) submit(ctx context.Context, p *pending) error {
	transaction, err := l.gateway.NewTransaction(p.Transaction)
	if err != nil {
		return fmt.Errorf("read pending transaction: %w", err)
	}
	commit, err := transaction.SubmitWithContext(ctx)
	if err != nil && p.expired(l.config.Now()) {
		return l.state.dropPending(p.Origin)
	}
	if err != nil {
		return unknown("submit", err)
	}
	if _, err := commit.StatusWithContext(ctx); err != nil {
		return unknown("await block", err)
	}
	return l.state.dropPending(p.Origin)
}

// Lookup implements [anchor.Ledger]. NotFound means that the channel's state does not hold it; a transaction that is
// still pending may yet bring it there, and is submitted again by the next Commit.
func (l *Ledger) Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	r, err := l.record(ctx, "Get", origin, fmt.Sprint(size))
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	c, err := r.Parse()
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	evidence, err := l.evidence(ctx, r)
	return c, evidence, err
}

// Latest implements [anchor.Ledger].
func (l *Ledger) Latest(ctx context.Context, origin string) (hub.Checkpoint, error) {
	r, err := l.record(ctx, "Latest", origin)
	if err != nil {
		return hub.Checkpoint{}, err
	}
	return r.Parse()
}

// held returns the evidence of c if the channel holds it, NotFound if it holds nothing of its size, and Conflict if it
// holds another root.
func (l *Ledger) held(ctx context.Context, c hub.Checkpoint) (hub.Evidence, error) {
	there, evidence, err := l.Lookup(ctx, c.Origin, c.Size)
	if err == nil && there.Root != c.Root {
		fault := hub.Faultf(hub.Conflict, "fabric.root", "the channel holds the root %v for size %d", there.Root, c.Size)
		fault.MessageZh = "联盟链上该大小的根哈希不同"
		return hub.Evidence{}, fault
	}
	return evidence, err
}

// record asks one peer for a record.
func (l *Ledger) record(ctx context.Context, function string, args ...string) (contract.Record, error) {
	b, err := l.contract.EvaluateWithContext(ctx, function, client.WithArguments(args...))
	if err != nil {
		return contract.Record{}, l.nothingDone("ask the contract", err)
	}
	a, err := contract.ParseAnswer(b)
	if err != nil {
		return contract.Record{}, err
	}
	switch a.Status {
	case contract.StatusFound:
		return contract.ParseRecord(a.Record)
	case contract.StatusNone:
		fault := hub.Faultf(hub.NotFound, "fabric.unknown-checkpoint", "the channel does not hold this checkpoint of %.100q", args[0])
		fault.MessageZh = "联盟链上没有该检查点"
		return contract.Record{}, fault
	}
	return contract.Record{}, fmt.Errorf("the contract answers %.40q to a question", a.Status)
}

// transaction asks one peer for a transaction that is in a block, valid or not.
func (l *Ledger) transaction(ctx context.Context, id string) (*peer.ProcessedTransaction, error) {
	b, err := l.system.EvaluateWithContext(ctx, "GetTransactionByID", client.WithArguments(l.config.Channel, id))
	if err != nil {
		return nil, l.nothingDone("ask for the transaction", err)
	}
	return parseProcessed(b)
}
