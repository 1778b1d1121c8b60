package fabrictest

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Fault is something that goes wrong once.
type Fault int

// The faults.
const (
	// EndorseAborted: the endorsers do not agree, or one is down; nothing happens.
	EndorseAborted Fault = iota + 1
	// SubmitRefused: no orderer takes the transaction.
	SubmitRefused
	// SubmitLost: the orderer acknowledges the transaction and dies before it cuts the block.
	SubmitLost
	// SubmitLanded: the transaction lands, the answer is lost.
	SubmitLanded
	// StatusTimeout: the transaction lands, the news of it does not come in time.
	StatusTimeout
	// Lagging: one peer has not got the block yet, so that the answers of the endorsers differ.
	Lagging
)

// Network is a consortium with one channel and one contract.
type Network struct {
	gateway.UnimplementedGatewayServer

	Channel, Chaincode string
	Orgs               []*Org
	// Endorsers is how many of Orgs endorse.
	Endorsers int
	// Address is where the gateway listens, TLSCA the file of its authority.
	Address, TLSCA string

	dir string

	mu      sync.Mutex
	faults  []Fault
	between func()
	ledger  map[string]value
	chain   chain
	streams int // how often streams of blocks were ended
	byID    map[string]*peer.ProcessedTransaction
	changed chan struct{} // closed when a block is added
}

// New starts a consortium of the named organisations, of which all endorse. It stops when the test ends.
func New(tb testing.TB, msps ...string) *Network {
	tb.Helper()
	n := &Network{
		Channel: "anchors", Chaincode: "suyuan", Endorsers: len(msps), dir: tb.TempDir(),
		ledger: make(map[string]value), byID: make(map[string]*peer.ProcessedTransaction), changed: make(chan struct{}),
	}
	for range 6 { // the channel was made before
		n.chain.add([]byte{0}, []byte("configuration"))
	}
	for _, id := range msps {
		n.Orgs = append(n.Orgs, NewOrg(tb, id))
	}
	first := n.Orgs[0]
	n.TLSCA = n.file(tb, "tls-ca.pem", first.CA.CertPEM)
	pair, err := tls.X509KeyPair(first.Peer.CertPEM, first.Peer.KeyPEM)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	n.Address = listener.Addr().String()
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	gateway.RegisterGatewayServer(server, n)
	peer.RegisterDeliverServer(server, deliver{n: n})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(listener); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	return n
}

// Files writes a member's certificate and key and returns their names.
func (n *Network) Files(tb testing.TB, m *Member) (cert, key string) {
	tb.Helper()
	return n.file(tb, "cert-*.pem", m.CertPEM), n.file(tb, "key-*.pem", m.KeyPEM)
}

func (n *Network) file(tb testing.TB, pattern string, b []byte) string {
	tb.Helper()
	f, err := os.CreateTemp(n.dir, pattern)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return filepath.Clean(f.Name())
}

// Inject makes the next calls that a fault concerns go wrong, each once.
func (n *Network) Inject(faults ...Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, faults...)
}

// Between runs f once, after the next commit was endorsed and before its answer: whoever is faster gets a transaction
// into a block that makes this one invalid.
func (n *Network) Between(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.between = f
}

// Pending returns how many injected faults have not happened.
func (n *Network) Pending() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.faults)
}

// Blocks returns how many transactions were put into blocks, the invalid ones included.
func (n *Network) Blocks() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.byID)
}

// take reports whether f is to happen now. The caller holds the lock.
func (n *Network) take(f Fault) bool {
	i := slices.Index(n.faults, f)
	if i >= 0 {
		n.faults = slices.Delete(n.faults, i, i+1)
	}
	return i >= 0
}

// Evaluate implements the Gateway service.
func (n *Network) Evaluate(_ context.Context, in *gateway.EvaluateRequest) (*gateway.EvaluateResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, err := n.open(in.GetProposedTransaction())
	if err != nil {
		return nil, err
	}
	if p.chaincode == "qscc" && p.function == "GetChainInfo" {
		return &gateway.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: n.height()}}, nil
	}
	if p.chaincode == "qscc" {
		t := n.byID[p.args[len(p.args)-1]]
		if t == nil {
			return nil, status.Error(codes.Unknown, "evaluate call to endorser returned error: chaincode response 500, no such transaction ID in index")
		}
		return &gateway.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: marshal(t)}}, nil
	}
	if p.chaincode == "cscc" {
		return &gateway.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: n.configBlock()}}, nil
	}
	sim := &simulation{state: n.ledger}
	answer, err := p.run(sim)
	if err != nil {
		return nil, err
	}
	return &gateway.EvaluateResponse{Result: &peer.Response{Status: 200, Payload: answer}}, nil
}

