package anchor_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

func TestGoodReceiptsVerify(t *testing.T) {
	trust := readTrust(t)
	for name, b := range readReceipts(t, "good") {
		for _, trust := range []*anchor.Trust{nil, trust} {
			report, err := verifier().Verify(b, trust)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !report.OK || report.Failed() != "" || report.Pinned != (trust != nil) || len(report.Checks) != 7 {
				t.Errorf("%s: report %+v", name, report)
			}
		}
	}
}

// checkOf returns the check that a bad receipt is named by.
func checkOf(name string) string {
	check, _, _ := strings.Cut(name, "-")
	return check
}

func TestBadReceiptsAreRefused(t *testing.T) {
	trust := readTrust(t)
	for name, b := range readReceipts(t, "bad") {
		report, err := verifier().Verify(b, trust)
		var fault *hub.Fault
		if !errors.As(err, &fault) || fault.Kind != hub.Invalid || fault.Code != "receipt."+checkOf(name) {
			t.Errorf("%s: got %v", name, err)
		}
		if report.OK || report.Failed() != checkOf(name) {
			t.Errorf("%s: check %q failed, want %q: %v", name, report.Failed(), checkOf(name), err)
		}
	}
}

// region is a part of a receipt and the checks that may refuse a change in it.
type region struct {
	name   string
	checks []string
}

// regionAt says in which member of the receipt a byte lies.
func regionAt(receipt []byte, i int) region {
	order := []region{
		{"checkpoint", []string{anchor.CheckFormat, anchor.CheckCheckpoint}},
		{"event", []string{anchor.CheckFormat, anchor.CheckEvent}},
		{"key", []string{anchor.CheckFormat, anchor.CheckCheckpoint}},
		{"leaf", []string{anchor.CheckFormat, anchor.CheckEvent, anchor.CheckLeaf, anchor.CheckInclusion}},
		{"ledger", []string{anchor.CheckFormat, anchor.CheckLedger}},
		{"proof", []string{anchor.CheckFormat, anchor.CheckInclusion}},
		{"type", []string{anchor.CheckFormat}},
	}
	at, begin := order[0], 0
	for _, r := range order[1:] {
		begin += bytes.Index(receipt[begin:], []byte(`,"`+r.name+`":`))
		if i >= begin {
			at = r
		}
	}
	return at
}

func TestEveryFlippedBitIsRefusedByName(t *testing.T) {
	trust := readTrust(t)
	good := readReceipts(t, "good")["middle-leaf"]
	seen := make(map[string]int)
	for i := range good {
		for bit := range 8 {
			if bit != i%8 && i%16 != 0 {
				continue // one bit of each byte, every bit of some: all of them take the race detector long
			}
			flipped := bytes.Clone(good)
			flipped[i] ^= 1 << bit
			report, err := verifier().Verify(flipped, trust)
			if err == nil {
				t.Fatalf("bit %d of byte %d flipped was accepted", bit, i)
			}
			if r := regionAt(good, i); !slices.Contains(r.checks, report.Failed()) {
				t.Errorf("bit %d of byte %d (%s) flipped: check %q failed", bit, i, r.name, report.Failed())
			}
			seen[report.Failed()]++
		}
	}
	for _, check := range []string{anchor.CheckFormat, anchor.CheckEvent, anchor.CheckInclusion, anchor.CheckCheckpoint, anchor.CheckLedger} {
		if seen[check] == 0 {
			t.Errorf("no flipped bit was refused by check %q", check)
		}
	}
}

func FuzzVerifyBitFlip(f *testing.F) {
	good := readReceipts(f, "good")
	names := make(map[string]bool)
	for _, b := range good {
		f.Add(b, uint(0), byte(0))
		names[string(bytes.TrimSuffix(b, []byte("\n")))] = true
	}
	for _, b := range readReceipts(f, "bad") {
		f.Add(b, uint(0), byte(0))
	}
	trust := readTrust(f)
	f.Fuzz(func(t *testing.T, b []byte, at uint, mask byte) {
		b = bytes.Clone(b)
		if len(b) > 0 {
			b[at%uint(len(b))] ^= mask
		}
		report, err := verifier().Verify(b, trust)
		if (err == nil) != report.OK || report.OK == (report.Failed() != "") {
			t.Errorf("error %v, report %+v", err, report)
		}
		// Nobody but the holder of the key can make a receipt that is trusted: what is accepted is a known one.
		if err == nil && !names[string(bytes.TrimSuffix(b, []byte("\n")))] {
			t.Errorf("accepted %q", b)
		}
	})
}

