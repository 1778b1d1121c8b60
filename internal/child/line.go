package child

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

// ReadLine reads one line without its end, or [ErrLongLine]. At the end of the input it returns io.EOF, in the middle of a
// line io.ErrUnexpectedEOF.
func ReadLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, ErrLongLine
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// Environment is what a program inherits: nothing that may hold the hub's secrets, and more.
func Environment(more map[string]string) []string {
	var out []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "SystemRoot", "TEMP", "TMP":
			out = append(out, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		out = append(out, name+"="+more[name])
	}
	return out
}

// How much of what programs say goes to the log.
const (
	linesPerSecond = 10
	linesAtOnce    = 200
)

// Listener passes on what a program says on standard error, within limits.
type Listener struct {
	note   func(slog.Level, string)
	redact func(string) string
	limit  *rate.Limiter

	mu      sync.Mutex
	dropped int
}

// NewListener returns a listener that notes each line, redacted. note may be nil.
func NewListener(note func(slog.Level, string), redact func(string) string) *Listener {
	return &Listener{note: note, redact: redact, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// Hear is the function for [Program.Said].
func (l *Listener) Hear(line string) {
	if l.note == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limit.Allow() {
		l.dropped++
		return
	}
	if l.dropped > 0 {
		l.note(slog.LevelWarn, fmt.Sprintf("%d lines were left out", l.dropped))
		l.dropped = 0
	}
	level, text := levelOf(line)
	l.note(level, l.redact(text))
}

// levelOf reads the level that a line begins with: E!, W!, I! or D!. A line without one is information.
func levelOf(line string) (slog.Level, string) {
	for prefix, level := range map[string]slog.Level{
		"E!": slog.LevelError, "W!": slog.LevelWarn, "I!": slog.LevelInfo, "D!": slog.LevelDebug,
	} {
		if text, ok := strings.CutPrefix(line, prefix); ok {
			return level, strings.TrimSpace(text)
		}
	}
	return slog.LevelInfo, line
}
