package hub

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what the one who meets an error can do about it. Each edge (HTTP, pipeline verdict, exit code) turns kinds
// into behaviour in one table.
type Kind int

// The kinds of errors. The zero value is Internal: an error that nobody classified is ours.
const (
	// Internal is a defect or an unexpected condition of the hub itself: report it.
	Internal Kind = iota
	// Invalid is input that will never be accepted as it stands: change it.
	Invalid
	// Unauthorized is a missing or wrong credential or signature: authenticate.
	Unauthorized
	// Forbidden is a valid credential whose scopes do not cover the request: ask for the scope.
	Forbidden
	// NotFound is a name that is not known here.
	NotFound
	// Conflict is input that contradicts what is recorded already: do not retry.
	Conflict
	// TooLarge is input over a limit: split it.
	TooLarge
	// Unsupported is a media type or feature that the hub does not speak.
	Unsupported
	// Unavailable is a passing condition: retry later, with back-off.
	Unavailable
)

// String returns the stable lower-case name of k, used in logs and metrics.
func (k Kind) String() string {
	switch k {
	case Internal:
		return "internal"
	case Invalid:
		return "invalid"
	case Unauthorized:
		return "unauthorized"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not-found"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too-large"
	case Unsupported:
		return "unsupported"
	case Unavailable:
		return "unavailable"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Where is a place in somebody's input. Every field may be zero when it is not known.
type Where struct {
	// File is the file's name as its owner knows it.
	File string `json:"file,omitempty"`
	// Line and Column count from 1. Column counts Unicode code points, except in EDI, where it counts bytes.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Pointer is a JSON pointer (RFC 6901), an XPath, or an EDI segment path such as "UNH[2]/LIN[1]/PIA".
	Pointer string `json:"pointer,omitempty"`
}

// String renders w as file:line:column followed by the pointer, leaving out what is not known.
func (w Where) String() string {
	var b strings.Builder
	b.WriteString(w.File)
	if w.Line > 0 {
		if b.Len() == 0 {
			b.WriteString("line ")
		} else {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d", w.Line)
		if w.Column > 0 {
			fmt.Fprintf(&b, ":%d", w.Column)
		}
	}
	if w.Pointer != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.Pointer)
	}
	return b.String()
}

// Fault is an error that tells its reader what to do: which kind it is, a stable code, where in the input it lies, and
// a hint. Everything that Suyuan refuses is refused with a Fault.
type Fault struct {
	Kind Kind
	// Code is stable and machine-readable, lower case with dots and dashes: "mapping.unknown-function".
	Code string
	// Message says what was found and what is allowed, in English.
	Message string
	// MessageZh says the same in Chinese, where the reader may be an end user or a brand's IT.
	MessageZh string
	// Hint says what to do next.
	Hint string
	// HintZh is the hint in Chinese.
	HintZh string
	Where  Where
	// Err is the cause, or nil.
	Err error
}

// Error renders the place, the message, the cause and the hint on one line.
func (f *Fault) Error() string {
	var b strings.Builder
	if w := f.Where.String(); w != "" {
		b.WriteString(w)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Err != nil {
		if f.Message != "" {
			b.WriteString(": ")
		}
		b.WriteString(f.Err.Error())
	}
	if f.Hint != "" {
		b.WriteString(" (")
		b.WriteString(f.Hint)
		b.WriteByte(')')
	}
	return b.String()
}

// Zh is [Fault.Error] in Chinese, or "" for a fault that has no Chinese message. Causes are as they are.
func (f *Fault) Zh() string {
	if f.MessageZh == "" {
		return ""
	}
	in := *f
	in.Message, in.Hint = f.MessageZh, f.HintZh
	return in.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Faultf returns a fault with a formatted message.
func Faultf(kind Kind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// At returns f with its place set.
func (f *Fault) At(w Where) *Fault { f.Where = w; return f }

// WithHint returns f with its hint set.
func (f *Fault) WithHint(hint string) *Fault { f.Hint = hint; return f }

// Because returns f with its cause set.
func (f *Fault) Because(err error) *Fault { f.Err = err; return f }

// KindOf returns the kind of the outermost fault in err's chain, or Internal.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return Internal
}

// AsFault returns the outermost fault in err's chain, or wraps err as an Internal one.
func AsFault(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: Internal, Code: "internal", Message: "internal error", Err: err}
}

// Faults is several faults found in one go, in the order of their places.
type Faults []*Fault

// Error renders one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As and errors.Is see every fault.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// Err returns fs as an error, or nil when there is none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
