package postgres

import "testing"

// The server ends sessions that are silent while they hold something, unless the URL says otherwise.
func TestSilentSessionsEnd(t *testing.T) {
	const inTransaction, silent = "idle_in_transaction_session_timeout", "idle_session_timeout"
	for url, want := range map[string][3]string{
		"postgres://u@h/d": {"30s", "", "15s"},
		"postgres://u@h/d?idle_in_transaction_session_timeout=5min&idle_session_timeout=1h": {"5min", "1h", "1h"},
	} {
		cfg, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		lease := beating(cfg)
		got := [3]string{cfg.RuntimeParams[inTransaction], cfg.RuntimeParams[silent], lease.RuntimeParams[silent]}
		if got != want || lease.RuntimeParams[inTransaction] != want[0] {
			t.Errorf("%s: %v, want %v", url, got, want)
		}
	}
}
