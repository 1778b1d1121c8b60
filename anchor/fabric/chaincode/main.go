package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

// main serves the contract. The environment says how:
//
//	CHAINCODE_ID               the package id that the peer was given
//	CHAINCODE_SERVER_ADDRESS   host:port to listen on
//	CHAINCODE_TLS_CERT         file names, PEM; without a certificate the connection is plain, which is for
//	CHAINCODE_TLS_KEY          a peer on the same host only
//	CHAINCODE_CLIENT_CA        if set, the peer must show a certificate of this authority
func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaincode:", err)
		os.Exit(1)
	}
}

func run() error {
	cc, err := contractapi.NewChaincode(&Contract{})
	if err != nil {
		return fmt.Errorf("create contract: %w", err)
	}
	cc.Info.Title, cc.Info.Version = "suyuan checkpoints", "1"
	tls, err := tlsProperties()
	if err != nil {
		return err
	}
	server := &shim.ChaincodeServer{
		CCID:     os.Getenv("CHAINCODE_ID"),
		Address:  os.Getenv("CHAINCODE_SERVER_ADDRESS"),
		CC:       cc,
		TLSProps: tls,
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func tlsProperties() (shim.TLSProperties, error) {
	props := shim.TLSProperties{Disabled: os.Getenv("CHAINCODE_TLS_CERT") == ""}
	if props.Disabled {
		return props, nil
	}
	for name, into := range map[string]*[]byte{
		"CHAINCODE_TLS_CERT": &props.Cert, "CHAINCODE_TLS_KEY": &props.Key, "CHAINCODE_CLIENT_CA": &props.ClientCACerts,
	} {
		path := os.Getenv(name)
		if path == "" {
			continue
		}
		b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return props, fmt.Errorf("read %s: %w", name, err)
		}
		*into = b
	}
	return props, nil
}
