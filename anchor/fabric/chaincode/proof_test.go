package main

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConsistencyVectors reads the third-party proofs, honest ones and attacks, from $SUYUAN_VECTORS or from
// shared/vectors beside the project.
func TestConsistencyVectors(t *testing.T) {
	dir := os.Getenv("SUYUAN_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "merkle", "rfc6962_testdata", "consistency")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("test data is missing: %v", err)
		}
		t.Skipf("SKIPPED, NOT PASSED: third-party test data is missing (%v); set SUYUAN_VECTORS", err)
	}
	good, bad := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v struct {
			Size1, Size2 uint64
			Root1, Root2 string
			Proof        []string
			WantErr      bool
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		if root, err := base64.StdEncoding.DecodeString(v.Root1); !v.WantErr && (err != nil || len(root) != len(digest{})) {
			return nil // a root that no caller can state
		}
		ok := consistent(v.Size1, v.Size2, v.Root1, v.Root2, v.Proof)
		if ok == v.WantErr {
			t.Errorf("%s: accepted %v, want %v", path, ok, !v.WantErr)
		}
		if ok {
			good++
		} else {
			bad++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if good == 0 || bad == 0 {
		t.Errorf("%d proofs were accepted, %d refused", good, bad)
	}
	t.Logf("%d accepted, %d refused", good, bad)
}

// consistent verifies what the vectors hold in base64.
func consistent(size1, size2 uint64, root1, root2 string, proof []string) bool {
	var hashes []digest
	for _, text := range append([]string{root1, root2}, proof...) {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) != len(digest{}) {
			return false
		}
		hashes = append(hashes, digest(b))
	}
	return verifyConsistency(head{size1, hashes[0]}, head{size2, hashes[1]}, hashes[2:]) == nil
}

func FuzzParseProof(f *testing.F) {
	f.Add("[]")
	f.Add(`["` + strings.Repeat("ab", 32) + `"]`)
	f.Fuzz(func(t *testing.T, s string) {
		hashes, err := parseProof(s)
		if err != nil {
			return
		}
		if len(hashes) > maxProof*80/66 {
			t.Errorf("%d hashes were read", len(hashes))
		}
		from, to := head{3, digest{1}}, head{7, digest{2}}
		if verifyConsistency(from, to, hashes) == nil {
			t.Errorf("%s proves roots that nobody hashed", s)
		}
	})
}
