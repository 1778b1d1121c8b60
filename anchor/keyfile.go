package anchor

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// skeyPrefix begins the text form of a private key, as golang.org/x/mod/sumdb/note writes it:
// "PRIVATE+KEY+name+id+base64(type || seed)".
const skeyPrefix = "PRIVATE+KEY+"

// encode returns the text form of k, which is a secret.
func (k *SigningKey) encode() string {
	typed := append([]byte(k.public.algorithm.scheme().mark), k.private.seed()...)
	return fmt.Sprintf("%s%s+%08x+%s", skeyPrefix, k.public.name, k.public.id(), base64.StdEncoding.EncodeToString(typed))
}

// parseSigningKey parses the text form of a private key. Its errors never repeat it.
func parseSigningKey(s string) (*SigningKey, error) {
	rest, ok := strings.CutPrefix(s, skeyPrefix)
	name, id, typed, err := splitKey(rest)
	if !ok || err != nil {
		return nil, errors.New("it is not " + skeyPrefix + "name+id+key")
	}
	a, scheme, seed, ok := algorithmOf(typed)
	if !ok || len(seed) != scheme.private {
		return nil, errors.New("it is neither an Ed25519 nor an SM2 key")
	}
	k, err := newSigningKey(name, a, seed)
	if err != nil {
		return nil, err
	}
	if k.public.id() != id {
		return nil, errors.New("its id does not fit its name and key")
	}
	return k, nil
}

// LoadKey reads a private key from a file that only its owner may read.
func LoadKey(path string) (*SigningKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, hub.Faultf(hub.Invalid, "key.readable", "the key may be read by others (mode %v)", info.Mode().Perm()).
			WithHint("chmod 600, and replace the key if others had access").At(hub.Where{File: path})
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, hub.Faultf(hub.Unavailable, "key.permission", "cannot read the key").Because(err).
			WithHint("let the hub's user own it: chown, and chmod 600")
	}
	if err != nil {
		return nil, err
	}
	k, err := parseSigningKey(strings.TrimSuffix(string(b), "\n"))
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "key.invalid", "the file holds no signing key").
			Because(err).At(hub.Where{File: path})
	}
	return k, nil
}

// LoadOrCreateKey is [Algorithm.LoadOrCreateKey] of Ed25519.
func LoadOrCreateKey(path, name string) (*SigningKey, error) {
	return Ed25519.LoadOrCreateKey(path, name)
}

// LoadOrCreateKey reads the private key of name from path, or generates it there with mode 0600, durably, if there is
// no such file. A file that holds the key of another name or algorithm is refused.
func (a Algorithm) LoadOrCreateKey(path, name string) (*SigningKey, error) {
	k, err := LoadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(path, name, a)
	}
	if err != nil {
		return nil, fmt.Errorf("load key of %s: %w", name, err)
	}
	if k.public.name != name {
		return nil, hub.Faultf(hub.Conflict, "key.name", "the key is that of %s, not of %s", k.public.name, name).
			WithHint("an origin keeps its key; give the log its former origin, or a new key file").At(hub.Where{File: path})
	}
	if k.public.algorithm != a {
		return nil, hub.Faultf(hub.Conflict, "key.algorithm", "the key is for %v, not for %v", k.public.algorithm, a).
			WithHint("an origin keeps its key and its hash function; begin a new log with a new origin and data folder").
			At(hub.Where{File: path})
	}
	return k, nil
}

// createKey generates the key of name and writes it to path.
func createKey(path, name string, a Algorithm) (*SigningKey, error) {
	k, err := a.GenerateKey(name)
	if err != nil {
		return nil, err
	}
	if err := writeKey(path, k); err != nil {
		return nil, err
	}
	return k, nil
}

// writeKey writes k to a file that must not exist. After a crash there is the whole file or none under its name.
func writeKey(path string, k *SigningKey) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("create key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(k.encode() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write key %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike Rename it never replaces a key
		return fmt.Errorf("create key: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
