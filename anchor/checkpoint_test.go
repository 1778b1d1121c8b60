package anchor_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

func mustKey(t testing.TB, s string) anchor.VerifierKey {
	t.Helper()
	k, err := anchor.ParseVerifierKey(s)
	if err != nil {
		t.Fatal(err)
	}
	if k.String() != s {
		t.Fatalf("%s became %v", s, k)
	}
	return k
}

// TestSmallTileLog reads the third-party log: checkpoints, tiles and entries agree at every size.
func TestSmallTileLog(t *testing.T) {
	dir := vectors.Path(t, "merkle", "tlog_tiles")
	read := func(elem ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{dir}, elem...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var readme struct {
		Vkey   string
		Leaves []string `json:"leaves_in_order"`
	}
	if err := json.Unmarshal(read("README.json"), &readme); err != nil {
		t.Fatal(err)
	}
	key := mustKey(t, readme.Vkey)
	tree, tiles := anchor.NewTree(anchor.SHA256), memTiles{}
	var roots []hub.Digest
	for size := range uint64(8) {
		if size > 0 {
			tree.Append([]hub.Digest{anchor.SHA256.Leaf([]byte(readme.Leaves[size-1]))})
			tiles.put(tree.TakeTiles())
			tile, err := tiles.Tile(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			var hashes []byte
			for _, h := range tile.Hashes {
				hashes = append(hashes, h[:]...)
			}
			if want := read(filepath.FromSlash(anchor.TilePath(0, 0, int(size)))); string(hashes) != string(want) {
				t.Errorf("the tile of size %d differs", size)
			}
		}
		c, err := anchor.OpenCheckpoint(read(fmt.Sprint("checkpoint.", size)), key)
		if err != nil {
			t.Errorf("checkpoint %d: %v", size, err)
			continue
		}
		if c.Size != size || c.Root != tree.Root() || c.Origin != key.Name() {
			t.Errorf("checkpoint %d says %+v, the leaves give %v", size, c, tree.Root())
		}
		roots = append(roots, c.Root)
	}
	for to := range uint64(8) {
		for from := uint64(1); from < to; from++ {
			proof, err := anchor.ProveConsistency(t.Context(), anchor.SHA256, tiles, from, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := anchor.VerifyConsistency(anchor.SHA256, anchor.Head{Size: from, Root: roots[from]}, anchor.Head{Size: to, Root: roots[to]}, proof); err != nil {
				t.Errorf("from %d to %d: %v", from, to, err)
			}
		}
	}
}

func TestSignedNoteVector(t *testing.T) {
	var v struct {
		Vkey string
		Note string `json:"signed_note"`
	}
	b, err := os.ReadFile(vectors.Path(t, "merkle", "notes", "go_sumdb_note.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	text, err := anchor.OpenNote([]byte(v.Note), mustKey(t, v.Vkey))
	if err != nil || !strings.HasPrefix(v.Note, text+"\n— ") {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := anchor.OpenNote([]byte(strings.Replace(v.Note, "answer", "Answer", 1)), mustKey(t, v.Vkey)); err == nil {
		t.Error("a changed note was accepted")
	}
	if _, err := anchor.OpenCheckpoint([]byte(v.Note), mustKey(t, v.Vkey)); err == nil {
		t.Error("a note that is no checkpoint was accepted")
	}
}

// idOf returns the id of the key that signed a note first.
func idOf(t *testing.T, note []byte) uint32 {
	t.Helper()
	_, sigs, err := anchor.ParseCheckpoint(note)
	if err != nil {
		t.Fatal(err)
	}
	return sigs[0].KeyID
}

// TestCheckpointsAreNotes signs with our keys and opens with golang.org/x/mod/sumdb/note.
func TestCheckpointsAreNotes(t *testing.T) {
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(key.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	c := key.SignCheckpoint(5, hub.Sum(nil))
	n, err := note.Open(c.Note, note.VerifierList(verifier))
	if err != nil || !strings.HasPrefix(n.Text, "hub.example/log\n5\n") {
		t.Errorf("got %+v, %v", n, err)
	}
	opened, err := anchor.OpenCheckpoint(c.Note, key.Public())
	if err != nil || opened.Size != 5 || opened.Root != hub.Sum(nil) {
		t.Errorf("got %+v, %v", opened, err)
	}
	forged := string(c.Note) + anchor.SignatureOf("hub.example/log", []anchor.Signature{{Name: "hub.example/log", KeyID: idOf(t, c.Note), Bytes: make([]byte, 64)}})
	if _, err := anchor.OpenCheckpoint([]byte(forged), key.Public()); err == nil {
		t.Error("a note is accepted with a signature by the key that does not fit beside the right one")
	}
	// Signatures by algorithms that others know, and that withstand quantum computers, take nearly 5 kB each.
	cosigned := string(c.Note)
	for i := range 15 {
		cosigned += fmt.Sprintf("— witness.example/%d %s\n", i, base64.StdEncoding.EncodeToString(make([]byte, 4+4627)))
	}
	if _, err := anchor.OpenCheckpoint([]byte(cosigned), key.Public()); err != nil {
		t.Errorf("with 15 cosignatures: %v", err)
	}
}

func TestWitnessSignaturesDoNotHideTheLogs(t *testing.T) {
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := anchor.GenerateKey("witness.example")
	if err != nil {
		t.Fatal(err)
	}
	c := key.SignCheckpoint(5, hub.Sum(nil))
	foreign := string(witness.SignCheckpoint(5, hub.Sum(nil)).Note)
	line := foreign[strings.LastIndex(foreign, "\n\n")+2:]
	both := string(c.Note) + line
	if _, err := anchor.OpenCheckpoint([]byte(both), key.Public()); err != nil {
		t.Error(err)
	}
	_, sigs, err := anchor.ParseCheckpoint([]byte(both))
	if err != nil || len(sigs) != 2 || sigs[1].Name != "witness.example" || len(sigs[1].Bytes) != 64 {
		t.Errorf("got %+v, %v", sigs, err)
	}
	if _, err := anchor.OpenCheckpoint([]byte(strings.Repeat(line, 65)), key.Public()); err == nil {
		t.Error("a note of signatures alone was accepted")
	}
	if _, err := anchor.OpenCheckpoint([]byte(both+strings.Repeat(line, 70)), key.Public()); err == nil {
		t.Error("72 signatures were accepted")
	}
}

func TestBadVerifierKeysAreRefused(t *testing.T) {
	good := "hub.example/log+92c5608e+AZN/Be8h6rvj6HlDwSwxydiirz/2L0MXeYHzASbJeHd3"
	for name, s := range map[string]string{
		"empty":             "",
		"no id":             "hub.example/log+AZN/Be8h6rvj6HlDwSwxydiirz/2L0MXeYHzASbJeHd3",
		"another id":        strings.Replace(good, "92c5608e", "92c5608f", 1),
		"id in upper case":  strings.Replace(good, "92c5608e", "92C5608E", 1),
		"another name":      strings.Replace(good, "hub", "hab", 1),
		"name with a space": strings.Replace(good, "hub", "h b", 1),
		"no name":           strings.TrimPrefix(good, "hub.example/log"),
		"another type":      strings.Replace(good, "+AZ", "+BZ", 1),
		"too short":         good[:len(good)-4],
		"newline":           good + "\n",
		"newline inside":    good[:40] + "\n" + good[40:],
	} {
		if k, err := anchor.ParseVerifierKey(s); hub.KindOf(err) != hub.Invalid || !k.IsZero() {
			t.Errorf("%s: got %v, %v", name, k, err)
		}
	}
	if (anchor.VerifierKey{}).Verify(nil, make([]byte, 64)) {
		t.Error("the zero key verifies")
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.key")
	first, err := anchor.LoadOrCreateKey(path, "hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	again, err := anchor.LoadOrCreateKey(path, "hub.example/log")
	if err != nil || again.Public() != first.Public() {
		t.Errorf("the key changed: %v", err)
	}
	if !first.Public().Verify([]byte("x"), again.Sign([]byte("x"))) {
		t.Error("the key read back signs otherwise")
	}
	if _, err := anchor.LoadOrCreateKey(path, "other.example/log"); hub.KindOf(err) != hub.Conflict {
		t.Errorf("another name: got %v, want Conflict", err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(names) != 1 {
		t.Errorf("the folder holds %v", names)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := anchor.LoadKey(path); hub.KindOf(err) != hub.Invalid {
		t.Errorf("readable by others: got %v, want Invalid", err)
	}
	if err := os.WriteFile(path, secret[:len(secret)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = anchor.LoadOrCreateKey(path, "hub.example/log")
	if hub.KindOf(err) != hub.Invalid || strings.Contains(err.Error(), string(secret[40:60])) {
		t.Errorf("damaged: got %v, want Invalid without the secret", err)
	}
}

func TestBadOriginsAreRefused(t *testing.T) {
	for _, s := range []string{"", "a b", "a+b", "a\nb", "a\u00a0b", strings.Repeat("a", 256)} {
		if _, err := anchor.GenerateKey(s); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%q: got %v, want Invalid", s, err)
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		f.Fatal(err)
	}
	good := key.SignCheckpoint(5, hub.Sum(nil)).Note
	f.Add(string(good))
	f.Add("a\n0\n\n\n— a AAAAAA==\n")
	f.Fuzz(func(t *testing.T, s string) {
		c, sigs, err := anchor.ParseCheckpoint([]byte(s))
		if err != nil {
			return
		}
		if len(sigs) == 0 || c.Origin == "" || string(c.Note) != s {
			t.Errorf("%q became %+v", s, c)
		}
		// What is a checkpoint to us is a note to everyone: it has the same text.
		again := key.SignCheckpoint(c.Size, c.Root)
		text := func(note []byte) string { return strings.SplitN(string(note), "\n", 2)[1] }
		if !strings.HasPrefix(text(c.Note), strings.Split(text(again.Note), "\n\n")[0]+"\n\n") {
			t.Errorf("%q is another spelling of %q", s, again.Note)
		}
	})
}

func FuzzParseVerifierKey(f *testing.F) {
	f.Add("hub.example/log+92c5608e+AZN/Be8h6rvj6HlDwSwxydiirz/2L0MXeYHzASbJeHd3")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := anchor.ParseVerifierKey(s); err == nil && k.String() != s {
			t.Errorf("%q became %v", s, k)
		}
	})
}
