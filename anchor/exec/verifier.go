package exec

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Verifier has a program check evidence of its kind, offline. Its Verify is an [anchor.EvidenceVerifier].
type Verifier struct{ ledger *Ledger }

// OpenVerifier returns the verifier; the program gets neither config nor logs. Close ends the program.
func OpenVerifier(c Config, dir string) *Verifier {
	c.Config, c.Secrets = nil, nil
	return &Verifier{Open(c, Env{Dir: dir})}
}

// Close ends the program.
func (v *Verifier) Close() error { return v.ledger.Close() }

// Verify implements [anchor.EvidenceVerifier].
func (v *Verifier) Verify(entry []byte, c hub.Checkpoint, pinned anchor.Pinned) (string, error) {
	evidence := jsontext.Value(bytes.Clone(entry))
	if len(entry) > maxEvidence || evidence.Canonicalize() != nil || !bytes.Equal(evidence, entry) {
		return "", errors.New("the evidence is not canonical JSON")
	}
	r := request{T: "verify", Note: string(c.Note), Evidence: evidence}
	if pinned != nil {
		b, err := yaml.YAMLToJSON(pinned)
		if err != nil {
			return "", fmt.Errorf("read trust: %w", err)
		}
		raw := stdjson.RawMessage(bytes.TrimSpace(b))
		r.Pinned = &raw
	}
	ctx := context.Background()
	p, err := v.ledger.running(ctx)
	if err != nil {
		return "", err
	}
	m, err := p.ask(ctx, r, v.ledger.config.Answer)
	switch {
	case err != nil:
		return "", err
	case m.T == "genuine":
		return m.By, nil
	case m.T == "error":
		return "", m.reported()
	}
	return "", refuse(p, m, "verify")
}
