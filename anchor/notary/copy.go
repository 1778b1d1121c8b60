package notary

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/suyuan-io/suyuan/anchor"
)

// Copy copies the entries of the notary's file from to the new file to, up to the first checkpoint of origin that is larger
// than size: the ledger as it was when a store that knows no more was copied. The notary may be at work meanwhile.
func Copy(to, from, origin string, size uint64) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy notary: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy notary: %w", err)
	}
	return errors.Join(copyEntries(dst, bufio.NewReaderSize(src, 64<<10), origin, size), dst.Sync(), dst.Close())
}

func copyEntries(dst io.Writer, src *bufio.Reader, origin string, size uint64) error {
	for {
		line, err := readLine(src)
		if errors.Is(err, io.EOF) {
			return nil // what is left is being written
		}
		if err != nil {
			return fmt.Errorf("copy notary: %w", err)
		}
		e, err := parseEntry(line)
		if err != nil {
			return fmt.Errorf("copy notary: %w", err)
		}
		c, _, err := anchor.ParseCheckpoint([]byte(e.Checkpoint))
		if err != nil {
			return fmt.Errorf("copy notary: %w", err)
		}
		if c.Origin == origin && c.Size > size {
			return nil
		}
		if _, err := dst.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("copy notary: %w", err)
		}
	}
}
