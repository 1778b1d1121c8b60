package anchor_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// ownVectors returns the files of testdata/dir, by name: "good/…" and "bad/CHECK-FAULT.…", named by the check that must fail and by the
// fault, and trust.yaml. They are written once, with keys that are thrown away.
func ownVectors(t *testing.T, dir string, generate func() map[string]string) map[string]string {
	t.Helper()
	root := filepath.Join("testdata", dir)
	if *update {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		for name, text := range generate() {
			path := filepath.Join(root, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := make(map[string]string)
	for _, pattern := range []string{"*.yaml", "good/*", "bad/*"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files %s in %s: %v", pattern, root, err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(root, path)
			all[filepath.ToSlash(name)] = string(b)
		}
	}
	return all
}

// checkVectors has every good file accepted and every bad one refused by the check that its name begins with.
func checkVectors(t *testing.T, all map[string]string, verify func(b []byte) (*anchor.Report, error)) {
	t.Helper()
	for name, text := range all {
		if !strings.Contains(name, "/") {
			continue
		}
		report, err := verify([]byte(text))
		fault, bad := strings.CutPrefix(name, "bad/")
		check, _, _ := strings.Cut(fault, "-")
		switch {
		case bad && (err == nil || report.Failed() != check):
			t.Errorf("%s: refused by %q, %v", name, report.Failed(), err)
		case !bad && (err != nil || !report.OK):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// change returns text with the first old replaced.
func change(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) || old == with {
		t.Fatalf("there is no %q to change", old)
	}
	return strings.Replace(text, old, with, 1)
}

// smVectors are receipts of a log of SM3 and SM2, and what is not one.
func smVectors(t *testing.T) map[string]string {
	w, l := newSMLog(t)
	all := map[string]string{"trust.yaml": "origin: hub.example/sm\nkeys: [" + l.Key().String() + "]\n" +
		"hash: sm3\nledgers:\n  notary: { key: " + w.notary.Public().String() + " }\n"}
	for name, seq := range map[string]hub.Seq{"first-leaf": 0, "end-of-the-first-checkpoint": 2, "middle-leaf": 200, "last-leaf": 302} {
		all["good/"+name+".json"] = string(w.checkReceipt(t, l, seq))
	}
	good := all["good/middle-leaf.json"]
	stranger, err := anchor.SM2.GenerateKey("hub.example/sm")
	if err != nil {
		t.Fatal(err)
	}
	c := checkpointOf(t, []byte(good))
	signature := func(note []byte) string {
		fields := strings.Fields(string(note))
		return fields[len(fields)-1]
	}
	ours := signature(c.Note)
	sha256 := newWorld(t)
	for name, b := range map[string]string{
		"event-changed":                   change(t, good, `"type":"ObjectEvent"`, `"type":"ObjectEvenT"`),
		"inclusion-salt-changed":          change(t, good, `"salt":"`+saltOf(t, good), `"salt":"`+strings.Repeat("0", 64)),
		"inclusion-index-changed":         change(t, good, `"leafIndex":200`, `"leafIndex":201`),
		"inclusion-size-changed":          change(t, good, `"treeSize":303`, `"treeSize":302`),
		"checkpoint-key-of-a-stranger":    change(t, good, l.Key().String(), stranger.Public().String()),
		"checkpoint-key-of-ed25519":       change(t, good, l.Key().String(), sha256.key.Public().String()),
		"checkpoint-signed-by-a-stranger": change(t, good, ours, ours[:5]+signature(stranger.SignCheckpoint(c.Size, c.Root).Note)[5:]),
		"checkpoint-of-another-size":      change(t, good, ours, signature(w.key.SignCheckpoint(c.Size+1, c.Root).Note)),
		"checkpoint-signature-too-short":  change(t, good, ours, ours[:len(ours)-4]),
		"checkpoint-r-and-s-are-zero":     change(t, good, ours, ours[:5]+strings.Repeat("A", len(ours)-6)+ours[len(ours)-1:]),
	} {
		all["bad/"+name+".json"] = b
	}
	return all
}

func saltOf(t *testing.T, receipt string) string {
	t.Helper()
	r, err := anchor.ParseReceipt([]byte(receipt))
	if err != nil {
		t.Fatal(err)
	}
	return r.Leaf.Salt.String()
}

func TestSMVectors(t *testing.T) {
	all := ownVectors(t, "sm", func() map[string]string { return smVectors(t) })
	trust, err := anchor.ParseTrust([]byte(all["trust.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	checkVectors(t, all, func(b []byte) (*anchor.Report, error) { return verifier().Verify(b, trust) })
}

// TestVerifiersAgreeOnSMLogs gives the receipts of testdata/sm, and mutations of one, to the verifiers of all languages.
func TestVerifiersAgreeOnSMLogs(t *testing.T) {
	all := ownVectors(t, "sm", func() map[string]string { return smVectors(t) })
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 20 {
		all[fmt.Sprintf("bad/mutation-%d.json", n)] = string(mutate(rng, []byte(all["good/middle-leaf.json"])))
	}
	trust, err := anchor.ParseTrust([]byte(all["trust.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := anchor.ParseTrust(fmt.Appendf(nil, "origin: %s\nkeys: [%s]\n", trust.Origin, trust.Keys[0])) // as the others
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var paths, want []string
	for name, b := range all {
		if !strings.Contains(name, "/") {
			continue
		}
		path := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		report, _ := verifier().Verify([]byte(b), pinned)
		verdict := report.Failed()
		if verdict == "" {
			verdict = "verifies"
		}
		paths, want = append(paths, path), append(want, verdict)
	}
	for language, run := range map[string]foreignVerifier{"python": runPython, "javascript": runNode} {
		t.Run(language, func(t *testing.T) {
			for i, got := range run(t, trust.Keys[0], paths) {
				if got != want[i] {
					t.Errorf("%s: %s says %q, Go says %q", filepath.Base(paths[i]), language, got, want[i])
				}
			}
		})
	}
}

// bareVectors are bare proofs of an event with the cosignature of a witness, and what is none.
func bareVectors(t *testing.T) map[string]string {
	w, l := grown(t, 300)
	r, err := l.Receipt(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	key, err := anchor.GenerateKey("witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := key.CosignerKey()
	if err != nil {
		t.Fatal(err)
	}
	unwitnessed := string(anchor.ProofOf(r).Encode())
	line, err := key.Cosign(checkpointOf(t, w.checkReceipt(t, l, 7)), w.now)
	if err != nil {
		t.Fatal(err)
	}
	r.Ledger = append(r.Ledger, hub.Evidence{Ledger: "witness/w1", Entry: fmt.Appendf(nil, "{%q:%q}", "cosignature", line)})
	text := string(anchor.ProofOf(r).Encode())
	lines := strings.Split(text, "\n")
	all := map[string]string{
		"trust.yaml": "origin: hub.example/log\nkeys: [" + l.Key().String() + "]\n" +
			"ledgers: { witness/w1: { key: " + cosigner.String() + " }, notary: { key: n } }\nrequire: [witness/w1]\n",
		"good/witnessed.tlog-proof": text,
	}
	for name, b := range map[string]string{
		"format-empty":                        "",
		"format-another-version":              change(t, text, "@v1", "@v2"),
		"format-no-extra":                     change(t, text, lines[1]+"\n", ""),
		"format-extra-that-is-no-record":      change(t, text, lines[1], "extra aGVsbG8="),
		"format-index-with-a-zero":            change(t, text, "index 7", "index 07"),
		"format-no-index":                     change(t, text, "index 7\n", ""),
		"format-hash-with-lenient-base64":     change(t, text, lines[3], strings.TrimSuffix(lines[3], "=")),
		"format-carriage-returns":             strings.ReplaceAll(text, "\n", "\r\n"),
		"format-no-checkpoint":                text[:strings.Index(text, "\n\n")+2],
		"inclusion-another-index":             change(t, text, "index 7", "index 6"),
		"inclusion-hash-missing":              change(t, text, lines[3]+"\n", ""),
		"inclusion-hashes-swapped":            change(t, text, lines[3]+"\n"+lines[4], lines[4]+"\n"+lines[3]),
		"checkpoint-another-size":             change(t, text, "\n300\n", "\n301\n"),
		"checkpoint-not-signed-by-the-log":    change(t, text, lines[len(lines)-3]+"\n", ""),
		"ledger-cosignature-that-was-changed": text[:len(text)-10] + flipLetter(text[len(text)-10:]),
		"trust-nobody-cosigned":               unwitnessed,
	} {
		all["bad/"+name+".tlog-proof"] = b
	}
	return all
}

func TestBareProofVectors(t *testing.T) {
	all := ownVectors(t, "proofs", func() map[string]string { return bareVectors(t) })
	trust := func(require string) *anchor.Trust {
		text := all["trust.yaml"]
		trust, err := anchor.ParseTrust([]byte(text[:strings.Index(text, "require: ")] + "require: " + require + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return trust
	}
	checkVectors(t, all, func(b []byte) (*anchor.Report, error) { return anchor.VerifyTlogProof(b, trust("[witness/w1]")) })
	good := []byte(all["good/witnessed.tlog-proof"])
	for rule, ok := range map[string]bool{"0": true, "1": true, "2": false, "[notary]": false} {
		report, err := anchor.VerifyTlogProof(good, trust(rule))
		if (err == nil) != ok || report.OK != ok || ok && (report.LeafIndex != 7 || report.TreeSize != 300 || report.Key.IsZero()) {
			t.Errorf("require %s: %+v, %v", rule, report, err)
		}
	}
	if p, err := anchor.ParseTlogProof(good); err != nil || !bytes.Equal(p.Encode(), good) {
		t.Errorf("it does not survive: %v", err)
	}
}

// flipLetter changes the first letter of s to another one of base64.
func flipLetter(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}
