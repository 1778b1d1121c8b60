package decode

import (
	"compress/bzip2"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/transform"
)

// The first bytes of what is no packing of one stream.
const (
	zipMagic = "PK\x03\x04"
	xzMagic  = "\xfd7zXZ\x00"
)

// longestMagic is how many bytes tell a packing.
const longestMagic = 10

// zstdWindow is the most memory that a zstd stream may ask for.
const zstdWindow = 64 << 20

// packing is a way to pack one stream.
type packing struct {
	name string
	open func(io.Reader) (io.ReadCloser, error)
}

// notRead names what is recognised by its first bytes and read by no format.
func notRead(head []byte) (what, code string) {
	for _, known := range []struct{ magic, what, code string }{
		{xzMagic, "an xz file: have it packed with gzip, zstd or zip", "xz.unsupported"},
		{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: have it packed with zip", "decode.unsupported"},
		{"Rar!\x1a\x07", "a RAR archive: have it packed with zip", "decode.unsupported"},
		{"%PDF-", "a PDF: have the data sent as a file for machines", "decode.unsupported"},
		{"PK\x05\x06", "an archive without files", "decode.empty"},
	} {
		if strings.HasPrefix(string(head), known.magic) {
			return known.what, known.code
		}
	}
	return "", ""
}

// packingOf tells a packing by the first bytes.
func packingOf(head []byte) (packing, bool) {
	text := string(head[:min(len(head), longestMagic)])
	switch {
	case strings.HasPrefix(text, "\x1f\x8b\x08"):
		return packing{"gzip", func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }}, true
	case strings.HasPrefix(text, "\x28\xb5\x2f\xfd"):
		return packing{"zstd", func(r io.Reader) (io.ReadCloser, error) {
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		}}, true
	case len(text) == longestMagic && strings.HasPrefix(text, "BZh") && text[4:] == "1AY&SY":
		return packing{"bzip2", func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }}, true
	}
	return packing{}, false
}

// narrowed makes UTF-8 of an item in UTF-16, for the formats that know no UTF-16 of their own. Lines and columns stay.
func narrowed(r io.Reader, head []byte, format string) io.Reader {
	switch format {
	case "csv", "fixed", "xml", "xlsx":
		return r
	}
	cs, n := charsetOfBOM(head)
	if n == 0 && len(head) >= 4 && (head[0] == 0) != (head[1] == 0) { // all of these formats begin with an ASCII character
		cs = unmarkedWide(head)
	}
	if !cs.wide {
		return r
	}
	_, _ = io.CopyN(io.Discard, r, int64(n)) // it was seen
	return transform.NewReader(r, cs.enc.NewDecoder())
}

// unmarkedWide tells UTF-16 without a byte order mark by the NUL in each of its ASCII characters, of which separators and
// line ends are some in every format.
func unmarkedWide(head []byte) charset {
	var nul [2]int
	for i, c := range head[:min(len(head), 512)] {
		if c == 0 {
			nul[i%2]++
		}
	}
	switch {
	case nul[0] == 0 && nul[1] > 1:
		return utf16Charset(false)
	case nul[1] == 0 && nul[0] > 1:
		return utf16Charset(true)
	}
	return charset{}
}
