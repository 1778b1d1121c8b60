package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor/exec"
)

// The page of operations has every key of the configuration, in a row of one of its tables that names what it is below as well.
func TestEveryKeyOfTheConfigurationIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := func(parent, key string) bool {
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| `") && word(line, key) && (parent == "" || word(line, parent)) {
				return true
			}
		}
		return false
	}
	eachKey(reflect.TypeFor[Config](), "", func(parent, key string) {
		if parent == "fabric" || parent == "peers" { // they have a table of their own
			parent = ""
		}
		if !documented(parent, key) {
			t.Errorf("docs/operations.md does not say what %s of %q is", key, parent)
		}
	})
}

func word(line, key string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(key) + `\b`).MatchString(line)
}

// eachKey calls do with each key that a configuration of this type may have, and with that above it.
func eachKey(t reflect.Type, parent string, do func(parent, key string)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[exec.Config]() { // docs/ledger-exec.md has that
		return
	}
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || key == "" || key == "-" {
			continue
		}
		do(parent, key)
		eachKey(f.Type, key, do)
	}
}
