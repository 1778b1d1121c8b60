// Package contract is the contract that keeps checkpoints on chain, as compile.mjs compiled it from Checkpoints.sol.
package contract

import (
	_ "embed"
	"encoding/json"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

//go:embed Checkpoints.json
var compiled []byte

// Artifact is a compiled contract: how to call it, the code that deploys it, and the code that stands in the chain then.
type Artifact struct {
	ABI    abi.ABI       `json:"abi"`
	Deploy hexutil.Bytes `json:"deploy"`
	Code   hexutil.Bytes `json:"code"`
}

// Checkpoints returns the contract of Checkpoints.sol.
func Checkpoints() Artifact {
	var a Artifact
	if err := json.Unmarshal(compiled, &a); err != nil {
		panic(err) // it is embedded
	}
	return a
}
