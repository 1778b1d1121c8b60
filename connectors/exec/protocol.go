package exec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Protocol is the version that this package speaks.
const Protocol = 1

// initMessage begins the conversation.
type initMessage struct {
	T        string            `json:"t"`
	Protocol int               `json:"protocol"`
	Config   map[string]string `json:"config"`
	Position string            `json:"position"`
}

// ackMessage says that everything up to a position is durable, stopMessage that the adapter is to end.
type ackMessage struct {
	T   string `json:"t"`
	Pos string `json:"pos"`
}

type stopMessage struct {
	T string `json:"t"`
}

// message is what an adapter says.
type message struct {
	T string `json:"t"`
	// Spec is what a ready adapter says of itself.
	Spec spec `json:"spec"`
	// ID, CT, BodyB64, Pos and Origin are a record's.
	ID      string  `json:"id"`
	CT      string  `json:"ct"`
	BodyB64 *string `json:"body_b64"`
	Pos     string  `json:"pos"`
	Origin  string  `json:"origin"`
	// Code, Message and RetryAfterMS are an error's. Without RetryAfterMS only a person can help.
	Code         string `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS *int64 `json:"retry_after_ms"`

	body []byte
}

// spec is what an adapter may say of itself. Other members are its own.
type spec struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// parseMessage parses one line.
func parseMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		f := broken("exec.line", "a line on standard output is no message: %.100q", line)
		f.Hint, f.HintZh = "standard output is for messages only; write logs to standard error", "标准输出仅用于消息，日志请写到标准错误"
		return m, f
	}
	switch m.T {
	case "ready":
	case "record":
		if m.ID == "" || m.Pos == "" || m.BodyB64 == nil {
			return m, broken("exec.record", "a record needs id, body_b64 and pos: %.100q", line)
		}
		var err error
		if m.body, err = base64.StdEncoding.DecodeString(*m.BodyB64); err != nil {
			return m, broken("exec.record", "body_b64 of record %.100q is no base64", m.ID).Because(err)
		}
		m.BodyB64 = nil
	case "error":
		if m.Code == "" {
			return m, broken("exec.error", "an error needs a code: %.100q", line)
		}
	default:
		return m, broken("exec.line", "%.50q is no kind of message: ready, record or error", m.T)
	}
	return m, nil
}

// broken is a fault of the adapter's program.
func broken(code, format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Invalid, code, "the adapter does not keep to the protocol: "+format, args...)
	f.MessageZh = "适配器未遵守协议"
	return f
}

// fault turns what an adapter reports into what the host is to do.
func (m *message) fault() error {
	f := hub.Faultf(hub.Invalid, "exec.reported", "the adapter reports %s", m.Code)
	f.MessageZh = "适配器报告 " + m.Code
	if m.Message != "" {
		f.Err = errors.New(m.Message)
	}
	if m.RetryAfterMS == nil {
		return f
	}
	f.Kind = hub.Unavailable
	return &connectors.Later{After: time.Duration(min(max(*m.RetryAfterMS, 0), 1<<40)) * time.Millisecond, Fault: f}
}

// encode renders a message of the hub as a line.
func encode(m any) ([]byte, error) {
	line, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return append(line, '\n'), nil
}
