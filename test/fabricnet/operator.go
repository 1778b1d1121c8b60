package fabricnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer/lifecycle"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// operator is an organisation's administrator at its peer.
type operator struct {
	msp     string
	creator []byte
	sign    identity.Sign
	conn    *grpc.ClientConn
	gateway *client.Gateway
	// before is set for peers without the Gateway service.
	before *before
}

// operate returns the organisation's administrator. It connects when first needed.
func (o *Org) operate() (*operator, error) {
	certPEM, err := os.ReadFile(o.user("Admin", "signcerts"))
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	keyPEM, err := os.ReadFile(o.user("Admin", "keystore"))
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	cert, err := identity.CertificateFromPEM(certPEM)
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	key, err := identity.PrivateKeyFromPEM(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	sign, err := identity.NewPrivateKeySign(key)
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	id, err := identity.NewX509Identity(o.MSP, cert)
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: o.MSP, IdBytes: certPEM})
	if err != nil {
		return nil, fmt.Errorf("read administrator: %w", err)
	}
	roots, err := pool(o.tlsCA())
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(o.Peer.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.Peer.Name, err)
	}
	gw, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(conn))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", o.Peer.Name, err), conn.Close())
	}
	return &operator{msp: o.MSP, creator: creator, sign: sign, conn: conn, gateway: gw}, nil
}

func (o *operator) close() error { return errors.Join(o.gateway.Close(), o.conn.Close()) }

// join has the peer join the channel.
func (o *operator) join(ctx context.Context, block []byte) error {
	return o.propose(ctx, "cscc", []byte("JoinChain"), block)
}

// install gives the peer the contract's package.
func (o *operator) install(ctx context.Context, pkg []byte) error {
	b, err := proto.Marshal(&lifecycle.InstallChaincodeArgs{ChaincodeInstallPackage: pkg})
	if err != nil {
		return fmt.Errorf("encode package: %w", err)
	}
	return o.propose(ctx, "_lifecycle", []byte("InstallChaincode"), b)
}

// approve has the organisation approve the contract. The orderer may not have a leader yet.
func (o *operator) approve(ctx context.Context, name, packageID string) error {
	b, err := proto.Marshal(&lifecycle.ApproveChaincodeDefinitionForMyOrgArgs{
		Name: name, Version: "1", Sequence: 1,
		Source: &lifecycle.ChaincodeSource{Type: &lifecycle.ChaincodeSource_LocalPackage{
			LocalPackage: &lifecycle.ChaincodeSource_Local{PackageId: packageID},
		}},
	})
	if err != nil {
		return fmt.Errorf("encode approval: %w", err)
	}
	return o.submit(ctx, "ApproveChaincodeDefinitionForMyOrg", b, o.msp)
}

// commit puts the contract on the channel, once its approval by the organisations has reached their peers.
func (o *operator) commit(ctx context.Context, name string, msps []string) error {
	b, err := proto.Marshal(&lifecycle.CommitChaincodeDefinitionArgs{Name: name, Version: "1", Sequence: 1})
	if err != nil {
		return fmt.Errorf("encode definition: %w", err)
	}
	return o.submit(ctx, "CommitChaincodeDefinition", b, msps...)
}

// submit submits a transaction of the lifecycle until it is committed.
func (o *operator) submit(ctx context.Context, function string, args []byte, msps ...string) error {
	if o.before != nil {
		return o.before.submit(ctx, o, "_lifecycle", [][]byte{[]byte(function), args}, msps)
	}
	contract := o.gateway.GetNetwork(channel).GetContract("_lifecycle")
	return again(ctx, func() error {
		_, err := contract.SubmitWithContext(ctx, function, client.WithBytesArguments(args), client.WithEndorsingOrganizations(msps...))
		return err
	})
}

// answers waits until the contract can be endorsed by all the given organisations.
func (o *operator) answers(ctx context.Context, name string, msps []string) error {
	if o.before != nil {
		return again(ctx, func() error {
			_, _, err := o.before.endorse(ctx, o, name, [][]byte{[]byte("Latest"), []byte("fabricnet")}, msps)
			return err
		})
	}
	contract := o.gateway.GetNetwork(channel).GetContract(name)
	return again(ctx, func() error {
		proposal, err := contract.NewProposal("Latest", client.WithArguments("fabricnet"), client.WithEndorsingOrganizations(msps...))
		if err != nil {
			return err
		}
		_, err = proposal.EndorseWithContext(ctx)
		return err
	})
}

// evaluate asks the peer.
func (o *operator) evaluate(ctx context.Context, contract, function string, args ...string) ([]byte, error) {
	if o.before != nil {
		input := [][]byte{[]byte(function)}
		for _, a := range args {
			input = append(input, []byte(a))
		}
		_, responses, err := o.before.endorse(ctx, o, contract, input, []string{o.msp})
		if err != nil {
			return nil, err
		}
		return responses[0].GetResponse().GetPayload(), nil
	}
	b, err := o.gateway.GetNetwork(channel).GetContract(contract).EvaluateWithContext(ctx, function, client.WithArguments(args...))
	if err != nil {
		return nil, explained(err)
	}
	return b, nil
}