// Endorse implements the Gateway service.
func (n *Network) Endorse(_ context.Context, in *gateway.EndorseRequest) (*gateway.EndorseResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, err := n.open(in.GetProposedTransaction())
	if err != nil {
		return nil, err
	}
	if p.function == "Commit" && n.take(EndorseAborted) {
		return nil, aborted("could not launch chaincode: connection refused")
	}
	if p.function == "Get" && n.take(Lagging) {
		return nil, aborted("ProposalResponsePayloads do not match")
	}
	sim := &simulation{state: n.ledger}
	answer, err := p.run(sim)
	if err != nil {
		return nil, err
	}
	envelope := &common.Envelope{Payload: n.endorse(p, sim.results(n.Chaincode), answer)}
	if between := n.between; between != nil && p.function == "Commit" {
		n.between = nil
		n.mu.Unlock()
		between()
		n.mu.Lock()
	}
	return &gateway.EndorseResponse{PreparedTransaction: envelope}, nil
}

// endorse returns the payload of a transaction, signed by the endorsers.
func (n *Network) endorse(p *proposal, results, answer []byte) []byte {
	hash := sha256.Sum256(slices.Concat(p.header.GetChannelHeader(), p.header.GetSignatureHeader(), p.payload))
	response := marshal(&peer.ProposalResponsePayload{ProposalHash: hash[:], Extension: marshal(&peer.ChaincodeAction{
		Results: results, Response: &peer.Response{Status: 200, Payload: answer},
		ChaincodeId: &peer.ChaincodeID{Name: n.Chaincode, Version: "1"},
	})})
	action := &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}
	for _, org := range n.Orgs[:n.Endorsers] {
		by := org.Peer.Serialized()
		action.Endorsements = append(action.Endorsements,
			&peer.Endorsement{Endorser: by, Signature: org.Peer.Sign(slices.Concat(response, by))})
	}
	return marshal(&common.Payload{Header: p.header, Data: marshal(&peer.Transaction{Actions: []*peer.TransactionAction{{
		Header:  p.header.GetSignatureHeader(),
		Payload: marshal(&peer.ChaincodeActionPayload{ChaincodeProposalPayload: p.payload, Action: action}),
	}}})})
}

// Submit implements the Gateway service.
func (n *Network) Submit(_ context.Context, in *gateway.SubmitRequest) (*gateway.SubmitResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.take(SubmitRefused) {
		return nil, status.Error(codes.Unavailable, "no orderers could successfully process transaction")
	}
	if n.take(SubmitLost) {
		return &gateway.SubmitResponse{}, nil
	}
	sim, err := readSimulation(in.GetPreparedTransaction(), n.Chaincode)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	n.order(in.GetTransactionId(), sim, in.GetPreparedTransaction())
	if n.take(SubmitLanded) {
		return nil, status.Error(codes.DeadlineExceeded, "submit timeout expired")
	}
	return &gateway.SubmitResponse{}, nil
}

// order puts a transaction into a block of its own and applies it if nothing that it read has changed. A transaction id
// counts once. The caller holds the lock.
func (n *Network) order(id string, sim *simulation, envelope *common.Envelope) {
	if n.byID[id] != nil {
		return
	}
	code := peer.TxValidationCode_VALID
	for key, version := range sim.reads {
		if now := n.ledger[key].version; now != version {
			code = peer.TxValidationCode_MVCC_READ_CONFLICT
		}
	}
	n.chain.add([]byte{byte(code)}, marshal(envelope))
	if code == peer.TxValidationCode_VALID {
		for key, b := range sim.writes {
			n.ledger[key] = value{bytes: b, version: uint64(len(n.chain) - 1)}
		}
	}
	n.byID[id] = &peer.ProcessedTransaction{TransactionEnvelope: envelope, ValidationCode: int32(code)}
	n.wake()
}

