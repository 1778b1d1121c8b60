package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/anchor/fabric"
)

const (
	// channel and chaincode are the names in every network.
	channel   = "anchors"
	chaincode = "suyuan"
	// startTimeout bounds the start of a network, on a busy machine with cold programs.
	startTimeout = 3 * time.Minute
)

// Options describe a network. The zero value of each field but Programs and Dir has a default.
type Options struct {
	Programs Programs
	// Dir is where everything of the network is kept: certificates, ledgers, logs. It must be there and be empty.
	Dir string
	// Orgs is how many organisations there are; the default is 3.
	Orgs int
	// Orderers is how many orderers there are; the default is 1. With three, one may be down.
	Orderers int
	// BatchTimeout is how long the orderer waits for more transactions before it cuts a block; the default is 50 ms.
	BatchTimeout time.Duration
}

// Network is a running network.
type Network struct {
	Orgs []*Org
	// Orderer is the first of Orderers.
	Orderer  *Process
	Orderers []*Process

	opts     Options
	orderers []node
	release  release
	// before is set for peers without the Gateway service.
	before *before
}

// Org is one organisation. Its peer and its contract are processes that tests may kill.
type Org struct {
	Name, MSP, Domain string
	Peer              *Process
	Contract          *Process

	dir       string // of its certificates
	operator  *operator
	packageID string
}

// Start starts a network and returns when its contract answers for every organisation. What was started is stopped when
// it fails.
func Start(ctx context.Context, opts Options) (*Network, error) {
	if opts.Orgs == 0 {
		opts.Orgs = 3
	}
	if opts.Orderers == 0 {
		opts.Orderers = 1
	}
	if opts.BatchTimeout == 0 {
		opts.BatchTimeout = 50 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("start network: %w", err)
	}
	opts.Dir = dir
	n := &Network{opts: opts}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start network: %w", err), n.Close())
	}
	return n, nil
}

// start takes the steps in the order in which a consortium would.
func (n *Network) start(ctx context.Context) error {
	if n.opts.Programs.Contract == "" {
		built, err := BuildContract(ctx, n.opts.Dir)
		if err != nil {
			return err
		}
		n.opts.Programs.Contract = built
	}
	var err error
	if n.release, err = n.opts.Programs.release(ctx); err != nil {
		return err
	}
	addresses, release, err := reserve(ctx, 3*n.opts.Orderers+4*n.opts.Orgs)
	if err != nil {
		return err
	}
	defer release()
	block, err := n.layOut(ctx, addresses)
	if err != nil {
		return err
	}
	if !n.HasGateway() {
		if err := n.connectBefore(); err != nil {
			return err
		}
	}
	release()
	for _, p := range n.Processes() {
		if err := p.launch(); err != nil {
			return err
		}
	}
	for _, o := range n.orderers {
		if err := o.joinOrderer(ctx, block); err != nil {
			return err
		}
	}
	for _, o := range n.Orgs { // one after another: peers that join at once can miss each other
		if err := o.Peer.await(ctx); err != nil {
			return err
		}
		if err := o.operator.join(ctx, block); err != nil {
			return fmt.Errorf("join %s: %w", o.Peer.Name, err)
		}
	}
	for _, o := range n.Orgs {
		pkg, err := o.contractPackage()
		if err != nil {
			return err
		}
		if err := o.operator.install(ctx, pkg); err != nil {
			return fmt.Errorf("install on %s: %w", o.Peer.Name, err)
		}
	}
	return n.Deploy(ctx, chaincode)
}

// Deploy puts the contract on the channel once more, under a name whose state is empty: every organisation approves it,
// and one commits it. It returns when it answers for every organisation.
func (n *Network) Deploy(ctx context.Context, name string) error {
	for _, o := range n.Orgs {
		if err := o.operator.approve(ctx, name, o.packageID); err != nil {
			return fmt.Errorf("approve %s by %s: %w", name, o.Name, err)
		}
	}
	if err := n.Orgs[0].operator.commit(ctx, name, n.msps()); err != nil {
		return fmt.Errorf("commit %s: %w", name, err)
	}
	return n.ready(ctx, name)
}

// Ready returns when the gateway of every running peer knows the contract of every organisation that runs.
func (n *Network) Ready(ctx context.Context) error { return n.ready(ctx, chaincode) }

