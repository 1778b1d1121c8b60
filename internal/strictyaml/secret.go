package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
)

// Secret is a value that never stands in a file: the file holds a reference to it. Every way to print or marshal a
// Secret gives the reference; only Reveal gives the value.
type Secret struct {
	ref string
	// value is a closure, so that even a reflective printer meets an address and not the secret.
	value func() string
}

// NewSecret returns a resolved secret, for wiring and tests.
func NewSecret(ref, value string) Secret {
	return Secret{ref: ref, value: func() string { return value }}
}

// IsSet reports whether the file gave a reference.
func (s Secret) IsSet() bool { return s.ref != "" }

// Reveal returns the value, or "" when the reference was not resolved.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// String returns the reference.
func (s Secret) String() string { return s.ref }

// GoString returns the reference.
func (s Secret) GoString() string { return s.ref }

// Format prints the reference whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.ref)) }

// MarshalText returns the reference.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.ref), nil }

// Lookup resolves a reference ${scheme:name}.
type Lookup func(scheme, name string) (string, error)

// maxSecret is the largest secret file that is read: far above any key or certificate.
const maxSecret = 64 << 10

// NewLookup returns the lookup of the schemes "env" and "file". The last line break of a file is not part of the secret.
func NewLookup(env func(name string) (string, bool), readFile func(path string) ([]byte, error)) Lookup {
	return func(scheme, name string) (string, error) {
		switch scheme {
		case "env":
			value, ok := env(name)
			if !ok || value == "" {
				return "", fmt.Errorf("the environment variable %s is not set", name)
			}
			return value, nil
		case "file":
			data, err := readFile(name)
			if err != nil {
				return "", fmt.Errorf("read secret: %w", err)
			}
			data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
			if len(data) == 0 || len(data) > maxSecret {
				return "", fmt.Errorf("the file %s has %d bytes, 1 to %d are allowed", name, len(data), maxSecret)
			}
			return string(data), nil
		}
		return "", errors.New("unknown scheme " + scheme)
	}
}

// bareReference is a variable as a shell writes it.
var bareReference = regexp.MustCompile(`^\$\{?([A-Z_][A-Z0-9_]*)\}?$`)

func (d *decoder) secret(n ast.Node, into *Secret, text string) {
	where := d.where(n)
	if text == "" || referenceRE.FindString(text) != text {
		f := bilingual(hub.Invalid, "secret.literal", "a secret must not stand in the file", "机密不得直接写在文件中").At(where)
		f.Hint, f.HintZh = "write a reference: ${env:NAME} or ${file:PATH}", "请写引用：${env:名称} 或 ${file:路径}"
		if bare := bareReference.FindStringSubmatch(text); bare != nil { // as a shell writes it
			f.Message, f.MessageZh = "the reference does not say where the secret is", "引用没有说明机密在何处"
			f.Hint = fmt.Sprintf("write ${env:%s}, or ${file:PATH} for a file that holds it", bare[1])
			f.HintZh = fmt.Sprintf("请写 ${env:%s}；若机密在文件中，请写 ${file:路径}", bare[1])
		}
		d.report(f)
		return
	}
	scheme, name, _ := strings.Cut(text[2:len(text)-1], ":")
	if f := Unknown("secret scheme", scheme, []string{"env", "file"}); f != nil {
		d.report(f.At(where))
		return
	}
	if name == "" {
		f := bilingual(hub.Invalid, "secret.unnamed", "the reference names nothing", "引用没有名称").At(where)
		f.Hint, f.HintZh = "write the variable or the file after the colon: ${env:NAME} or ${file:PATH}", "请在冒号后写变量或文件：${env:名称} 或 ${file:路径}"
		d.report(f)
		return
	}
	*into = Secret{ref: text}
	if d.lookup == nil {
		return
	}
	value, err := d.lookup(scheme, name)
	if err != nil {
		d.report(unresolved(text, err).At(where))
		return
	}
	*into = NewSecret(text, value)
}

// expand replaces the references in a text that is no secret. Only the environment may be named: what a file holds is a
// secret, and a plain text is shown to whoever may read the configuration.
func (d *decoder) expand(text string) (string, *hub.Fault) {
	var fault *hub.Fault
	out := referenceRE.ReplaceAllStringFunc(text, func(ref string) string {
		scheme, name, _ := strings.Cut(ref[2:len(ref)-1], ":")
		if scheme != "env" {
			fault = bilingual(hub.Invalid, "secret.not-here", ref+" is a secret, but this value is none",
				ref+" 是机密，但此值不是机密")
			fault.Hint, fault.HintZh = "use ${env:NAME} or the value itself", "请用 ${env:名称} 或直接写值"
			return ref
		}
		if d.lookup == nil || fault != nil {
			return ref
		}
		value, err := d.lookup(scheme, name)
		if err != nil {
			fault = unresolved(ref, err)
		}
		return value
	})
	return out, fault
}

// unresolved is the fault of a reference to a variable or a file that is not there.
func unresolved(ref string, err error) *hub.Fault {
	f := bilingual(hub.Invalid, "secret.unresolved", "cannot resolve "+ref, "无法解析 "+ref).Because(err)
	f.Hint, f.HintZh = "set it where the hub runs", "请在平台运行的环境中设置"
	return f
}
