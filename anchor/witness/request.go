package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// maxProof bounds the hashes of a consistency proof (c2sp.org/tlog-witness, "add-checkpoint").
const maxProof = 63

// request is what add-checkpoint is asked.
type request struct {
	old   uint64
	proof []hub.Digest
	note  []byte
}

// encode returns the body of the request.
func (r request) encode() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), r.note...)
}

// parseRequest reads a body. The note is not looked at.
func parseRequest(body []byte) (request, error) {
	head, note, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return request{}, errors.New("there is no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	old, err := parseSize(size)
	if !ok || err != nil {
		return request{}, errors.New("the first line is not \"old\" and a size")
	}
	r := request{old: old, note: note}
	if len(lines)-1 > maxProof {
		return request{}, fmt.Errorf("the proof has %d hashes, at most %d are read", len(lines)-1, maxProof)
	}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != hub.DigestSize {
			return request{}, fmt.Errorf("%.100q is not a hash", line)
		}
		r.proof = append(r.proof, hub.Digest(h))
	}
	return r, nil
}

// parseSize reads a size in its one spelling.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%.100q is not a size", s)
	}
	return n, nil
}

// originHash names a log in the monitoring interface.
func originHash(origin string) string { return hub.Sum([]byte(origin)).String() }

// checkNote refuses a checkpoint that is not what its note says.
func checkNote(c hub.Checkpoint) error {
	stated, _, err := anchor.ParseCheckpoint(c.Note)
	if err != nil {
		return err
	}
	if stated.Origin != c.Origin || stated.Size != c.Size || stated.Root != c.Root {
		return hub.Faultf(hub.Invalid, "witness.note", "the checkpoint is not what its note says")
	}
	return nil
}