func (n *Network) ready(ctx context.Context, name string) error {
	var running []*Org
	for _, o := range n.Orgs {
		if o.Peer.Running() && o.Contract.Running() {
			running = append(running, o)
		}
	}
	for _, o := range running {
		var msps []string
		for _, other := range running {
			msps = append(msps, other.MSP)
		}
		if err := o.operator.answers(ctx, name, msps); err != nil {
			return fmt.Errorf("wait for the contract at %s: %w", o.Peer.Name, err)
		}
	}
	return nil
}

func (n *Network) msps() []string {
	var ids []string
	for _, o := range n.Orgs {
		ids = append(ids, o.MSP)
	}
	return ids
}

// Processes lists everything that runs.
func (n *Network) Processes() []*Process {
	var all []*Process
	all = append(all, n.Orderers...)
	for _, o := range n.Orgs {
		all = append(all, o.Contract, o.Peer)
	}
	return all
}

// Close kills every process of the network and returns when they are gone. The files stay.
func (n *Network) Close() error {
	var errs []error
	for _, o := range n.Orgs {
		if o.operator != nil {
			errs = append(errs, o.operator.close())
		}
	}
	if n.before != nil {
		errs = append(errs, n.before.orderer.Close())
	}
	for _, p := range slices.Backward(n.Processes()) {
		errs = append(errs, p.Kill())
	}
	return errors.Join(errs...)
}

// Config returns the configuration of a hub that is a client of organisation i, and may use every peer, its own first.
func (n *Network) Config(i int) fabric.Config {
	c := fabric.Config{Channel: channel, Chaincode: chaincode, MSP: n.Orgs[i].MSP}
	c.Certificate, c.Key = n.Orgs[i].Client()
	for k := range n.Orgs {
		o := n.Orgs[(i+k)%len(n.Orgs)]
		c.Peers = append(c.Peers, fabric.Peer{Address: o.Peer.Address, CA: o.tlsCA()})
	}
	return c
}

// Trust returns the part of a trust file that pins this network: the endorsement of so many of its organisations, and
// organisation i as the owner of the log.
func (n *Network) Trust(i, nOf int) (fabric.Trust, error) {
	t := fabric.Trust{
		Channel: channel, Chaincode: chaincode, Owner: n.Orgs[i].MSP,
		Rule: fabric.Rule{NOf: nOf, MSPs: n.msps()}, Roots: make(map[string]string), PeerOU: "peer",
	}
	for _, o := range n.Orgs {
		b, err := os.ReadFile(filepath.Join(o.dir, "msp", "cacerts", "ca."+o.Domain+"-cert.pem"))
		if err != nil {
			return t, fmt.Errorf("read root certificate: %w", err)
		}
		t.Roots[o.MSP] = string(b)
	}
	return t, nil
}

// HasGateway reports whether the peers have the Gateway service, which came with Fabric 2.4.
func (n *Network) HasGateway() bool { return !n.release.before(2, 4) }

// Authority returns the files of an organisation's certificate authority: its certificate and its key.
func (o *Org) Authority() (cert, key string) {
	return filepath.Join(o.dir, "ca", "ca."+o.Domain+"-cert.pem"), filepath.Join(o.dir, "ca", "priv_sk")
}

// Client returns the files of a client's certificate and key, PeerIdentity those of its peer.
func (o *Org) Client() (cert, key string) {
	return o.user("User1", "signcerts"), o.user("User1", "keystore")
}

// PeerIdentity returns the files of the peer's certificate and key, with which it endorses.
func (o *Org) PeerIdentity() (cert, key string) {
	name := "peer." + o.Domain
	dir := filepath.Join(o.dir, "peers", name, "msp")
	return filepath.Join(dir, "signcerts", name+"-cert.pem"), filepath.Join(dir, "keystore", "priv_sk")
}

// Evaluate asks an organisation's peer.
func (o *Org) Evaluate(ctx context.Context, contract, function string, args ...string) ([]byte, error) {
	return o.operator.evaluate(ctx, contract, function, args...)
}

// user returns the one file in a folder of a user's identity.
func (o *Org) user(name, folder string) string {
	user := name + "@" + o.Domain
	file := "priv_sk"
	if folder == "signcerts" {
		file = user + "-cert.pem"
	}
	return filepath.Join(o.dir, "users", user, "msp", folder, file)
}

func (o *Org) tlsCA() string { return filepath.Join(o.dir, "tlsca", "tlsca."+o.Domain+"-cert.pem") }

func (n *Network) ordererCA() string {
	return filepath.Join(n.opts.Dir, "crypto", "ordererOrganizations", "orderer.test", "tlsca", "tlsca.orderer.test-cert.pem")
}
