package contract

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// EvidenceType is the type that evidence of this format states.
	EvidenceType = "https://suyuan.dev/fabric/v1"
	// MaxEvidence bounds its bytes: two transactions of some 5 kB in base64 for three organisations, and 1.5 kB for each
	// more.
	MaxEvidence = 256 << 10
	// Valid is the verdict of a peer on a transaction that took effect.
	Valid = "VALID"
)

// Proof is the evidence. It is RFC 8785 (JCS) JSON; docs/formats.md specifies it.
type Proof struct {
	// Attestation is the envelope of the transaction that read the checkpoint back.
	Attestation []byte `json:"attestation"`
	// Block is the number of the block that holds Transaction, as the attesting peers signed it.
	Block uint64 `json:"block"`
	// Transaction is the envelope of the transaction that wrote the checkpoint.
	Transaction []byte `json:"transaction"`
	Type        string `json:"type"`
	// Validation is the verdict of the peer that was asked on Transaction: "VALID", or the reason why not.
	Validation string `json:"validation"`
}

// Encode returns the one encoding of p.
func (p Proof) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	return value, nil
}

// ParseProof reads evidence in its one encoding.
func ParseProof(b []byte) (Proof, error) {
	if len(b) > MaxEvidence {
		return Proof{}, fmt.Errorf("the evidence has %d bytes, at most %d are read", len(b), MaxEvidence)
	}
	var p Proof
	if err := json.Unmarshal(b, &p, json.RejectUnknownMembers(true)); err != nil {
		return Proof{}, fmt.Errorf("the evidence is not JSON of its form: %w", err)
	}
	if p.Type != EvidenceType {
		return Proof{}, fmt.Errorf("the evidence is of type %.100q, this reads %q", p.Type, EvidenceType)
	}
	again, err := p.Encode()
	if err != nil {
		return Proof{}, err
	}
	if !bytes.Equal(again, b) {
		return Proof{}, errors.New("the evidence is not in its canonical encoding")
	}
	return p, nil
}
