package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Floor serves what any hub must do at the least: read the body, check its signature, pass it to keep, answer 202. The
// returned function stops it. [Nothing] is the keep that keeps nothing.
func Floor(secret string, keep func(body []byte) error) (url string, stop func() error, err error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // lives until it is stopped
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: signed(key, keep)}
	go func() { _ = server.Serve(l) }() // ends with stop
	return "http://" + l.Addr().String(), server.Close, nil
}

// signed checks a request and passes its body to keep.
func signed(key []byte, keep func(body []byte) error) http.Handler {
	const limit = 16 << 20
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, r.Header.Get("Webhook-Id")+"."+r.Header.Get("Webhook-Timestamp")+".")
		_, _ = mac.Write(body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if !hmac.Equal([]byte(want), []byte(r.Header.Get("Webhook-Signature"))) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if err := keep(body); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

// Nothing keeps nothing.
func Nothing([]byte) error { return nil }

// Split cuts a batch into its records without looking into them, and passes them on together.
func Split(publish func(records [][]byte) error) func(body []byte) error {
	return func(body []byte) error {
		records, err := split(body)
		if err != nil {
			return err
		}
		return publish(records)
	}
}

// split returns the members of the one list in a JSON text: the cheapest way to records that a hub could take.
func split(body []byte) ([][]byte, error) {
	var out [][]byte
	depth, start, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			if depth++; depth == 2 {
				start = i
			}
		case c == '}':
			if depth--; depth == 1 {
				out = append(out, body[start:i+1])
			}
		}
	}
	if depth != 0 || quoted {
		return nil, errors.New("the batch is no JSON")
	}
	return out, nil
}
