package sftp

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/suyuan-io/suyuan/hub"
)

// pin is one key that the server may have.
type pin struct {
	fingerprint string
	// algorithm is the key's type, "" when only the fingerprint is known.
	algorithm string
}

func parsePin(text string) (pin, error) {
	text = strings.TrimSpace(text)
	if digest, ok := strings.CutPrefix(text, "SHA256:"); ok {
		if len(strings.TrimRight(digest, "=")) != 43 {
			return pin{}, errors.New("a SHA-256 fingerprint has 43 characters")
		}
		return pin{fingerprint: strings.TrimRight(text, "=")}, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return pin{}, err
	}
	return pin{ssh.FingerprintSHA256(key), key.Type()}, nil
}

// pins is what the server's host key is checked against.
type pins struct {
	keys  []pin
	known ssh.HostKeyCallback // of the known hosts file, or nil
}

func (o *Options) pins(dir string) (pins, error) {
	var p pins
	for _, text := range o.HostKey {
		key, err := parsePin(text)
		if err != nil {
			return pins{}, hub.Faultf(hub.Invalid, "sftp.host-key-form", "read hostKey").Because(err)
		}
		p.keys = append(p.keys, key)
	}
	if o.KnownHosts == "" {
		return p, nil
	}
	name := o.KnownHosts
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	known, err := knownhosts.New(name)
	if err != nil {
		kind := hub.Invalid
		if errors.Is(err, os.ErrNotExist) {
			kind = hub.NotFound
		}
		return pins{}, hub.Faultf(kind, "sftp.known-hosts", "cannot read the known hosts").At(hub.Where{File: o.KnownHosts}).Because(err)
	}
	p.known = known
	return p, nil
}

// check implements ssh.HostKeyCallback. It refuses every key that is not pinned, and names the one that it met.
func (p pins) check(host string, remote net.Addr, key ssh.PublicKey) error {
	met := ssh.FingerprintSHA256(key)
	if slices.ContainsFunc(p.keys, func(k pin) bool { return k.fingerprint == met }) {
		return nil
	}
	if p.known != nil && p.known(host, remote, key) == nil {
		return nil
	}
	kind := strings.TrimPrefix(key.Type(), "ssh-")
	if len(p.keys) == 0 && len(p.wanted(host, remote)) == 0 {
		f := hub.Faultf(hub.Unauthorized, "sftp.host-key-unknown", "the server shows the %s key %s, and none is pinned", kind, met)
		f.MessageZh = fmt.Sprintf("服务器出示 %s 密钥 %s，尚未固定任何密钥", kind, met)
		f.Hint = "ask the server's owner whether this is its fingerprint; if so, write hostKey: [" + met + "]"
		f.HintZh = "请向服务器所有者核实该指纹；若无误，请写 hostKey: [" + met + "]"
		return f
	}
	f := hub.Faultf(hub.Unauthorized, "sftp.host-key-changed", "the server shows the %s key %s, which is not pinned", kind, met)
	f.MessageZh = fmt.Sprintf("服务器出示的 %s 密钥 %s 不在固定的密钥之中", kind, met)
	f.Hint = "somebody may stand in between; only if the server's owner says that the key was changed, add it to hostKey"
	f.HintZh = "连接可能被冒充；仅当服务器所有者确认更换了密钥时，才将其加入 hostKey"
	return f
}

// algorithms are the types of host key to ask for, so that the server shows one that can be compared; nil is any.
func (p pins) algorithms(host string, remote net.Addr) []string {
	types := p.wanted(host, remote)
	for _, k := range p.keys {
		if k.algorithm == "" {
			return nil
		}
		types = append(types, k.algorithm)
	}
	var out []string
	for _, t := range types {
		if t == ssh.KeyAlgoRSA {
			out = append(out, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		out = append(out, t)
	}
	return out
}

// wanted returns the types of the keys that the known hosts file has for a host. The file is asked about a key that it
// cannot have: the refusal lists what it has.
func (p pins) wanted(host string, remote net.Addr) []string {
	if p.known == nil {
		return nil
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil
	}
	probe, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil
	}
	refusal, ok := errors.AsType[*knownhosts.KeyError](p.known(host, remote, probe))
	if !ok {
		return nil
	}
	var types []string
	for _, k := range refusal.Want {
		types = append(types, k.Key.Type())
	}
	return types
}
