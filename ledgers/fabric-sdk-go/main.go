// Command fabric-sdk-go is a ledger out of process (docs/ledger-exec.md) for Hyperledger Fabric consortia whose peers predate
// the Gateway service: Fabric 1.4 to 2.3. It speaks the peers' own endorsement protocol by way of fabric-sdk-go, which is
// archived and must not be linked into the hub: two registrations of Fabric's protocol buffers in one program panic.
//
// Its evidence is that of the hub's own driver, of the kind fabric, and is verified by the hub itself.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

func main() {
	p := program.Program{Spec: program.Spec{Name: "fabric-sdk-go", Version: "1", Kind: "fabric", Unsigned: true}, Open: begin}
	if err := p.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "E!", err)
		os.Exit(1)
	}
}

func begin(_ context.Context, s program.Settings) (program.Ledger, any, error) {
	l, err := open(s.Config)
	return l, nil, err
}
