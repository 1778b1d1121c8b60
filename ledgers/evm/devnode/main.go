// Command devnode is a chain on loopback to try the ledger on, with the contract on it and an account that has money: it prints the
// ledger's settings as a line of JSON and runs until its standard input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/suyuan-io/suyuan/ledgers/evm/internal/devchain"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	c, err := devchain.Start()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := json.NewEncoder(os.Stdout).Encode(c.Settings()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
