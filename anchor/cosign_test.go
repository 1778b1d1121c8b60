package anchor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// TestCosignatureThatDoesNotFit has cosignatures refused that a hub could hand out in place of one.
func TestCosignatureThatDoesNotFit(t *testing.T) {
	generate := func(name string) (*anchor.SigningKey, anchor.CosignerKey) {
		key, err := anchor.GenerateKey(name)
		if err != nil {
			t.Fatal(err)
		}
		cosigner, err := key.CosignerKey()
		if err != nil {
			t.Fatal(err)
		}
		return key, cosigner
	}
	witness, key := generate("witness.example/w1")
	namesake, _ := generate("witness.example/w1")
	other, _ := generate("witness.example/w2")
	at := time.Unix(1_800_000_000, 0)
	cosign := func(k *anchor.SigningKey, c hub.Checkpoint) string {
		line, err := k.Cosign(c, at)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	log := anchortest.NewLog(t, "hub.example/log", "a")
	c := log.Grow(t, 5)
	good := cosign(witness, c)
	if got, err := key.Verify(c, good); err != nil || !got.Equal(at) {
		t.Fatalf("the good one: %v, %v", got, err)
	}
	larger, otherRoot, otherOrigin := c, c, c
	larger.Size, otherRoot.Root, otherOrigin.Origin = 6, hub.Sum(nil), "other.example/log"
	name, encoded, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(good, "\n"), "— "), " ")
	for fault, line := range map[string]string{
		"of a larger size":                 cosign(witness, larger),
		"of another root":                  cosign(witness, otherRoot),
		"of another log":                   cosign(witness, otherOrigin),
		"by another witness":               cosign(other, c),
		"by a namesake":                    cosign(namesake, c),
		"another's under the good name":    strings.Replace(cosign(other, c), "/w2 ", "/w1 ", 1),
		"with a later time":                flipAt(good, len("— "+name+" ")+12),
		"with another id":                  flipAt(good, len("— "+name+" ")+1),
		"with the signature changed":       flipAt(good, len(good)-10),
		"cut":                              "— " + name + " " + encoded[:len(encoded)-8] + "\n",
		"two lines":                        good + good,
		"without its newline":              strings.TrimSuffix(good, "\n"),
		"empty":                            "",
		"the log's own signature":          anchor.SignatureOf("hub.example/log", mustSignatures(t, c.Note)),
		"a plain signature by the witness": anchor.SignatureOf("witness.example/w1", mustSignatures(t, witness.SignCheckpoint(5, c.Root).Note)),
	} {
		if _, err := key.Verify(c, line); err == nil {
			t.Errorf("a cosignature %s was accepted: %q", fault, line)
		}
	}
}

// flipAt changes the letter of s at i to another one of base64.
func flipAt(s string, i int) string { return s[:i] + flipLetter(s[i:]) }

func mustSignatures(t *testing.T, note []byte) []anchor.Signature {
	t.Helper()
	_, sigs, err := anchor.ParseCheckpoint(note)
	if err != nil {
		t.Fatal(err)
	}
	return sigs
}
