package anchor_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// sm2Key returns the text form of an SM2 key.
func sm2Key(name string, point []byte) string {
	typed := append([]byte("\xffsuyuan.dev/sm2\n"), point...)
	id := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(typed))
}

// TestSM2Vector is the example of GB/T 32918.5-2017, appendix A.2.
func TestSM2Vector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	point := unhex("04 09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020" +
		"CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")
	sig := unhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3" +
		"B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
	key := mustKey(t, sm2Key("hub.example/sm", point))
	if !key.Verify([]byte("message digest"), sig) {
		t.Error("the standard's signature was refused")
	}
	if key.Verify([]byte("Message digest"), sig) {
		t.Error("the signature of another message was accepted")
	}
	for i := range sig {
		bad := append([]byte(nil), sig...)
		bad[i] ^= 1
		if key.Verify([]byte("message digest"), bad) {
			t.Errorf("the signature with byte %d changed was accepted", i)
		}
	}
	if key.Verify([]byte("message digest"), append(sig, 0)) || key.Verify([]byte("message digest"), nil) {
		t.Error("a signature of another length was accepted")
	}
	point[64] ^= 1 // not on the curve
	if mustKey(t, sm2Key("hub.example/sm", point)).Verify([]byte("message digest"), sig) {
		t.Error("a key that is no point of the curve verified something")
	}
}

func TestSM2KeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.key")
	first, err := anchor.SM2.LoadOrCreateKey(path, "hub.example/sm")
	if err != nil {
		t.Fatal(err)
	}
	again, err := anchor.SM2.LoadOrCreateKey(path, "hub.example/sm")
	if err != nil {
		t.Fatal(err)
	}
	if again.Public() != first.Public() || !first.Public().Verify([]byte("x"), again.Sign([]byte("x"))) {
		t.Error("the key was not read back")
	}
	if mustKey(t, first.Public().String()) != first.Public() {
		t.Error("the public key was not read back")
	}
	if _, err := anchor.LoadOrCreateKey(path, "hub.example/sm"); hub.KindOf(err) != hub.Conflict {
		t.Errorf("an SM2 key where an Ed25519 key is expected: %v, want a conflict", err)
	}
}

// newSMWorld is a world whose log is of SM3 and SM2.
func newSMWorld(t *testing.T) *world {
	t.Helper()
	key, err := anchor.SM2.GenerateKey("hub.example/sm")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.key, w.store = key, &anchortest.Store{Hash: anchor.SM3}
	w.memory = &ledgertest.Memory{Logs: []anchor.VerifierKey{key.Public()}}
	return w
}

// newSMLog returns a log of SM3 and SM2 with checkpoints of 3 and 303 leaves, witnessed by a notary with an SM2 key.
func newSMLog(t *testing.T) (*world, *anchor.Log) {
	t.Helper()
	w := newSMWorld(t)
	notaryKey, err := anchor.SM2.GenerateKey("notary.example/sm")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := notary.Open(filepath.Join(t.TempDir(), "notary.log"),
		notary.Options{Key: notaryKey, Logs: []anchor.VerifierKey{w.key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	w.notary = notaryKey
	opts := w.options()
	opts.Ledgers = []anchor.Ledger{ledger}
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 300} {
		w.record(n)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w, l
}

// TestSMLog verifies receipts of an SM3 log with SM2 signatures.
func TestSMLog(t *testing.T) {
	w, l := newSMLog(t)
	trust := func(hash string) (*anchor.Trust, error) {
		return anchor.ParseTrust([]byte("origin: hub.example/sm\nkeys:\n  - " + l.Key().String() + "\n" + hash +
			"ledgers:\n  notary: { key: " + w.notary.Public().String() + " }\n"))
	}
	if _, err := trust("hash: sha-256\n"); err == nil {
		t.Error("a trust file with an SM2 key and SHA-256 was accepted")
	}
	for _, hash := range []string{"", "hash: sm3\n"} {
		pinned, err := trust(hash)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range []hub.Seq{0, 2, 150, 302} {
			b := w.checkReceipt(t, l, seq)
			report, err := verifier().Verify(b, pinned)
			if err != nil || !report.Pinned {
				t.Errorf("receipt %d: %v", seq, err)
			}
			bad := []byte(strings.Replace(string(b), `"salt":"`, `"salt":"0`, 1))
			if _, err := verifier().Verify(bad, pinned); err == nil {
				t.Errorf("changed receipt %d was accepted", seq)
			}
		}
	}
}
