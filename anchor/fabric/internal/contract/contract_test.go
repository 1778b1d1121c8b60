package contract_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// commitment is a signed checkpoint of a log of its own.
func commitment(t *testing.T, size uint64, root byte) anchor.Commitment {
	t.Helper()
	key, err := anchor.GenerateKey("test.example/log")
	if err != nil {
		t.Fatal(err)
	}
	return anchor.Commitment{Checkpoint: key.SignCheckpoint(size, hub.Digest{root})}
}

// What the hub may do about a refusal hangs on its kind: Conflict stops the log with an alarm, Invalid and Forbidden do not.
func TestRefusalsTellWhatTheHubMayDo(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   contract.Answer
		from uint64 // where the commitment's proof begins
		want hub.Kind
	}{
		{"another root of the size is held", contract.Answer{Code: contract.CodeRoot}, 7, hub.Conflict},
		{"a larger checkpoint is held", contract.Answer{Code: contract.CodeSize, Head: contract.Head{Size: 9}}, 7, hub.Conflict},
		{"the proof from the newest does not hold", contract.Answer{Code: contract.CodeProof, Head: contract.Head{Size: 7}}, 7, hub.Conflict},
		{"the proof begins at another than the newest", contract.Answer{Code: contract.CodeProof, Head: contract.Head{Size: 8}}, 7, hub.Invalid},
		{"the first checkpoint came with a proof", contract.Answer{Code: contract.CodeProof}, 7, hub.Invalid},
		{"another organisation's log", contract.Answer{Code: contract.CodeOwner, Head: contract.Head{Owner: "Org2MSP"}}, 7, hub.Forbidden},
		{"a malformed argument", contract.Answer{Code: contract.CodeArgument}, 7, hub.Invalid},
		{"a note of another checkpoint", contract.Answer{Code: contract.CodeNote}, 7, hub.Invalid},
		{"a code of a newer contract", contract.Answer{Code: "quota"}, 7, hub.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Status, tc.in.Message = contract.StatusRefused, "because"+strings.Repeat("!", 500)
			c := anchor.Commitment{Checkpoint: hub.Checkpoint{Size: 12}, PreviousSize: tc.from}
			f := hub.AsFault(tc.in.Refusal(c))
			if f.Kind != tc.want || f.Code != "fabric."+tc.in.Code || f.MessageZh == "" {
				t.Errorf("%v of kind %v", f, f.Kind)
			}
			if !strings.Contains(f.Message, "checkpoint 12: because") || len(f.Message) > 300 {
				t.Errorf("a message of %d bytes: %s", len(f.Message), f.Message)
			}
			if named := strings.Contains(f.Hint, tc.in.Head.Owner) && f.Hint != ""; named != (tc.want == hub.Forbidden) {
				t.Errorf("hint %q", f.Hint)
			}
		})
	}
}

