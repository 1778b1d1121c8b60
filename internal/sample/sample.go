// Package sample is the sample consortium: what four parties publish about one tin of formula through four kinds of
// systems, and the instance files and mappings that read it. The demo runs it and tests measure against it. Every name,
// number and time in it is test data written for this project.
package sample

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the brand's database is a SQLite file
)

//go:embed connectors mappings data
var files embed.FS

// Files are the instance files and mappings as they stand.
func Files() fs.FS { return files }

// The sample's own facts, which tests compare with.
const (
	// Code is the trace code of the tin that the story is about, ID what it stands for.
	Code = "02130081810167359142"
	ID   = "https://id.gs1.org/01/07613035982949/21/02130081810167359142"
	// Events is how many events the sample becomes.
	Events = 19
)

// Write lays the sample out in dir as its parties would have it: instance files in connectors/, mappings in mappings/,
// what the file connectors read in inbox/, the brand's database in brand.db, and a fresh webhook secret. What is there
// already is left alone, so that a second run goes on.
func Write(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("write sample: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "webhook.secret")); err == nil {
		return nil
	}
	for _, sub := range []string{"connectors", "mappings"} {
		if err := writeTree(dir, sub); err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
	}
	for from, to := range map[string]string{
		"data/customs-manifest.xml": "inbox/customs/M-2019-0508-77.xml",
		"data/wms-recadv.edi":       "inbox/wms/RA0625001.edi",
		"data/wms-outbound.csv":     "inbox/wms/outbound-20191107.csv",
	} {
		b, err := files.ReadFile(from)
		if err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
		if err := write(filepath.Join(dir, filepath.FromSlash(to)), b); err != nil {
			return fmt.Errorf("write sample: %w", err)
		}
	}
	if err := writeBrandDB(ctx, filepath.Join(dir, "brand.db")); err != nil {
		return fmt.Errorf("write sample: %w", err)
	}
	if err := write(filepath.Join(dir, "brand.dsn"), []byte("file:"+filepath.ToSlash(dir)+"/brand.db?mode=ro")); err != nil {
		return fmt.Errorf("write sample: %w", err)
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	return write(filepath.Join(dir, "webhook.secret"), []byte("whsec_"+base64.StdEncoding.EncodeToString(key[:])))
}

// PlantCapture is the EPCIS document that the plant's line system posts.
func PlantCapture() []byte { return must("data/plant-capture.json") }

// Webhooks are the bodies that the retailer's logistics pushes, in order.
func Webhooks() [][]byte {
	var out [][]byte
	for line := range strings.Lines(string(must("data/webhooks.ndjson"))) {
		out = append(out, []byte(strings.TrimSpace(line)))
	}
	return out
}

// Secret reads the webhook secret that Write made in dir.
func Secret(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "webhook.secret"))
	if err != nil {
		return "", fmt.Errorf("read sample: %w", err)
	}
	return string(b), nil
}

func must(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("sample: " + err.Error()) // embedded: it is there or the build is broken
	}
	return b
}

func writeTree(dir, sub string) error {
	return fs.WalkDir(files, sub, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		return write(filepath.Join(dir, filepath.FromSlash(name)), []byte(strings.ReplaceAll(string(b), "@DIR@", filepath.ToSlash(dir))))
	})
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

// writeBrandDB makes the brand's database with its own schema.
func writeBrandDB(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, string(must("data/brand.sql")))
	return err
}