// CommitStatus implements the Gateway service: it waits for the transaction's block.
func (n *Network) CommitStatus(ctx context.Context, in *gateway.SignedCommitStatusRequest) (*gateway.CommitStatusResponse, error) {
	var request gateway.CommitStatusRequest
	if err := proto.Unmarshal(in.GetRequest(), &request); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	for {
		n.mu.Lock()
		late, t, changed := n.take(StatusTimeout), n.byID[request.GetTransactionId()], n.changed
		n.mu.Unlock()
		if late {
			return nil, status.Error(codes.DeadlineExceeded, "commit status timeout expired")
		}
		if t != nil {
			return &gateway.CommitStatusResponse{Result: peer.TxValidationCode(t.GetValidationCode())}, nil
		}
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-changed:
		}
	}
}

// proposal is what a client asks for.
type proposal struct {
	header    *common.Header
	payload   []byte // without transient data
	txID, msp string
	chaincode string
	function  string
	args      []string
}

// open reads a proposal and checks its signature, its channel and its contract.
func (n *Network) open(in *peer.SignedProposal) (*proposal, error) {
	var raw peer.Proposal
	var header common.Header
	var channel common.ChannelHeader
	var creator common.SignatureHeader
	var id msp.SerializedIdentity
	var payload peer.ChaincodeProposalPayload
	var spec peer.ChaincodeInvocationSpec
	for _, step := range []func() error{
		func() error { return proto.Unmarshal(in.GetProposalBytes(), &raw) },
		func() error { return proto.Unmarshal(raw.GetHeader(), &header) },
		func() error { return proto.Unmarshal(header.GetChannelHeader(), &channel) },
		func() error { return proto.Unmarshal(header.GetSignatureHeader(), &creator) },
		func() error { return proto.Unmarshal(creator.GetCreator(), &id) },
		func() error { return proto.Unmarshal(raw.GetPayload(), &payload) },
		func() error { return proto.Unmarshal(payload.GetInput(), &spec) },
	} {
		if err := step(); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if !n.isMember(&id, in.GetProposalBytes(), in.GetSignature()) {
		return nil, aborted("error validating proposal: access denied: channel [" + n.Channel + "] creator org unknown, creator is malformed")
	}
	if channel.GetChannelId() != n.Channel {
		return nil, status.Errorf(codes.FailedPrecondition, "channel '%s' not found", channel.GetChannelId())
	}
	name := spec.GetChaincodeSpec().GetChaincodeId().GetName()
	args := spec.GetChaincodeSpec().GetInput().GetArgs()
	if len(args) < 2 || !slices.Contains([]string{n.Chaincode, "qscc", "cscc"}, name) {
		return nil, status.Errorf(codes.Unavailable, "no peers available to evaluate chaincode %s in channel %s", name, n.Channel)
	}
	p := &proposal{header: &header, payload: marshal(&payload), txID: channel.GetTxId(), msp: id.GetMspid(), chaincode: name, function: string(args[0])}
	for _, arg := range args[1:] {
		p.args = append(p.args, string(arg))
	}
	return p, nil
}

// isMember reports whether a client of the channel's organisations signed.
func (n *Network) isMember(id *msp.SerializedIdentity, message, signature []byte) bool {
	block, _ := pem.Decode(id.GetIdBytes())
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(message)
	for _, org := range n.Orgs {
		key, ok := cert.PublicKey.(*ecdsa.PublicKey)
		if ok && org.MSP == id.GetMspid() && cert.CheckSignatureFrom(org.CA.Cert) == nil && ecdsa.VerifyASN1(key, digest[:], signature) {
			return true
		}
	}
	return false
}

// run runs the contract on sim.
func (p *proposal) run(sim *simulation) ([]byte, error) {
	answer, err := Call(sim, p.msp, p.txID, p.function, p.args...)
	if err != nil {
		return nil, aborted(err.Error())
	}
	return answer, nil
}

// aborted is the error of endorsers that did not endorse; what they said is in the details.
func aborted(message string) error {
	s, err := status.New(codes.Aborted, "failed to endorse transaction, see attached details for more info").
		WithDetails(&gateway.ErrorDetail{Address: "peer0", MspId: "Org1MSP", Message: message})
	must(err)
	return s.Err()
}
