package gs1

import (
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// args are the values of a message, in the order that both languages share.
type args []any

// fault makes a fault that speaks both languages.
func fault(kind hub.Kind, code string, a args, en, zh string) *hub.Fault {
	f := hub.Faultf(kind, code, en, a...)
	f.MessageZh = fmt.Sprintf(zh, a...)
	return f
}

// hinted adds a hint in both languages.
func hinted(f *hub.Fault, en, zh string) *hub.Fault {
	f.Hint, f.HintZh = en, zh
	return f
}

// title names a scheme as people say it.
func title(s *scheme) string {
	switch s.name {
	case "sgcn":
		return "GCN"
	default:
		return strings.ToUpper(s.name)
	}
}

// fault says problem p of value in words.
func (p problem) fault(value string) *hub.Fault {
	value = shorten(value)
	f := func(code, en, zh string) *hub.Fault {
		return fault(hub.Invalid, code, args{value}, en, zh)
	}
	switch p {
	case fine, notGS1:
	case badScheme:
		return f("gs1.scheme", "the EPC scheme of %q is unknown, or does not go with id, class, or idpat",
			"%q 的 EPC 方案未知，或不适用于 id、class、idpat")
	case badPrefix:
		return f("gs1.prefix", "the company prefix of %q must be 6 to 12 digits", "%q 的厂商识别代码应为 6 到 12 位数字")
	case badReference:
		return f("gs1.reference", "the reference of %q has the wrong length or a character that is not allowed",
			"%q 的参考代码长度不对或含有不允许的字符")
	case badPieces:
		return f("gs1.pieces", "%q needs piece and total of two digits each", "%q 需要各两位数字的件号和总件数")
	case badSerial:
		return f("gs1.serial-characters", "the serial of %q has a character that is not allowed there",
			"%q 的序列号含有不允许的字符")
	case longSerial:
		return f("gs1.serial-length", "the serial of %q is too long", "%q 的序列号过长")
	case noSerial:
		return f("gs1.serial-missing", "%q has no serial", "%q 缺少序列号")
	case badPattern:
		return f("gs1.pattern", "the last field of the pattern %q must be *", "模式 %q 的最后一段必须是 *")
	case badKey:
		return f("gs1.key", "the key of %q has the wrong length or a character that is not allowed",
			"%q 的主键长度不对或含有不允许的字符")
	case badOrder:
		return f("gs1.key-order", "the qualifiers of %q do not belong to its key, or stand in the wrong order",
			"%q 的限定符不属于其主键，或顺序不对")
	}
	if n := len(value); allIn(value, digit) && (n == 8 || n >= 12 && n <= 14) {
		return hinted(f("gs1.not-an-identifier", "%q is a number, but does not say of what", "%q 是一个数字，但没有说明它标识什么"),
			"write (01) before a GTIN of 14 digits, filled up with leading zeros, or (414) before a GLN of 13",
			"GTIN 请补足前导零至 14 位并在前面写 (01)；13 位的 GLN 请在前面写 (414)")
	}
	return hinted(f("gs1.not-an-identifier", "%q is no GS1 identifier", "%q 不是 GS1 标识符"),
		"give an EPC URN, a GS1 Digital Link, or an element string such as (01)…(21)…",
		"请提供 EPC URN、GS1 数字链接或 (01)…(21)… 形式的单元数据串")
}

// shorten keeps hostile input out of messages.
func shorten(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
