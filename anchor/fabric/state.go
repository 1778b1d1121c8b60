package fabric

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/hub"
)

// keepEvidence is for how many checkpoints of an origin the first evidence is kept; the hub's journal has all.
const keepEvidence = 64

// folder is the driver's memory: the transaction of each origin whose outcome is not known, and the evidence that was
// given out, because signatures made anew would differ.
type folder string

// pending is a signed transaction that was, or is about to be, submitted.
type pending struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	TxID   string `json:"txId"`
	// Transaction is the gateway's PreparedTransaction with the signed envelope.
	Transaction []byte `json:"transaction"`
}

// expired reports whether the certificate with which p is signed has expired at now.
func (p *pending) expired(now time.Time) bool {
	var prepared gateway.PreparedTransaction
	if err := proto.Unmarshal(p.Transaction, &prepared); err != nil {
		return false
	}
	envelope, err := proto.MarshalOptions{Deterministic: true}.Marshal(prepared.GetEnvelope())
	if err != nil {
		return false
	}
	e, err := openEnvelope(envelope)
	return err == nil && now.After(e.creator.cert.NotAfter)
}

func (f folder) pendingPath(origin string) string {
	return filepath.Join(string(f), "pending-"+fileName(origin)+".json")
}

func (f folder) evidencePath(origin string, size uint64) string {
	return filepath.Join(string(f), fmt.Sprintf("evidence-%s-%016d.json", fileName(origin), size))
}

// fileName is a name that any origin has and any file system takes.
func fileName(origin string) string {
	sum := hub.Sum([]byte(origin))
	return hex.EncodeToString(sum[:12])
}

// pending returns the unsettled transaction of origin, or nil.
func (f folder) pending(origin string) (*pending, error) {
	b, err := os.ReadFile(f.pendingPath(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read pending transaction: %w", err)
	}
	var p pending
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("read pending transaction: %w", err)
	}
	return &p, nil
}

// savePending makes p durable.
func (f folder) savePending(p pending) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("save pending transaction: %w", err)
	}
	if err := f.write(f.pendingPath(p.Origin), b); err != nil {
		return fmt.Errorf("save pending transaction: %w", err)
	}
	return nil
}

// dropPending forgets the transaction of origin, whose outcome is known. If a crash brings it back, it is settled again.
func (f folder) dropPending(origin string) error {
	if err := os.Remove(f.pendingPath(origin)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop settled transaction: %w", err)
	}
	return nil
}

// evidence returns what was given out for a checkpoint, or nil.
func (f folder) evidence(origin string, size uint64) ([]byte, error) {
	b, err := os.ReadFile(f.evidencePath(origin, size))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return b, nil
}

// saveEvidence makes evidence durable and forgets the oldest.
func (f folder) saveEvidence(origin string, size uint64, b []byte) error {
	if err := f.write(f.evidencePath(origin, size), b); err != nil {
		return fmt.Errorf("save evidence: %w", err)
	}
	all, err := filepath.Glob(filepath.Join(string(f), "evidence-"+fileName(origin)+"-*.json"))
	if err != nil {
		return fmt.Errorf("list evidence: %w", err)
	}
	slices.Sort(all)
	for len(all) > keepEvidence {
		if err := os.Remove(all[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop old evidence: %w", err)
		}
		all = all[1:]
	}
	return nil
}

// write puts b under path so that after a crash the file holds all of it or what it held before.
func (f folder) write(path string, b []byte) error {
	file, err := os.CreateTemp(string(f), "tmp-*")
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
