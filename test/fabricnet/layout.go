package fabricnet

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

//go:embed templates
var templates embed.FS

// node is what the templates say of one process.
type node struct {
	Name                string
	Address, Host, Port string
	Operations, Admin   string
	Chaincode           string
	Dir, Identity       string
}

func nodeAt(address string) node {
	host, port, _ := net.SplitHostPort(address) // it is one that we reserved
	return node{Address: address, Host: host, Port: port}
}

// plan is what the templates are filled with.
type plan struct {
	Dir          string
	BatchTimeout time.Duration
	// Capability is the newest level of applications that the peers know.
	Capability string
	Orderers   []node
	Orgs       []planned
}

type planned struct {
	Name, MSP, Domain, Builder string
	Peer                       node
}

// layOut writes the certificates, the genesis block and the configurations, and prepares the processes. It returns the
// block.
func (n *Network) layOut(ctx context.Context, addresses []string) ([]byte, error) {
	next := func() string {
		a := addresses[0]
		addresses = addresses[1:]
		return a
	}
	p := plan{Dir: n.opts.Dir, BatchTimeout: n.opts.BatchTimeout, Capability: n.release.capability()}
	for i := range n.opts.Orderers {
		o := nodeAt(next())
		o.Name = "orderer"
		if i > 0 {
			o.Name = fmt.Sprintf("orderer%d", i+1)
		}
		o.Operations, o.Admin = next(), next()
		o.Dir = filepath.Join(p.Dir, o.Name)
		o.Identity = filepath.Join(p.Dir, "crypto", "ordererOrganizations", "orderer.test", "orderers", o.Name+".orderer.test")
		p.Orderers = append(p.Orderers, o)
		n.Orderers = append(n.Orderers, n.process(o.Name, o.Address, n.opts.Programs.Orderer))
	}
	n.Orderer, n.orderers = n.Orderers[0], p.Orderers
	for i := range n.opts.Orgs {
		o := planned{
			Name: fmt.Sprintf("Org%d", i+1), MSP: fmt.Sprintf("Org%dMSP", i+1), Domain: fmt.Sprintf("org%d.test", i+1),
			Builder: filepath.Join(p.Dir, "builder"), Peer: nodeAt(next()),
		}
		o.Peer.Operations, o.Peer.Chaincode = next(), next()
		org := &Org{Name: o.Name, MSP: o.MSP, Domain: o.Domain, dir: filepath.Join(p.Dir, "crypto", "peerOrganizations", o.Domain)}
		org.Peer = n.process(fmt.Sprintf("peer%d", i+1), o.Peer.Address, n.opts.Programs.Peer, "node", "start")
		o.Peer.Dir = org.Peer.dir
		o.Peer.Identity = filepath.Join(org.dir, "peers", "peer."+o.Domain)
		org.Contract = n.process(fmt.Sprintf("contract%d", i+1), next(), n.opts.Programs.Contract)
		n.Orgs, p.Orgs = append(n.Orgs, org), append(p.Orgs, o)
	}
	if err := n.write(p); err != nil {
		return nil, err
	}
	return n.generate(ctx)
}

// process describes a process that keeps its files in a folder of its name.
func (n *Network) process(name, address, program string, args ...string) *Process {
	dir := filepath.Join(n.opts.Dir, name)
	return &Process{
		Name: name, Address: address, program: program, args: args, dir: dir, log: filepath.Join(n.opts.Dir, name+".log"),
		env: []string{"FABRIC_CFG_PATH=" + dir, "FABRIC_LOGGING_SPEC=warning"},
	}
}