func TestRecordsAreWhatTheirNoteSays(t *testing.T) {
	c := commitment(t, 12, 1).Checkpoint
	good := contract.Record{Checkpoint: string(c.Note), Origin: c.Origin, Root: c.Root.String(), Size: c.Size, Submitter: "Org1MSP", TxID: "tx1"}
	for name, change := range map[string]func(*contract.Record){
		"as it was committed": func(*contract.Record) {},
		"another size":        func(r *contract.Record) { r.Size++ },
		"another root":        func(r *contract.Record) { r.Root = hub.Digest{2}.String() },
		"another origin":      func(r *contract.Record) { r.Origin = "other.example/log" },
		"no note":             func(r *contract.Record) { r.Checkpoint = "" },
		"a note cut short":    func(r *contract.Record) { r.Checkpoint = r.Checkpoint[:20] },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			got, err := r.Parse()
			if held := r == good; (err == nil) != held || held && (got.Size != c.Size || got.Root != c.Root || got.Origin != c.Origin) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestWhatIsReadHasItsOneForm(t *testing.T) {
	record := `{"checkpoint":"c","metadata":"","origin":"o","previous":0,"root":"r","size":1,"submitter":"m","txId":"t"}`
	for text, good := range map[string]bool{
		record: true,
		strings.Replace(record, `"txId"`, `"txid"`, 1):              false,
		strings.Replace(record, `{`, `{"extra":1,`, 1):              false,
		strings.Replace(record, `"size":1`, `"size":1,"size":2`, 1): false,
		strings.Replace(record, `"size":1`, `"size":-1`, 1):         false,
		strings.Replace(record, `"size":1`, `"size":"1"`, 1):        false,
		record + record: false,
		"":              false,
	} {
		if _, err := contract.ParseRecord([]byte(text)); (err == nil) != good {
			t.Errorf("record %s: %v", text, err)
		}
	}
	// An answer may have more: a contract that was upgraded goes on being understood.
	a, err := contract.ParseAnswer([]byte(`{"status":"refused","code":"owner","head":{"owner":"Org2MSP","root":"","size":3},"since":"v2"}`))
	if err != nil || a.Status != contract.StatusRefused || a.Head.Owner != "Org2MSP" || a.Head.Size != 3 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := contract.ParseAnswer([]byte("gateway time-out")); err == nil {
		t.Error("what is no JSON is an answer")
	}
}

// The channel's range query finds checkpoints in the order of their keys.
func TestKeysSortAsSizes(t *testing.T) {
	sizes := []uint64{1, 2, 9, 10, 99, 1 << 31, 1 << 53, 9_999_999_999_999_999}
	var keys []string
	for _, size := range sizes {
		keys = append(keys, contract.RecordKey("test.example/log", size))
	}
	if !slices.IsSorted(keys) {
		t.Errorf("%q", keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, contract.RecordPrefix("test.example/log")) || strings.HasPrefix(key, contract.RecordPrefix("test.example")) {
			t.Errorf("%q is of another origin's prefix", key)
		}
	}
	if contract.HeadKey("test.example/log") == contract.HeadKey("test.example/log2") {
		t.Error("two origins have one head")
	}
}

func TestArgumentsOfACommit(t *testing.T) {
	c := commitment(t, 12, 1)
	args, err := contract.CommitArguments(c, "site 7")
	if err != nil || len(args) != 6 || args[0] != "test.example/log" || args[1] != "12" || args[2] != c.Checkpoint.Root.String() ||
		args[3] != string(c.Checkpoint.Note) || args[4] != "[]" || args[5] != "site 7" {
		t.Errorf("%q, %v", args, err)
	}
	c.Consistency = []hub.Digest{{0xab}, {0xcd}}
	args, err = contract.CommitArguments(c, "")
	var proof []string
	if err != nil || json.Unmarshal([]byte(args[4]), &proof) != nil || len(proof) != 2 || proof[0] != "ab"+strings.Repeat("0", 62) {
		t.Errorf("%q, %v", args, err)
	}
}

// Fabric hashes the DER of (INTEGER number, OCTET STRING previous, OCTET STRING data).
func TestBlockHashIsThatOfTheHeadersDER(t *testing.T) {
	for _, tc := range []struct {
		header *common.BlockHeader
		der    []byte
	}{
		{&common.BlockHeader{DataHash: []byte{1}}, []byte{0x30, 8, 2, 1, 0, 4, 0, 4, 1, 1}},
		{&common.BlockHeader{Number: 128, PreviousHash: []byte{7}, DataHash: []byte{1, 2}}, []byte{0x30, 11, 2, 2, 0, 128, 4, 1, 7, 4, 2, 1, 2}},
		{
			&common.BlockHeader{Number: math.MaxUint64},
			[]byte{0x30, 15, 2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255, 4, 0, 4, 0},
		},
	} {
		got, err := contract.BlockHash(tc.header)
		if want := sha256.Sum256(tc.der); err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("%v: %x, %v", tc.header, got, err)
		}
	}
}

func TestEvidenceHasItsOneEncoding(t *testing.T) {
	p := contract.Proof{Attestation: []byte{1, 2}, Block: 5, Transaction: []byte{3}, Type: contract.EvidenceType, Validation: contract.Valid}
	good, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := contract.ParseProof(good); err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
		t.Fatalf("%+v, %v", again, err)
	}
	for name, text := range map[string]string{
		"a space more":             strings.Replace(string(good), ":", ": ", 1),
		"members in another order": strings.Replace(strings.Replace(string(good), `,"validation":"VALID"`, "", 1), `{`, `{"validation":"VALID",`, 1),
		"a member more":            strings.Replace(string(good), `{`, `{"a":1,`, 1),
		"a member twice":           strings.Replace(string(good), `{`, `{"block":5,`, 1),
		"another type":             strings.Replace(string(good), "fabric/v1", "fabric/v2", 1),
		"base64 without padding":   strings.Replace(string(good), `"AQI="`, `"AQI"`, 1),
		"something behind it":      string(good) + "\n",
		"nothing":                  "",
		"too many bytes":           `{"attestation":"` + strings.Repeat("A", contract.MaxEvidence) + `"}`,
	} {
		if got, err := contract.ParseProof([]byte(text)); err == nil {
			t.Errorf("%s is taken: %+v", name, got)
		}
	}
}

func FuzzProof(f *testing.F) {
	good, err := contract.Proof{Attestation: []byte{1}, Block: 5, Transaction: []byte{3}, Type: contract.EvidenceType, Validation: "VALID"}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := contract.ParseProof(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q is read, and written as %q, %v", b, again, err)
		}
	})
}