func TestEventHashIsCheckedByTheHook(t *testing.T) {
	good := readReceipts(t, "good")["middle-leaf"]
	r, err := anchor.ParseReceipt(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		hash string
		err  error
		want string
	}{
		"the stated hash": {r.Leaf.EventHash, nil, ""},
		"another hash":    {"ni:///sha-256;00?ver=CBV2.0", nil, anchor.CheckEventHash},
		"no event":        {"", errors.New("not an event"), anchor.CheckEventHash},
	} {
		v := verifier()
		v.EventHash = func(event []byte) (string, error) {
			if !bytes.Equal(event, r.Event) {
				t.Errorf("the hook was given %s", event)
			}
			return c.hash, c.err
		}
		report, err := v.Verify(good, nil)
		if report.Failed() != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: check %q failed: %v", name, report.Failed(), err)
		}
	}
}

func TestTooLargeReceiptIsRefused(t *testing.T) {
	report, err := verifier().Verify(bytes.Repeat([]byte(" "), 5<<20), nil)
	if report.Failed() != anchor.CheckFormat {
		t.Errorf("got %v", err)
	}
}

func TestDeepReceiptIsRefused(t *testing.T) {
	deep := `{"checkpoint":"","event":{"a":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `},"key":""}`
	report, err := verifier().Verify([]byte(deep), nil)
	if report.Failed() != anchor.CheckFormat {
		t.Errorf("got %v", err)
	}
}

func TestTrustRules(t *testing.T) {
	good := readReceipts(t, "good")["middle-leaf"]
	i := newIssuer(t, nil)
	trusted := readTrust(t)
	notaryKey := string(trusted.Ledgers["notary"])
	head := fmt.Sprintf("origin: %s\nkeys: [%s]\n", trusted.Origin, trusted.Keys[0])
	other := i.log.Key().String()
	for name, c := range map[string]struct{ trust, failed string }{
		"no ledger is named":            {head, ""},
		"the notary is named":           {head + "ledgers: {notary: " + notaryKey + "}", ""},
		"one of two must witness":       {head + "ledgers: {notary: " + notaryKey + ", fabric: {channel: a}}\nrequire: 1", ""},
		"both of two must witness":      {head + "ledgers: {notary: " + notaryKey + ", fabric: {channel: a}}", "trust"},
		"another notary is named":       {head + "ledgers: {notary: {key: " + i.notary.Public().String() + "}}", "ledger"},
		"another key of the log":        {fmt.Sprintf("origin: %s\nkeys: [%s]", trusted.Origin, other), "trust"},
		"two keys while one is changed": {fmt.Sprintf("origin: %s\nkeys: [%s, %s]", trusted.Origin, other, trusted.Keys[0]), ""},
		"another hash function":         {head + "hash: sm3", "inclusion"},
	} {
		trust, err := anchor.ParseTrust([]byte(c.trust))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if report, err := verifier().Verify(good, trust); report.Failed() != c.failed {
			t.Errorf("%s: check %q failed, want %q: %v", name, report.Failed(), c.failed, err)
		}
	}
}

func TestBadTrustFilesAreRefused(t *testing.T) {
	trusted := readTrust(t)
	head := fmt.Sprintf("origin: %s\nkeys: [%s]\n", trusted.Origin, trusted.Keys[0])
	for name, text := range map[string]string{
		"empty":                 "",
		"not YAML":              "\t{",
		"no key":                "origin: " + trusted.Origin,
		"no origin":             "keys: [" + trusted.Keys[0] + "]",
		"key of another origin": "origin: elsewhere\nkeys: [" + trusted.Keys[0] + "]",
		"malformed key":         "origin: " + trusted.Origin + "\nkeys: [abc]",
		"unknown member":        head + "ledger: {}",
		"member twice":          head + head,
		"unknown hash":          head + "hash: md5",
		"impossible rule":       head + "require: 1",
		"too large":             head + strings.Repeat("#", 2<<20),
		"too deep":              head + "ledgers: " + strings.Repeat("[", 60_000),
		"too deep mapping":      head + "ledgers: " + strings.Repeat("{a: ", 15_000),
		"too deep dashes":       head + "ledgers: " + strings.Repeat("- ", 30_000),
		"laughing aliases":      head + "ledgers: {a: &a [x,x], b: &b [*a,*a], c: &c [*b,*b]}\nrequire: 9",
		"a tag without a value": "origin: a\nkeys: !a #",
	} {
		if _, err := anchor.ParseTrust([]byte(text)); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

func FuzzParseTrust(f *testing.F) {
	f.Add("origin: a\nkeys: [a+b+c]\nledgers: {notary: {key: x}}\nrequire: 1")
	f.Fuzz(func(t *testing.T, text string) {
		trust, err := anchor.ParseTrust([]byte(text))
		if err == nil && len(trust.Keys) == 0 {
			t.Error("a trust file without a key was accepted")
		}
	})
}
