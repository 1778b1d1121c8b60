// Package backup writes and reads the backup of an embedded hub: a folder with a consistent copy of the store, the keys, the
// ledger's file up to what the store knows, and the raw records that were accepted and not yet recorded. A manifest names
// every file with its digest and is written last, so that an unfinished backup is none.
//
// It leaves what a consistent copy is to the store, frames to the pipeline, and whether a backup may become a hub again to
// who restores it.
package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Format is the version of the form; a reader refuses another.
const Format = "suyuan-backup/1"

// The names in a backup.
const (
	manifestName = "manifest.json"
	// Raw holds frames of the raw stream (docs/formats-raw.md), each after its length as 4 bytes, big endian.
	Raw = "raw.frames"
)

// Manifest describes a backup.
type Manifest struct {
	Format    string    `json:"format"`
	CreatedAt time.Time `json:"createdAt"`
	// Version is that of the program that wrote it.
	Version string `json:"version"`
	// Origin is the log's name, LogSize how many events the store holds, Sealed how many of them a checkpoint covers.
	Origin  string `json:"origin"`
	LogSize uint64 `json:"logSize"`
	Sealed  uint64 `json:"sealed"`
	// Frames is how many frames of raw records it holds.
	Frames int `json:"frames"`
	// Files are the SHA-256 digests of its files by their name.
	Files map[string]string `json:"files"`
}

// Part writes one file of a backup to path.
type Part struct {
	Name  string
	Write func(ctx context.Context, path string) error
}

// Write makes the backup dir of parts, in their order. m holds what the parts find out once they are written. It refuses a
// folder that is there. A crash leaves dir with the ending ".partial", which the next Write to dir removes; a fault, of which a full
// disk is one, leaves nothing.
func Write(ctx context.Context, dir string, m *Manifest, parts []Part) (err error) {
	if _, err := os.Lstat(dir); err == nil {
		return hub.Faultf(hub.Conflict, "backup.exists", "there is a %s already", dir).WithHint("name a new folder for each backup")
	}
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o700)); err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	m.Format, m.Files = Format, map[string]string{}
	for _, p := range parts {
		path := filepath.Join(partial, p.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("make backup: %w", err)
		}
		if err := p.Write(ctx, path); err != nil {
			return fmt.Errorf("back up %s: %w", p.Name, err)
		}
		digest, err := settle(path)
		if err != nil {
			return fmt.Errorf("back up %s: %w", p.Name, err)
		}
		m.Files[p.Name] = digest
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	name := filepath.Join(partial, manifestName)
	if err := os.WriteFile(name, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	if _, err := settle(name); err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	return errors.Join(syncDir(partial), os.Rename(partial, dir), syncDir(filepath.Dir(dir)))
}

// settle syncs a file and returns its digest.
func settle(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open reads the manifest of a backup and compares every file with it.
func Open(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, hub.Faultf(hub.NotFound, "backup.none", "%s is no backup: it has no %s", dir, manifestName).
			WithHint("a backup whose name ends in .partial was not finished")
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, hub.Faultf(hub.Invalid, "backup.manifest", "the manifest cannot be read").Because(err).At(hub.Where{File: dir})
	}
	if m.Format != Format {
		return m, hub.Faultf(hub.Unsupported, "backup.format", "the backup is of the form %q, this reads %q", m.Format, Format)
	}
	var faults hub.Faults
	for name, want := range m.Files {
		if !filepath.IsLocal(name) {
			faults = append(faults, hub.Faultf(hub.Invalid, "backup.name", "%q is no name of a backup's file", name))
			continue
		}
		if got, err := sum(filepath.Join(dir, name)); err != nil || got != want {
			faults = append(faults, hub.Faultf(hub.Invalid, "backup.damaged", "the file is not what was backed up").Because(err).
				At(hub.Where{File: filepath.Join(dir, name)}).WithHint("take another backup, or another copy of this one"))
		}
	}
	slices.SortFunc(faults, func(a, b *hub.Fault) int { return len(a.Where.File) - len(b.Where.File) })
	return m, faults.Err()
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Copy copies the file from to a new file to.
func Copy(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Sync(), dst.Close())
}

// WriteFrames writes the frames that each calls yield with to path and returns how many there were.
func WriteFrames(path string, each func(yield func(frame []byte) error) error) (n int, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriter(f)
	err = each(func(frame []byte) error {
		n++
		if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(frame)))); err != nil {
			return err
		}
		_, err := w.Write(frame)
		return err
	})
	return n, errors.Join(err, w.Flush(), f.Close())
}

// ReadFrames calls yield for every frame of a file that WriteFrames wrote.
func ReadFrames(path string, yield func(frame []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		frame := make([]byte, min(binary.BigEndian.Uint32(head[:]), 1<<26))
		if _, err := io.ReadFull(r, frame); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if err := yield(frame); err != nil {
			return err
		}
	}
}
