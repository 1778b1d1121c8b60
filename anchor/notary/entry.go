package notary

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

const (
	// Name is the driver's name in evidence and in trust files.
	Name = "notary"
	// entryType is the type that an entry of this format states.
	entryType = "https://suyuan.dev/notary/v1"
	// signedPrefix separates what a notary signs from anything else that its key might sign.
	signedPrefix = "suyuan.dev/notary/v1\n"
)

// entry is one line of the notary's file, and its evidence. It is RFC 8785 (JCS) JSON; docs/formats.md specifies it.
type entry struct {
	// Checkpoint is the signed note as it was committed.
	Checkpoint string `json:"checkpoint"`
	// Index counts the entries of the file from 0, whatever their origin.
	Index uint64 `json:"index"`
	// Key is the notary's verifier key.
	Key string `json:"key"`
	// Previous is the SHA-256 of the line before without its newline, zero for the first.
	Previous hub.Digest `json:"previous"`
	// RecordedAt is when the notary took the checkpoint, by its own clock.
	RecordedAt hub.Instant `json:"recordedAt"`
	// Signature is the base64 of the Ed25519 signature over signedPrefix and the JCS form of the entry without this
	// member.
	Signature string `json:"signature,omitzero"`
	Type      string `json:"type"`
}

// encode returns the line of e without a newline.
func (e entry) encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	return value, nil
}

// message returns what is signed.
func (e entry) message() ([]byte, error) {
	e.Signature = ""
	b, err := e.encode()
	return append([]byte(signedPrefix), b...), err
}

// sign returns the line of e, signed with key.
func (e entry) sign(key *anchor.SigningKey) ([]byte, error) {
	e.Key, e.Type = key.Public().String(), entryType
	message, err := e.message()
	if err != nil {
		return nil, err
	}
	e.Signature = base64.StdEncoding.EncodeToString(key.Sign(message))
	return e.encode()
}

// parseEntry reads a line in its one encoding and checks the signature by the key that it names.
func parseEntry(line []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(line, &e, json.RejectUnknownMembers(true)); err != nil {
		return entry{}, fmt.Errorf("it is not the JSON of an entry: %w", err)
	}
	if e.Type != entryType {
		return entry{}, fmt.Errorf("its type is %.100q, this reads %q", e.Type, entryType)
	}
	again, err := e.encode()
	if err != nil {
		return entry{}, err
	}
	if !bytes.Equal(again, line) {
		return entry{}, fmt.Errorf("it is not in its canonical encoding")
	}
	key, err := anchor.ParseVerifierKey(e.Key)
	if err != nil {
		return entry{}, err
	}
	if err := anchor.CheckOrigin(key.Name()); err != nil {
		return entry{}, err
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(e.Signature)
	if err != nil {
		return entry{}, fmt.Errorf("its signature is not base64: %w", err)
	}
	message, err := e.message()
	if err != nil {
		return entry{}, err
	}
	if !key.Verify(message, sig) {
		return entry{}, fmt.Errorf("the signature of %s does not fit", key.Name())
	}
	return e, nil
}

// Verify is the [anchor.EvidenceVerifier] of this ledger. pinned is YAML with one member, the notary's key:
//
//	{ key: notary.example.com+5e6f7081+AdE… }
func Verify(line []byte, c hub.Checkpoint, pinned anchor.Pinned) (string, error) {
	e, err := parseEntry(line)
	if err != nil {
		return "", err
	}
	if e.Checkpoint != string(c.Note) {
		return "", fmt.Errorf("entry %d is about another checkpoint", e.Index)
	}
	if pinned != nil {
		var trust struct {
			Key string `yaml:"key"`
		}
		if err := pinned.Decode(&trust); err != nil {
			return "", err
		}
		if trust.Key != e.Key {
			return "", fmt.Errorf("the key %s is not the trusted %s", e.Key, trust.Key)
		}
	}
	return fmt.Sprintf("entry %d of %s at %v", e.Index, e.Key, e.RecordedAt), nil
}
