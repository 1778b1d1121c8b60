package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// keyJSON is an API key as the API shows it. Secret is set once, in the answer that made it.
type keyJSON struct {
	ID        string         `json:"id"`
	Provider  hub.ProviderID `json:"provider"`
	Scopes    []hub.Scope    `json:"scopes"`
	Note      string         `json:"note,omitempty"`
	CreatedAt time.Time      `json:"createdAt"`
	RevokedAt *time.Time     `json:"revokedAt,omitempty"`
	Secret    string         `json:"secret,omitempty"`
}

func keyOf(k hub.Key) keyJSON {
	return keyJSON{
		ID: k.ID, Provider: k.Provider, Scopes: k.Scopes, Note: k.Note, CreatedAt: k.CreatedAt, RevokedAt: timePtr(k.RevokedAt),
	}
}

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	keys, err := s.Keys.Keys(r.Context())
	if err != nil {
		return err
	}
	out := make([]keyJSON, len(keys))
	for i, k := range keys {
		out[i] = keyOf(k)
	}
	answer(w, http.StatusOK, map[string]any{"keys": out})
	return nil
}

func (s *Server) makeKey(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	var in struct {
		Provider hub.ProviderID `json:"provider"`
		Scopes   []hub.Scope    `json:"scopes"`
		Note     string         `json:"note"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if err := CheckKey(in.Provider, in.Scopes); err != nil {
		return err
	}
	k, secret := NewKey(in.Provider, in.Scopes, in.Note, s.Now())
	if err := s.Keys.PutKey(r.Context(), k); err != nil {
		return err
	}
	out := keyOf(k)
	out.Secret = secret
	answer(w, http.StatusCreated, out)
	return nil
}

// CheckKey refuses what no key can be made of.
func CheckKey(provider hub.ProviderID, scopes []hub.Scope) error {
	if err := hub.CheckName(string(provider)); err != nil {
		return err
	}
	known := []hub.Scope{hub.ScopeCapture, hub.ScopeQuery, hub.ScopeAudit, hub.ScopeAdmin}
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(sc hub.Scope) bool { return !slices.Contains(known, sc) }) {
		return hub.Faultf(hub.Invalid, "key.scopes", "scopes %q are not known", scopes).WithHint("use some of capture, query, audit, admin")
	}
	return nil
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	if err := s.Keys.RevokeKey(r.Context(), r.PathValue("id"), s.Now()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
