package api

import (
	"net/http"

	"github.com/suyuan-io/suyuan/hub"
)

// backup lets the hub write a backup of itself. Its bytes, with the private keys, never leave the hub's machine.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	m, err := s.Backups.Backup(r.Context(), in.Name)
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, m)
	return nil
}
