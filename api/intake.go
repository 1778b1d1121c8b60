package api

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/suyuan-io/suyuan/hub"
)

// receive serves a pushed request. A connector whose protocol authenticates the sender does so itself; for any other the
// key must be of the connector's provider.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) error {
	id := hub.ConnectorID(r.PathValue("connector"))
	return s.Intake.Receive(w, r, id, func(provider hub.ProviderID) error {
		k, err := s.Authorize(r, hub.ScopeCapture)
		if err != nil {
			return err
		}
		if k.Provider != provider && !slices.Contains(k.Scopes, hub.ScopeAdmin) {
			return hub.Faultf(hub.Forbidden, "key.provider", "the key %s speaks for %s, the connector %s takes what %s states",
				k.ID, k.Provider, id, provider).WithHint("use a key of the connector's provider")
		}
		return nil
	})
}

func (s *Server) connectors(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Authorize(r, hub.ScopeQuery)
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(s.Intake.Connectors(), func(c Connector) bool { return !sees(k, c.Provider) })
	folder := s.Setup.Folder()
	if !sees(k, "") {
		folder.Faults = nil // they quote the files of others
	}
	answer(w, http.StatusOK, map[string]any{"connectors": own, "folder": folderOf(folder)})
	return nil
}

func (s *Server) connector(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Authorize(r, hub.ScopeQuery)
	if err != nil {
		return err
	}
	if found := s.Intake.Connectors(hub.ConnectorID(r.PathValue("id"))); len(found) > 0 && sees(k, found[0].Provider) {
		answer(w, http.StatusOK, found[0])
		return nil
	}
	return noConnector(r)
}

// noConnector is the fault of a connector that there is not, or not for the key.
func noConnector(r *http.Request) error {
	f := hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector %q", r.PathValue("id")).WithHint("they are listed at /v1/connectors")
	f.MessageZh, f.HintZh = fmt.Sprintf("没有名为 %s 的连接器", r.PathValue("id")), "可在 /v1/connectors 查看全部连接器"
	return f
}

func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	if err := s.Intake.Pause(r.Context(), hub.ConnectorID(r.PathValue("id"))); err != nil {
		return err
	}
	return s.connector(w, r)
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	if err := s.Intake.Resume(r.Context(), hub.ConnectorID(r.PathValue("id"))); err != nil {
		return err
	}
	return s.connector(w, r)
}

// rewind sets where an instance that is stopped reads on.
func (s *Server) rewind(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Authorize(r, hub.ScopeAdmin); err != nil {
		return err
	}
	var in struct {
		Position *string `json:"position"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Position == nil {
		return hub.Faultf(hub.Invalid, "connector.position", "the request states no position").
			WithHint(`send {"position":""} to read from the beginning`)
	}
	if err := s.Rewind.Rewind(r.Context(), hub.ConnectorID(r.PathValue("id")), hub.Position(*in.Position)); err != nil {
		return err
	}
	return s.connector(w, r)
}
