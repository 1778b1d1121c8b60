package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// A hub with a certificate for the name by which others know it is backed up from its own machine by the address on which it listens.
func TestAHubWithACertificateIsReachedFromItsOwnMachine(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer server.Close()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Listen: server.Listener.Addr().String(), TLS: &TLSConfig{Cert: "cert.pem", Key: "key.pem"}, dir: dir}
	c := client{}
	if c.url, c.tls, err = cfg.local(); err != nil {
		t.Fatal(err)
	}
	if err := c.call(t.Context(), http.MethodPost, "/v1/backups", map[string]string{"name": "nightly"}, nil); err != nil {
		t.Error(err)
	}
	c.tls = nil
	if err := c.call(t.Context(), http.MethodPost, "/v1/backups", nil, nil); err == nil {
		t.Error("any certificate is believed")
	}
}

// A hub that is at work and has not answered is not said to be away.
func TestASlowHubIsNotSaidToBeAway(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	c := client{url: server.URL, wait: time.Millisecond}
	err := c.call(t.Context(), http.MethodPost, "/v1/dead-letters/replay", nil, nil)
	if f := hub.AsFault(err); f.Code != "hub.slow" || f.Kind != hub.Unavailable || f.Hint == "" {
		t.Errorf("got %v", err)
	}
}