// again calls f until it succeeds or ctx is done, and then returns the last error with what the peers said.
func again(ctx context.Context, f func() error) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, 200*time.Millisecond
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f()
		if err != nil && ctx.Err() == nil {
			last = explained(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return nil
	}
	return errors.Join(err, last)
}

// explained adds what the endorsers said to an error of the gateway.
func explained(err error) error {
	for _, detail := range status.Convert(err).Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok {
			err = fmt.Errorf("%w; %s: %s", err, d.GetMspId(), d.GetMessage())
		}
	}
	return err
}

// propose has the peer run a function of a system contract that belongs to no channel, and retries until it does: a
// peer listens before it is ready.
func (o *operator) propose(ctx context.Context, contract string, args ...[]byte) error {
	return again(ctx, func() error {
		_, signed, err := o.proposal("", contract, args)
		if err != nil {
			return backoff.Permanent(err)
		}
		_, err = o.process(ctx, contract, signed)
		return err
	})
}

// process has the peer answer a proposal for a contract.
func (o *operator) process(ctx context.Context, contract string, signed *peer.SignedProposal) (*peer.ProposalResponse, error) {
	response, err := peer.NewEndorserClient(o.conn).ProcessProposal(ctx, signed)
	if err != nil {
		return nil, err
	}
	if r := response.GetResponse(); r.GetStatus() != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d: %s", contract, r.GetStatus(), r.GetMessage())
	}
	return response, nil
}

// proposal returns the id of a transaction and the signed proposal of it (Fabric's protos, peer/proposal.proto).
func (o *operator) proposal(channel, contract string, args [][]byte) (string, *peer.SignedProposal, error) {
	nonce := make([]byte, 24)
	if _, err := rand.Read(nonce); err != nil {
		return "", nil, fmt.Errorf("make proposal: %w", err)
	}
	txID := sha256.Sum256(slices.Concat(nonce, o.creator))
	id := &peer.ChaincodeID{Name: contract}
	var failed []error
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		failed = append(failed, err)
		return b
	}
	header := encode(&common.Header{
		ChannelHeader: encode(&common.ChannelHeader{
			Type: int32(common.HeaderType_ENDORSER_TRANSACTION), ChannelId: channel, TxId: hex.EncodeToString(txID[:]), Timestamp: timestamppb.Now(),
			Extension: encode(&peer.ChaincodeHeaderExtension{ChaincodeId: id}),
		}),
		SignatureHeader: encode(&common.SignatureHeader{Creator: o.creator, Nonce: nonce}),
	})
	payload := encode(&peer.ChaincodeProposalPayload{Input: encode(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		Type: peer.ChaincodeSpec_GOLANG, ChaincodeId: id, Input: &peer.ChaincodeInput{Args: args},
	}})})
	b := encode(&peer.Proposal{Header: header, Payload: payload})
	digest := sha256.Sum256(b)
	signature, err := o.sign(digest[:])
	if err := errors.Join(append(failed, err)...); err != nil {
		return "", nil, fmt.Errorf("make proposal: %w", err)
	}
	return hex.EncodeToString(txID[:]), &peer.SignedProposal{ProposalBytes: b, Signature: signature}, nil
}

// joinOrderer has the orderer join the channel, at its admin listener with mutual TLS.
func (n node) joinOrderer(ctx context.Context, block []byte) error {
	roots, err := pool(filepath.Join(n.Identity, "tls", "ca.crt"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(n.Identity, "tls", "server.crt"), filepath.Join(n.Identity, "tls", "server.key"))
	if err != nil {
		return fmt.Errorf("join orderer: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	defer transport.CloseIdleConnections()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("config-block", "genesis.block")
	if err != nil {
		return fmt.Errorf("join orderer: %w", err)
	}
	if _, err := part.Write(block); err != nil {
		return fmt.Errorf("join orderer: %w", err)
	}
	if err := form.Close(); err != nil {
		return fmt.Errorf("join orderer: %w", err)
	}
	return again(ctx, func() error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+n.Admin+"/participation/v1/channels", bytes.NewReader(body.Bytes()))
		if err != nil {
			return backoff.Permanent(err)
		}
		r.Header.Set("Content-Type", form.FormDataContentType())
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, 2000))
		if answer.StatusCode != http.StatusCreated {
			return errors.Join(err, fmt.Errorf("the orderer answers %s: %s", answer.Status, text))
		}
		return nil
	})
}

// pool returns the authority in a file.
func pool(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("read authority: %s holds no certificate", file)
	}
	return p, nil
}
