package fabricnet

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
)

// certify makes the certificates. Programs of Fabric before 2.4 that are built with Go 1.19 or later refuse an authority whose own
// certificate has a high s, as every second has: they give it a low one and then do not find it among its roots. For them new ones are
// made until none has.
func (n *Network) certify(ctx context.Context) error {
	dir := filepath.Join(n.opts.Dir, "crypto")
	for {
		if err := n.tool(ctx, n.opts.Programs.Cryptogen, "generate", "--config", filepath.Join(n.opts.Dir, "crypto.yaml"), "--output", dir); err != nil {
			return err
		}
		if n.HasGateway() {
			return nil
		}
		high, err := HighS(dir)
		if err != nil || high == 0 {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("make certificates: %w", err)
		}
	}
}

// tool runs one of Fabric's programs that write files and end.
func (n *Network) tool(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.opts.Dir, "FABRIC_CFG_PATH=" + n.opts.Dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w: %.2000s", filepath.Base(program), err, out)
	}
	return nil
}

// HighS returns how many of the authorities in a folder that cryptogen wrote have a certificate of their own whose signature has a high s.
func HighS(dir string) (n int, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*Organizations", "*", "ca", "*.pem"))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("find authorities in %s: %w", dir, os.ErrNotExist)
	}
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	for _, file := range files {
		s, err := sOf(file)
		if err != nil {
			return 0, fmt.Errorf("read certificate %s: %w", file, err)
		}
		if s.Cmp(half) > 0 {
			n++
		}
	}
	return n, nil
}

// sOf returns the s of the signature on a certificate.
func sOf(file string) (*big.Int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	var signature struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(cert.Signature, &signature)
	return signature.S, err
}