// write fills the templates and writes the external builder.
func (n *Network) write(p plan) error {
	for _, process := range n.Processes() {
		if err := os.MkdirAll(process.dir, 0o700); err != nil {
			return fmt.Errorf("lay out network: %w", err)
		}
	}
	all, err := template.ParseFS(templates, "templates/*.yaml")
	if err != nil {
		return fmt.Errorf("lay out network: %w", err)
	}
	fill := func(name, path string, with any) error {
		var b bytes.Buffer
		if err := all.ExecuteTemplate(&b, name, with); err != nil {
			return fmt.Errorf("lay out network: %w", err)
		}
		return os.WriteFile(path, b.Bytes(), 0o600)
	}
	for name, path := range map[string]string{
		"crypto.yaml": filepath.Join(p.Dir, "crypto.yaml"), "configtx.yaml": filepath.Join(p.Dir, "configtx.yaml"),
	} {
		if err := fill(name, path, p); err != nil {
			return err
		}
	}
	for _, o := range p.Orderers {
		if err := fill("orderer.yaml", filepath.Join(o.Dir, "orderer.yaml"), o); err != nil {
			return err
		}
	}
	for _, o := range p.Orgs {
		if err := fill("core.yaml", filepath.Join(o.Peer.Dir, "core.yaml"), o); err != nil {
			return err
		}
	}
	return writeBuilder(filepath.Join(p.Dir, "builder", "bin"))
}

// writeBuilder writes the external builder of chaincode that runs as a service: a peer calls detect with the source and
// the metadata, build with source, metadata and output, release with the output and what is released.
func writeBuilder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write builder: %w", err)
	}
	for name, script := range map[string]string{
		"detect":  `grep -q ccaas "$2/metadata.json"`,
		"build":   `cp "$1/connection.json" "$3/"`,
		"release": `mkdir -p "$2/chaincode/server" && cp "$1/connection.json" "$2/chaincode/server/"`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			return fmt.Errorf("write builder: %w", err)
		}
	}
	return nil
}

// generate makes the certificates and the genesis block.
func (n *Network) generate(ctx context.Context) ([]byte, error) {
	dir := n.opts.Dir
	block := filepath.Join(dir, "genesis.block")
	if err := n.certify(ctx); err != nil {
		return nil, err
	}
	if err := n.tool(ctx, n.opts.Programs.Configtxgen, "-configPath", dir, "-profile", "Anchors", "-channelID", channel, "-outputBlock", block); err != nil {
		return nil, err
	}
	for _, o := range n.Orgs {
		operator, err := o.operate()
		if err != nil {
			return nil, err
		}
		o.operator = operator
		if _, err := o.contractPackage(); err != nil {
			return nil, err
		}
		o.Contract.env = append(o.Contract.env, "CHAINCODE_ID="+o.packageID, "CHAINCODE_SERVER_ADDRESS="+o.Contract.Address)
	}
	b, err := os.ReadFile(block)
	if err != nil {
		return nil, fmt.Errorf("read genesis block: %w", err)
	}
	return b, nil
}

// contractPackage returns the package that tells the organisation's peer where its contract runs, and notes its id.
func (o *Org) contractPackage() ([]byte, error) {
	connection, err := json.Marshal(map[string]any{"address": o.Contract.Address, "dial_timeout": "10s", "tls_required": false})
	if err != nil {
		return nil, fmt.Errorf("package contract: %w", err)
	}
	code, err := archive(map[string][]byte{"connection.json": connection})
	if err != nil {
		return nil, err
	}
	metadata, err := json.Marshal(map[string]string{"type": "ccaas", "label": chaincode})
	if err != nil {
		return nil, fmt.Errorf("package contract: %w", err)
	}
	pkg, err := archive(map[string][]byte{"metadata.json": metadata, "code.tar.gz": code})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(pkg)
	o.packageID = chaincode + ":" + hex.EncodeToString(sum[:])
	return pkg, nil
}

// archive returns a tar.gz of files, the same for the same files.
func archive(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for _, name := range []string{"metadata.json", "connection.json", "code.tar.gz"} {
		content, ok := files[name]
		if !ok {
			continue
		}
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			return nil, fmt.Errorf("package contract: %w", err)
		}
		if _, err := out.Write(content); err != nil {
			return nil, fmt.Errorf("package contract: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return nil, fmt.Errorf("package contract: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("package contract: %w", err)
	}
	return b.Bytes(), nil
}
