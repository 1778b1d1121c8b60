package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// config is what the hub's configuration says of this ledger; the README has its table.
type config struct {
	rpc     string
	chainID *big.Int
	at      common.Address // of the contract
	key     *ecdsa.PrivateKey
	dir     string
	// confirmations is how many blocks there must be from the one with the checkpoint on; 0 asks the node what is final.
	confirmations uint64
	seals         string
	// maxFee is the most that a unit of gas may cost, in wei; nil for no limit.
	maxFee *big.Int
	// wait is how long a commit waits for its block, retry after how long a transaction is made anew with a higher fee.
	wait, retry time.Duration
}

// parse reads the config and names every setting that is missing, unknown or wrong.
func parse(m map[string]string, needed ...string) (*config, error) {
	c := &config{}
	rest := maps.Clone(m)
	var wrong []error
	take := func(name, other string, read func(text string) error) {
		text, there := rest[name]
		delete(rest, name)
		if !there {
			text = other
		}
		if text == "" {
			if slices.Contains(needed, name) {
				wrong = append(wrong, fmt.Errorf("config lacks %s", name))
			}
			return
		}
		if err := read(text); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		}
	}
	take("rpc", "", func(s string) error { return parseURL(s, &c.rpc) })
	take("chainId", "", func(s string) error { return parseBig(s, &c.chainID) })
	take("contract", "", func(s string) error { return parseAddress(s, &c.at) })
	take("key", "", func(s string) error { return parseKey(s, &c.key) })
	take("keyFile", "", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return parseKey(string(b), &c.key)
	})
	take("dir", "", func(s string) error { c.dir = s; return os.MkdirAll(s, 0o700) })
	take("confirmations", "1", func(s string) error { return parseDepth(s, &c.confirmations) })
	take("seals", evidence.SealsNone, func(s string) error {
		c.seals = s
		if s != evidence.SealsNone && s != evidence.SealsQBFT {
			return fmt.Errorf("%q is neither %s nor %s", s, evidence.SealsNone, evidence.SealsQBFT)
		}
		return nil
	})
	take("maxFee", "", func(s string) error { return parseBig(s, &c.maxFee) })
	take("wait", "20s", func(s string) error { return parseTime(s, &c.wait) })
	take("retry", "1m", func(s string) error { return parseTime(s, &c.retry) })
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		wrong = append(wrong, fmt.Errorf("%q is no setting of this ledger", name))
	}
	if (m["key"] == "") == (m["keyFile"] == "") {
		wrong = append(wrong, errors.New("config needs one of key and keyFile"))
	}
	if len(wrong) > 0 {
		return nil, program.Refusal{Code: program.Config, Err: fmt.Errorf("%s", strings.ReplaceAll(errors.Join(wrong...).Error(), "\n", "; "))}
	}
	return c, nil
}

func parseURL(s string, to *string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) {
		return errors.New("it is no URL of a node, such as https://node.example:8545") // and may hold a password
	}
	*to = s
	return nil
}

func parseBig(s string, to **big.Int) error {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Sign() < 0 {
		return fmt.Errorf("%q is no whole number", s)
	}
	*to = n
	return nil
}

func parseAddress(s string, to *common.Address) error {
	if !common.IsHexAddress(s) {
		return fmt.Errorf("%q is no address", s)
	}
	*to = common.HexToAddress(s)
	return nil
}

func parseKey(s string, to **ecdsa.PrivateKey) error {
	key, err := crypto.HexToECDSA(strings.TrimPrefix(strings.TrimSpace(s), "0x"))
	if err != nil {
		return errors.New("it is no secp256k1 key in 64 hexadecimal digits")
	}
	*to = key
	return nil
}

func parseDepth(s string, to *uint64) error {
	if s == "finalized" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return fmt.Errorf(`%q is neither a number of blocks from 1 on nor "finalized"`, s)
	}
	*to = n
	return nil
}

func parseTime(s string, to *time.Duration) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no length of time, such as 20s", s)
	}
	*to = d
	return nil
}
