package sql

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// typed is one cursor value with its type, so that it comes back from the store as it went in.
type typed struct {
	Type  string `json:"t"`
	Value string `json:"v"`
}

func encodeCursor(values []any) (hub.Position, error) {
	out := make([]typed, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			out[i] = typed{"int", strconv.FormatInt(v, 10)}
		case uint64:
			out[i] = typed{"uint", strconv.FormatUint(v, 10)}
		case float64:
			out[i] = typed{"float", strconv.FormatFloat(v, 'g', -1, 64)}
		case bool:
			out[i] = typed{"bool", strconv.FormatBool(v)}
		case string:
			out[i] = typed{"text", v}
		case time.Time:
			out[i] = typed{"time", v.Format(time.RFC3339Nano)}
		default:
			return "", hub.Faultf(hub.Invalid, "sql.cursor", "a cursor column holds a %T, which cannot be ordered", v)
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("encode cursor: %w", err)
	}
	return hub.Position(b), nil
}

func decodeCursor(p hub.Position, columns int) ([]any, error) {
	if p == "" {
		return nil, nil
	}
	var in []typed
	err := json.Unmarshal([]byte(p), &in)
	if err == nil && len(in) != columns {
		err = fmt.Errorf("it has %d columns, cursor names %d", len(in), columns)
	}
	out := make([]any, len(in))
	for i, t := range in {
		if err != nil {
			break
		}
		switch t.Type {
		case "int":
			out[i], err = strconv.ParseInt(t.Value, 10, 64)
		case "uint":
			out[i], err = strconv.ParseUint(t.Value, 10, 64)
		case "float":
			out[i], err = strconv.ParseFloat(t.Value, 64)
		case "bool":
			out[i], err = strconv.ParseBool(t.Value)
		case "text":
			out[i] = t.Value
		case "time":
			out[i], err = time.Parse(time.RFC3339Nano, t.Value)
		default:
			err = fmt.Errorf("unknown type %q", t.Type)
		}
	}
	if err != nil {
		return nil, connectors.BadPosition("sql.position", positionForm(columns), err)
	}
	return out, nil
}

// positionForm is a position of so many columns. t is int, uint, float, bool, text or time.
func positionForm(columns int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"t":"int","v":"4711"},`, columns), ",") + "]"
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error {
	_, err := decodeCursor(p, len(o.Cursor))
	return err
}

// timeLayouts are how databases without a time type, or with one that is read as text, write a time. All sort as text.
func timeLayouts() []string {
	return []string{
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00",
		time.RFC3339Nano, "2006-01-02 15:04", "2006-01-02", "20060102150405", "20060102",
	}
}

// timeOf reads a cursor value as a time.
func timeOf(v any) (time.Time, error) {
	t, _, err := timeAndLayout(v)
	return t, err
}

func timeAndLayout(v any) (time.Time, string, error) {
	switch v := v.(type) {
	case time.Time:
		return v, "", nil
	case string:
		for _, layout := range timeLayouts() {
			if t, err := time.Parse(layout, v); err == nil {
				return t, layout, nil
			}
		}
	}
	f := hub.Faultf(hub.Invalid, "sql.look-back", "lookBack needs a time in the first cursor column, found %v", v)
	f.MessageZh = "使用 lookBack 时，第一个 cursor 列必须是时间"
	return time.Time{}, "", f.WithHint("put a time column first in cursor, or remove lookBack")
}

// before returns the cursor value that lies d before v, in v's own form.
func before(v any, d time.Duration) (any, error) {
	t, layout, err := timeAndLayout(v)
	if err != nil {
		return nil, err
	}
	t = t.Add(-d)
	if layout == "" {
		return t, nil
	}
	return t.Format(layout), nil
}
