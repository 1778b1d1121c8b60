package broker

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/hub"
)

// Place is where a message states something: "json:/POINTER" in its body (RFC 6901), or under the kind's own word for
// what travels beside the body, as "header:NAME" or "property:NAME". The zero Place is nowhere.
type Place struct {
	In, Name string
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Place) UnmarshalText(text []byte) error {
	in, name, ok := strings.Cut(string(text), ":")
	if !ok || name == "" || in == "json" && name[0] != '/' {
		f := hub.Faultf(hub.Invalid, "broker.place", "%q names no place in a message", text)
		f.MessageZh = `"` + string(text) + `" 不是消息中的位置`
		return f.WithHint("for example json:/eventID")
	}
	p.In, p.Name = in, name
	return nil
}

// Check returns a fault when the place is neither in the body nor under the kind's own word.
func (p Place) Check(own string) *hub.Fault {
	if p.In == "" || p.In == "json" || p.In == own {
		return nil
	}
	f := hub.Faultf(hub.Invalid, "broker.place", "messages of this kind have no %q", p.In)
	f.MessageZh = "此类消息没有 " + p.In
	f.Hint, f.HintZh = "write "+own+":NAME or json:/POINTER", "请写 "+own+":名称 或 json:/指针"
	return f
}

// Value reads the place in a message; own looks up what travels beside the body. It is "" when nothing is there.
func (p Place) Value(body []byte, own func(name string) string) string {
	switch p.In {
	case "":
		return ""
	case "json":
		return pointed(body, p.Name)
	default:
		return own(p.Name)
	}
}

// pointed returns the string or number at a JSON pointer. It reads up to there and holds nothing but the value.
func pointed(body []byte, pointer string) string {
	depth := strings.Count(pointer, "/")
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if d.StackDepth() != depth || string(d.StackPointer()) != pointer {
			continue
		}
		if kind, length := d.StackIndex(depth); kind == '{' && length%2 == 1 {
			continue // the member's name; its value is next
		}
		if kind := token.Kind(); kind == '"' || kind == '0' {
			return token.String()
		}
		return ""
	}
}

// Digest is the identity of a message that states none: the same parts, in the same order, give the same digest, and no
// other parts do.
func Digest(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash cannot fail
		_, _ = h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
