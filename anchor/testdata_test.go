package anchor_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// The receipts of testdata/receipts are the vectors of docs/formats.md. Every file of bad/ is named by the check that
// must fail and by the fault. They are written once, with keys that are thrown away.
var update = flag.Bool("update", false, "write testdata/receipts anew")

// issuer writes receipts of a log that is witnessed by a notary.
type issuer struct {
	*world
	log    *anchor.Log
	notary *anchor.SigningKey
}

func newIssuer(t testing.TB, notaryKey *anchor.SigningKey) *issuer {
	t.Helper()
	w := newWorld(t)
	var err error
	if notaryKey == nil {
		if notaryKey, err = anchor.GenerateKey("notary.example"); err != nil {
			t.Fatal(err)
		}
	}
	ledger, err := notary.Open(filepath.Join(t.TempDir(), "notary.jsonl"), notary.Options{
		Key: notaryKey, Logs: []anchor.VerifierKey{w.key.Public()}, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	opts := w.options()
	opts.Ledgers = []anchor.Ledger{ledger}
	log, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{w, log, notaryKey}
}

// flush anchors what is recorded.
func (i *issuer) flush(t testing.TB) {
	t.Helper()
	if err := i.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (i *issuer) receipt(t testing.TB, seq hub.Seq) hub.Receipt {
	t.Helper()
	r, err := i.log.Receipt(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (i *issuer) trust() string {
	return fmt.Sprintf("origin: %s\nkeys:\n  - %s\nledgers:\n  notary: { key: %s }\n",
		i.log.Origin(), i.log.Key(), i.notary.Public())
}

func encode(t testing.TB, r hub.Receipt) string {
	t.Helper()
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// hebrew is U+FB33, which is larger than U+1F600 by UTF-16 code units only in its first: 0xFB33 against 0xD83D.
const hebrew = "\ufb33"

// strange is an event whose canonical form needs all of RFC 8785: the order of names by UTF-16 code units, the numbers
// of ECMAScript, the shortest escapes.
func strange(at time.Time) hub.Event {
	e := anchortest.Event(1_000_000, at)
	e.Body = []byte(`{"\b\t\n\u000b\f\r\u001f\"\\/":"control",` +
		`"1":[0,1,-1,9007199254740991,0.1,1e-7,0.000001,1e+21,100000000000000000000,5e-324,1.7976931348623157e+308,-0.5],` +
		`"":{"":[[],{},null,true,false]},"<&>":"\u007f\u0080\u2028\u2029",` + `"é":"e\u0301",` +
		`"€":"euro","😀":"before U+FB33","` + hebrew + `":"after U+1F600"}`)
	e.Body = canonical(e.Body)
	e.Leaf.Event = hub.Sum(e.Body)
	return e
}

// canonical is written for the strange event alone: it decodes the escapes that RFC 8785 does not allow and orders the
// members by hand.
func canonical(b []byte) []byte {
	s := strings.NewReplacer(`\u007f`, "\u007f", `\u0080`, "\u0080", `\u2028`, "\u2028", `\u2029`, "\u2029",
		`\u0301`, "\u0301").Replace(string(b))
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &members); err != nil {
		panic(err)
	}
	var out []string
	for _, name := range []string{"", "\b\t\n\v\f\r\x1f\"\\/", "1", "<&>", "é", "€", "😀", hebrew} {
		quoted := map[string]string{"\b\t\n\v\f\r\x1f\"\\/": `"\b\t\n\u000b\f\r\u001f\"\\/"`}[name]
		if quoted == "" {
			quoted = `"` + name + `"`
		}
		out = append(out, quoted+":"+string(members[name]))
	}
	return []byte("{" + strings.Join(out, ",") + "}")
}

// goodReceipts returns the receipts that must be accepted, by name, and their issuer.
func goodReceipts(t *testing.T) (map[string]string, *issuer) {
	t.Helper()
	i := newIssuer(t, nil)
	good := make(map[string]string)
	i.record(1)
	i.flush(t)
	good["first-leaf-of-one"] = encode(t, i.receipt(t, 0))
	i.store.Append(strange(i.now))
	i.record(254)
	i.flush(t)
	good["strange-event"] = encode(t, i.receipt(t, 1))
	good["last-leaf-of-a-full-tile"] = encode(t, i.receipt(t, 255))
	good["ended-by-a-newline"] = encode(t, i.receipt(t, 7)) + "\n"
	i.record(313)
	i.flush(t)
	good["middle-leaf"] = encode(t, i.receipt(t, 300))
	good["last-leaf"] = encode(t, i.receipt(t, 568))
	return good, i
}

// badReceipts returns receipts that must be refused, by "check-fault".
func badReceipts(t *testing.T, i *issuer, good string) map[string]string {
	t.Helper()
	bad := make(map[string]string)
	maps.Copy(bad, respelled(good))
	maps.Copy(bad, changed(t, good))
	maps.Copy(bad, resigned(t, i, good))
	maps.Copy(bad, rewitnessed(t, i, good))

	// What an honest log never says, said by a log.
	odd := newIssuer(t, i.notary)
	e := anchortest.Event(1, odd.now)
	e.Leaf.Version = 2
	odd.store.Append(e)
	e = anchortest.Event(2, odd.now)
	e.Leaf.Provider = "Not A Name"
	odd.store.Append(e)
	odd.record(1)
	odd.flush(t)
	bad["leaf-unknown-version"] = encode(t, odd.receipt(t, 0))
	bad["leaf-provider-is-no-name"] = encode(t, odd.receipt(t, 1))
	bad["trust-another-log-of-the-same-name"] = encode(t, odd.receipt(t, 2))
	return bad
}

// respelled returns other spellings of the same JSON, and JSON that is no receipt.
func respelled(good string) map[string]string {
	replace := func(old, with string) string {
		if strings.Count(good, old) < 1 {
			panic("the receipt lacks " + old)
		}
		return strings.Replace(good, old, with, 1)
	}
	event := good[strings.Index(good, `"event":`):strings.Index(good, `,"key":`)]
	return map[string]string{
		"format-empty":                     "",
		"format-not-json":                  "receipt",
		"format-null":                      "null",
		"format-space-inside":              replace(`,"key":`, `, "key":`),
		"format-space-before":              " " + good,
		"format-two-newlines":              good + "\n\n",
		"format-carriage-return":           good + "\r\n",
		"format-byte-order-mark":           "\ufeff" + good,
		"format-two-receipts":              good + good,
		"format-cut":                       good[:len(good)-1],
		"format-member-unknown":            replace(`,"key":`, `,"key2":"","key":`),
		"format-member-unknown-in-leaf":    replace(`,"version":1}`, `,"version":1,"x":0}`),
		"format-member-unknown-in-proof":   replace(`"proof":{`, `"proof":{"a":0,`),
		"format-member-twice":              replace(event, event+","+event),
		"format-member-twice-in-event":     replace(`{"action":"OBSERVE",`, `{"action":"OBSERVE","action":"OBSERVE",`),
		"format-member-missing":            replace(event+",", ""),
		"format-member-in-other-case":      replace(`"key":`, `"Key":`),
		"format-members-in-other-order":    replace(`{"action":"OBSERVE","bizStep":"shipping",`, `{"bizStep":"shipping","action":"OBSERVE",`),
		"format-number-with-fraction":      replace(`"version":1`, `"version":1.0`),
		"format-number-as-string":          replace(`"version":1`, `"version":"1"`),
		"format-number-negative":           replace(`"leafIndex":`, `"leafIndex":-`),
		"format-number-in-event":           replace(`"weight":0.9`, `"weight":0.90`),
		"format-escaped-slash":             replace(`https://`, `https:\/\/`),
		"format-escaped-letter":            replace(`"OBSERVE"`, `"\u004fBSERVE"`),
		"format-lone-surrogate":            replace(`"OBSERVE"`, `"\ud800"`),
		"format-invalid-utf8":              replace(`"OBSERVE"`, "\"\xff\""),
		"format-digest-in-upper-case":      replace(`"hashes":["`, `"hashes":["A`),
		"format-type-of-a-later-version":   replace("receipt/v1", "receipt/v2"),
		"format-event-is-no-object":        replace(event, `"event":"{}"`),
		"format-event-is-null":             replace(event, `"event":null`),
		"format-hashes-is-null":            good[:strings.Index(good, `"hashes":[`)] + `"hashes":null` + good[strings.Index(good, `],"leafIndex"`)+1:],
		"format-time-without-milliseconds": replace(`.000Z","salt"`, `Z","salt"`),
	}
}

// changed returns receipts of which one thing was changed.
func changed(t *testing.T, good string) map[string]string {
	t.Helper()
	bad := make(map[string]string)
	change := func(name string, f func(r *hub.Receipt)) {
		r, err := anchor.ParseReceipt([]byte(good))
		if err != nil {
			t.Fatal(err)
		}
		f(&r)
		bad[name] = encode(t, r)
	}
	swapEvent := func(r *hub.Receipt) {
		r.Event = json.RawMessage(strings.Replace(string(r.Event), "shipping", "receiving", 1))
	}
	change("event-changed", swapEvent)
	change("event-digest-changed", func(r *hub.Receipt) { r.Leaf.Event[0] ^= 1 })
	change("inclusion-event-and-digest-changed", func(r *hub.Receipt) { swapEvent(r); r.Leaf.Event = hub.Sum(r.Event) })
	change("inclusion-provider-changed", func(r *hub.Receipt) { r.Leaf.Provider = "another-wms" })
	change("inclusion-connector-changed", func(r *hub.Receipt) { r.Leaf.Connector = "another" })
	change("inclusion-event-hash-changed", func(r *hub.Receipt) { r.Leaf.EventHash += "0" })
	change("inclusion-salt-changed", func(r *hub.Receipt) { r.Leaf.Salt[31] ^= 1 })
	change("inclusion-raw-digest-changed", func(r *hub.Receipt) { r.Leaf.Raw[31] ^= 1 })
	change("inclusion-time-changed", func(r *hub.Receipt) {
		r.Leaf.ReceivedAt = hub.Instant(time.Time(r.Leaf.ReceivedAt).Add(time.Millisecond))
	})
	change("inclusion-index-changed", func(r *hub.Receipt) { r.Proof.LeafIndex ^= 1 })
	change("inclusion-index-outside", func(r *hub.Receipt) { r.Proof.LeafIndex = r.Proof.TreeSize })
	change("inclusion-size-changed", func(r *hub.Receipt) { r.Proof.TreeSize++ })
	change("inclusion-hash-changed", func(r *hub.Receipt) { r.Proof.Hashes[0][0] ^= 1 })
	change("inclusion-hash-missing", func(r *hub.Receipt) { r.Proof.Hashes = r.Proof.Hashes[1:] })
	change("inclusion-hash-too-many", func(r *hub.Receipt) { r.Proof.Hashes = append(r.Proof.Hashes, hub.Digest{}) })
	change("inclusion-hashes-swapped", func(r *hub.Receipt) {
		r.Proof.Hashes[0], r.Proof.Hashes[1] = r.Proof.Hashes[1], r.Proof.Hashes[0]
	})
	change("inclusion-no-hashes", func(r *hub.Receipt) { r.Proof.Hashes = []hub.Digest{} })
	return bad
}

// resigned returns receipts whose checkpoint or key was tampered with.
func resigned(t *testing.T, i *issuer, good string) map[string]string {
	t.Helper()
	bad := make(map[string]string)
	r, err := anchor.ParseReceipt([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	with := func(name, checkpoint, key string) {
		c := r
		c.Checkpoint, c.Key = checkpoint, key
		bad[name] = encode(t, c)
	}
	note := func(old, with string) string {
		if !strings.Contains(r.Checkpoint, old) {
			t.Fatalf("the checkpoint lacks %q", old)
		}
		return strings.Replace(r.Checkpoint, old, with, 1)
	}
	c, _, err := anchor.ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := anchor.GenerateKey(i.log.Origin())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := anchor.GenerateKey("elsewhere.example/log")
	if err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprintf("\n%d\n", c.Size)
	sig := strings.LastIndex(r.Checkpoint, " ") + 1
	foreign := string(stranger.SignCheckpoint(c.Size, c.Root).Note)
	line := func(note string) string { return note[strings.LastIndex(note, "\n\n")+2:] }

	with("checkpoint-signed-by-a-stranger", foreign, r.Key)
	with("checkpoint-key-of-a-stranger", r.Checkpoint, stranger.Public().String())
	with("checkpoint-key-of-another-origin", r.Checkpoint, elsewhere.Public().String())
	with("checkpoint-key-id-wrong", r.Checkpoint, strings.Replace(r.Key, "+"+keyID(r.Key)+"+", "+00000000+", 1))
	with("checkpoint-key-of-unknown-type", r.Checkpoint, strings.Replace(r.Key, "+A", "+B", 1))
	with("checkpoint-key-empty", r.Checkpoint, "")
	with("checkpoint-signature-of-another-size", note(line(r.Checkpoint), line(string(i.key.SignCheckpoint(c.Size+1, c.Root).Note))), r.Key)
	with("checkpoint-second-signature", r.Checkpoint+line(foreign), r.Key)
	with("checkpoint-origin-changed", note("hub.example/log\n", "hub.example/lug\n"), r.Key)
	with("inclusion-root-of-another-tree", string(i.key.SignCheckpoint(c.Size, hub.Sum(nil)).Note), r.Key)
	with("inclusion-root-of-another-size", string(i.key.SignCheckpoint(c.Size+1, c.Root).Note), r.Key)
	with("checkpoint-unsigned", r.Checkpoint[:strings.LastIndex(r.Checkpoint, "— ")], r.Key)
	with("checkpoint-size-with-zero", note(size, strings.Replace(size, "\n", "\n0", 1)), r.Key)
	with("checkpoint-with-extension", note(size, size+"extension\n"), r.Key)
	with("checkpoint-without-newline", strings.TrimSuffix(r.Checkpoint, "\n"), r.Key)
	with("checkpoint-with-bytes-after", r.Checkpoint+"x", r.Key)
	with("checkpoint-with-blank-line", r.Checkpoint+"\n", r.Key)
	with("checkpoint-with-carriage-return", note("\n", "\r\n"), r.Key)
	with("checkpoint-signature-with-lenient-base64", looseEnd(r.Checkpoint), r.Key)
	with("checkpoint-root-with-lenient-base64", looseRoot(r.Checkpoint), r.Key)
	with("checkpoint-signature-without-padding", strings.TrimRight(strings.TrimSuffix(r.Checkpoint, "\n"), "=")+"\n", r.Key)
	with("checkpoint-signature-too-short", r.Checkpoint[:sig]+"AAAA\n", r.Key)
	return bad
}

// keyID returns the id of a verifier key.
func keyID(key string) string { return strings.Split(key, "+")[1] }

// looseEnd sets bits after the end of the signature that lenient base64 ignores.
func looseEnd(note string) string { return loosen(note, strings.LastIndexByte(note, '=')-1) }

// looseRoot does the same for the root.
func looseRoot(note string) string { return loosen(note, strings.IndexByte(note, '=')-1) }

func loosen(note string, i int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	if note[i] == '=' {
		i--
	}
	next := alphabet[strings.IndexByte(alphabet, note[i])+1]
	return note[:i] + string(next) + note[i+1:]
}

// rewitnessed returns receipts whose evidence was tampered with.
func rewitnessed(t *testing.T, i *issuer, good string) map[string]string {
	t.Helper()
	bad := make(map[string]string)
	r, err := anchor.ParseReceipt([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, evidence ...hub.Evidence) {
		c := r
		c.Ledger = evidence
		bad[name] = encode(t, c)
	}
	entry := func(old, with string) hub.Evidence {
		e := string(r.Ledger[0].Entry)
		if !strings.Contains(e, old) {
			t.Fatalf("the entry lacks %q", old)
		}
		return hub.Evidence{Ledger: notary.Name, Entry: json.RawMessage(strings.Replace(e, old, with, 1))}
	}
	other := i.receipt(t, 0)
	with("ledger-nobody-witnessed", []hub.Evidence{}...)
	with("ledger-unknown", hub.Evidence{Ledger: "oracle", Entry: r.Ledger[0].Entry})
	with("ledger-named-in-other-case", hub.Evidence{Ledger: "Notary", Entry: r.Ledger[0].Entry})
	with("ledger-speaks-twice", r.Ledger[0], r.Ledger[0])
	with("ledger-second-unknown", r.Ledger[0], hub.Evidence{Ledger: "oracle", Entry: r.Ledger[0].Entry})
	with("ledger-entry-of-another-checkpoint", other.Ledger[0])
	with("ledger-entry-empty", hub.Evidence{Ledger: notary.Name, Entry: json.RawMessage("{}")})
	with("ledger-entry-is-null", hub.Evidence{Ledger: notary.Name, Entry: json.RawMessage("null")})
	with("ledger-entry-index-changed", entry(`"index":2`, `"index":3`))
	with("ledger-entry-time-changed", entry(`:05.000Z","signature"`, `:06.000Z","signature"`))
	with("ledger-entry-member-unknown", entry(`"index":2`, `"index":2,"indey":2`))
	with("ledger-entry-type-changed", entry("notary/v1", "notary/v2"))
	with("ledger-entry-checkpoint-changed", entry(`hub.example/log\n`, `hub.example/lug\n`))
	with("ledger-entry-unsigned", entry(`"signature":"`, `"signature":"AAAA`))
	return bad
}

func receiptsDir(elem ...string) string {
	return filepath.Join(append([]string{"testdata", "receipts"}, elem...)...)
}

func TestUpdateReceipts(t *testing.T) {
	if !*update {
		t.Skip("run with -update to write testdata/receipts anew")
	}
	good, i := goodReceipts(t)
	bad := badReceipts(t, i, good["middle-leaf"])
	if err := os.RemoveAll(receiptsDir()); err != nil {
		t.Fatal(err)
	}
	write := func(text string, elem ...string) {
		path := receiptsDir(elem...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range good {
		write(text, "good", name+".json")
	}
	for name, text := range bad {
		write(text, "bad", name+".json")
	}
	write(i.trust(), "trust.yaml")
}

// readReceipts returns the files of a folder of testdata/receipts by name.
func readReceipts(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(receiptsDir(folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no receipts in %s: %v", folder, err)
	}
	receipts := make(map[string][]byte)
	for _, path := range slices.Sorted(slices.Values(paths)) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		receipts[strings.TrimSuffix(filepath.Base(path), ".json")] = b
	}
	return receipts
}

func readTrust(t testing.TB) *anchor.Trust {
	t.Helper()
	b, err := os.ReadFile(receiptsDir("trust.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := anchor.ParseTrust(b)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}
