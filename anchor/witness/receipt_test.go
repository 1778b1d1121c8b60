package witness_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/hub"
)

// witnessed is a receipt with the cosignatures of two witnesses, "witness/a" and "witness/b".
func witnessed(t *testing.T, key *anchor.SigningKey) (hub.Receipt, [2]*served) {
	t.Helper()
	by := [2]*served{serve(t, key.Public()), serve(t, key.Public())}
	return anchortest.Receipt(t, key, 20, 7, anchor.Named(by[0].Ledger, "a"), anchor.Named(by[1].Ledger, "b")), by
}

// forge returns r with another entry by the first witness.
func forge(r hub.Receipt, entry any) hub.Receipt {
	b, err := json.Marshal(entry)
	if err != nil {
		panic(err)
	}
	r.Ledger = append([]hub.Evidence{{Ledger: r.Ledger[0].Ledger, Entry: b}}, r.Ledger[1:]...)
	return r
}

type cosigned struct {
	Cosignature string `json:"cosignature"`
	Key         string `json:"key"`
}

// forgeries are receipts that no verifier may accept.
func forgeries(t *testing.T, r hub.Receipt, by [2]*served) map[string]hub.Receipt {
	t.Helper()
	var good cosigned
	if err := json.Unmarshal(r.Ledger[0].Entry, &good); err != nil {
		t.Fatal(err)
	}
	line := func(key *anchor.SigningKey, size uint64, at time.Time) string {
		c, _, err := anchor.ParseCheckpoint([]byte(r.Checkpoint))
		if err != nil {
			t.Fatal(err)
		}
		c.Size += size
		text, err := key.Cosign(c, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now()
	entry := func(cosignature string) hub.Receipt { return forge(r, cosigned{cosignature, good.Key}) }
	name, encoded, _ := strings.Cut(strings.TrimPrefix(good.Cosignature, "— "), " ")
	later := strings.TrimPrefix(line(by[0].key, 0, now.Add(time.Hour)), "— "+name+" ") // 16 letters of base64 are its key id and time
	return map[string]hub.Receipt{
		"of another size":         entry(line(by[0].key, 1, now)),
		"by another witness":      entry(line(by[1].key, 0, now)),
		"of another time":         entry("— " + name + " " + later[:16] + encoded[16:]),
		"without its newline":     entry(strings.TrimSuffix(good.Cosignature, "\n")),
		"twice":                   entry(good.Cosignature + good.Cosignature),
		"with a longer signature": entry("— " + name + " " + strings.TrimRight(encoded, "=\n") + "AAAA\n"),
		"none":                    entry(""),
		"under another name":      entry("— " + name + "x " + encoded),
		"with a hyphen":           entry("- " + name + " " + encoded),
		"by a key of a log":       forge(r, cosigned{good.Cosignature, by[0].key.Public().String()}),
		"by no key":               forge(r, cosigned{good.Cosignature, ""}),
		"with another member":     forge(r, map[string]string{"cosignature": good.Cosignature, "key": good.Key, "time": "1"}),
		"with a member missing":   forge(r, map[string]string{"cosignature": good.Cosignature}),
		"as a text":               forge(r, good.Cosignature),
	}
}

// TestVerifiersOfCosignaturesAgree gives receipts with cosignatures, of an Ed25519 and of an SM2 log, forgeries and mutations of
// them, to the verifiers in Go and in Python, under several trust files.
func TestVerifiersOfCosignaturesAgree(t *testing.T) {
	for algorithm, generate := range map[string]func(string) (*anchor.SigningKey, error){
		"Ed25519": anchor.GenerateKey, "SM2": anchor.SM2.GenerateKey,
	} {
		t.Run(algorithm, func(t *testing.T) {
			key, err := generate("hub.example/log")
			if err != nil {
				t.Fatal(err)
			}
			r, by := witnessed(t, key)
			one := r
			one.Ledger = r.Ledger[:1]
			honest := map[string][]byte{"good": encode(t, r), "one": encode(t, one)}
			all := maps.Clone(honest)
			for name, forged := range forgeries(t, r, by) {
				all["a cosignature "+name] = encode(t, forged)
			}
			rng := rand.New(rand.NewPCG(7, 8))
			from := strings.Index(string(all["good"]), `"ledger":`)
			for n := range 40 {
				b := bytes.Clone(all["good"])
				b[from+rng.IntN(500)] ^= 1 << rng.IntN(7)
				all[fmt.Sprint("mutation ", n)] = b
			}
			log := fmt.Sprintf("origin: hub.example/log\nkeys: [%q]\nledgers:\n  ", key.Public())
			both := fmt.Sprintf("%switness/a: { key: %q }\n  witness/b: { key: %q }\nrequire: ", log, by[0].Key, by[1].Key)
			agree(t, both+"2", all, "")
			for _, require := range []string{
				"1", "[witness/a]", "[witness/b, { count: 1, of: [witness/a, witness/b] }]", "[{ of: [witness/a, witness/b] }]",
			} {
				agree(t, both+require, honest, "")
			}
			agree(t, fmt.Sprintf("%switness/a: { key: %q }", log, by[1].Key), honest, "ledger")
			agree(t, fmt.Sprintf("%switness/c: { key: %q }", log, by[0].Key), honest, "trust")
		})
	}
}

// agree has both verifiers judge receipts, of which the good one must fail the check want, if that is not "".
func agree(t *testing.T, trustFile string, receipts map[string][]byte, want string) {
	t.Helper()
	trust, err := anchor.ParseTrust([]byte(trustFile))
	if err != nil {
		t.Fatal(err)
	}
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{witness.Kind: witness.Verify}}
	var names, verdicts []string
	var all [][]byte
	for name, b := range receipts {
		report, _ := v.Verify(b, trust)
		if name == "good" && report.Failed() != want {
			t.Errorf("the good receipt fails the check %q, not %q", report.Failed(), want)
		}
		if strings.HasPrefix(name, "a cosignature ") && report.Failed() != "ledger" {
			t.Errorf("%s: refused by %q", name, report.Failed())
		}
		verdict := report.Failed()
		if verdict == "" {
			verdict = "verifies"
		}
		names, all, verdicts = append(names, name), append(all, b), append(verdicts, verdict)
	}
	for i, got := range anchortest.Python(t, filepath.Join("..", "..", "docs", "verify.py"), []byte(trustFile), all) {
		if got != verdicts[i] {
			t.Errorf("%s: Python says %q, Go says %q: %s", names[i], got, verdicts[i], all[i])
		}
	}
}

func encode(t *testing.T, r hub.Receipt) []byte {
	t.Helper()
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
