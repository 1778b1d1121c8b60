package fabricnet

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Environment is the variable that names the folder of Fabric's programs. Without it they are looked for on PATH.
const Environment = "SUYUAN_FABRIC_BIN"

// Programs are the files that make a network.
type Programs struct {
	Peer, Orderer, Configtxgen, Cryptogen string
	// Contract is the checkpoint contract; empty to have it built from anchor/fabric/chaincode.
	Contract string
}

// Find looks for Fabric's programs in the folder that [Environment] names, or on PATH, and for the contract beside them
// under the name suyuan-chaincode. Its error says what is missing.
func Find() (Programs, error) {
	var p Programs
	dir := os.Getenv(Environment)
	look := func(name string) (string, error) {
		if dir != "" {
			return exec.LookPath(filepath.Join(dir, name))
		}
		return exec.LookPath(name)
	}
	var missing []string
	for name, into := range map[string]*string{
		"peer": &p.Peer, "orderer": &p.Orderer, "configtxgen": &p.Configtxgen, "cryptogen": &p.Cryptogen,
	} {
		path, err := look(name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		if *into, err = filepath.Abs(path); err != nil {
			return p, fmt.Errorf("find %s: %w", name, err)
		}
	}
	if len(missing) > 0 {
		where := "on PATH"
		if dir != "" {
			where = "in " + dir
		}
		return p, fmt.Errorf("fabric programs %s are not %s: set %s to their folder", strings.Join(missing, ", "), where, Environment)
	}
	if path, err := look("suyuan-chaincode"); err == nil {
		p.Contract = path
	}
	return p, nil
}

// release is a version of Fabric.
type release struct{ major, minor int }

func (r release) before(major, minor int) bool {
	return r.major < major || r.major == major && r.minor < minor
}

// capability is the newest level of application capabilities that peers of a release know.
func (r release) capability() string {
	if r.before(2, 5) {
		return "V2_0"
	}
	return "V2_5"
}

// release asks the peer program which release it is of. One that was built without a version counts as the newest.
func (p Programs) release(ctx context.Context) (release, error) {
	cmd := exec.CommandContext(ctx, p.Peer, "version")
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+os.TempDir())
	out, err := cmd.Output()
	if err != nil {
		return release{}, fmt.Errorf("ask the peer's version: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		version, named := strings.CutPrefix(strings.TrimSpace(line), "Version: ")
		var r release
		if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &r.major, &r.minor); named && err == nil {
			return r, nil
		}
	}
	return release{math.MaxInt, 0}, nil
}

// BuildContract builds the contract into dir and returns its file. It works within this repository only, because the
// contract is a module of its own.
func BuildContract(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/suyuan-io/suyuan").Output()
	if err != nil {
		return "", fmt.Errorf("find the contract's source: %w", err)
	}
	path := filepath.Join(dir, "suyuan-chaincode")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	build.Dir = filepath.Join(strings.TrimSpace(string(root)), "anchor", "fabric", "chaincode")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the contract: %w: %.2000s", err, out)
	}
	return path, nil
}
