package api

import (
	_ "embed"
	"net/http"
	"slices"
)

// healthz says that the process serves; restarting it would not help against anything that readyz names.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	answer(w, http.StatusOK, map[string]any{"status": "ok", "version": s.Version})
	return nil
}

// readyz says whether the hub can take and record data now, and if not why.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	checks := s.Checks(r.Context())
	code, text := http.StatusOK, "ready"
	if slices.ContainsFunc(checks, func(c Check) bool { return !c.OK && !c.Later }) {
		code, text = http.StatusServiceUnavailable, "not ready"
	}
	answer(w, code, map[string]any{"status": text, "checks": checks})
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	s.Metrics.ServeHTTP(w, r)
	return nil
}

//go:embed openapi.json
var openapi []byte

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openapi)
	return nil
}
