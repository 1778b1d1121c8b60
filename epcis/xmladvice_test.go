package epcis_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

var update = flag.Bool("update", false, "write the golden files of messages anew")

// What a newcomer reads for each mistake in XML, in both languages. Read the golden files when they change: each line must
// say exactly what to do.
func TestXMLMessagesSayWhatToChange(t *testing.T) {
	paths, err := filepath.Glob("testdata/refused/*.xml")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d inputs: %v", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		err = epcis.CheckXML(bytes.NewReader(data), epcis.Limits{})
		if err == nil {
			t.Errorf("%s is valid", path)
			continue
		}
		var faults hub.Faults
		if !errors.As(err, &faults) {
			faults = hub.Faults{hub.AsFault(err)}
		}
		var b strings.Builder
		for _, f := range faults {
			if f.Hint == "" && f.Code != "epcis.xml.syntax" || (f.Hint == "") != (f.HintZh == "") || f.MessageZh == "" {
				t.Errorf("%s: %+v lacks a hint or Chinese", path, *f)
			}
			b.WriteString(f.Code + ": " + f.Where.String() + ":\n  " + f.Message + " (" + f.Hint + ")\n  " + f.MessageZh + " (" + f.HintZh + ")\n")
		}
		golden := strings.TrimSuffix(path, ".xml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got), rewrite with -update:\n%s", golden, diff)
		}
	}
}
