package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Who reaches a hub that listens on a loopback address is on its machine already; one behind a proxy says that it is not so.
func TestWhereSubscriptionsAreDelivered(t *testing.T) {
	const own = "[127.0.0.0/8 ::1/128]"
	for config, want := range map[string]string{
		"":                        own,
		"listen: 'localhost:0'\n": own,
		"listen: '[::1]:8080'\n":  own,
		"listen: '127.0.0.1:0'\nepcis: { deliverTo: [] }\n":      "[]",
		"listen: '127.0.0.1:0'\nepcis: { gcpLength: 7 }\n":       own,
		"listen: '0.0.0.0:8080'\n":                               "[]",
		"listen: ':8080'\nepcis: { deliverTo: [10.1.0.0/16] }\n": "[10.1.0.0/16]",
	} {
		name := filepath.Join(t.TempDir(), "suyuan.yaml")
		if err := os.WriteFile(name, []byte("data: data\n"+config), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := loadConfig(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cfg.deliverTo()); got != want {
			t.Errorf("%q: %s, want %s", config, got, want)
		}
	}
}
