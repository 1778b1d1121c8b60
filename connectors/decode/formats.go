package decode

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// Formats returns the table of formats, in the order in which they are listed and, among equals, detected.
func Formats() []Format {
	return []Format{
		csvFormat(), xlsxFormat(), jsonFormat(), ndjsonFormat(), xmlFormat(),
		edifactFormat(), x12Format(), tradacomsFormat(), fixedFormat(),
	}
}

// New builds the decoder of the format with the name. Settings are the YAML under that name in an instance file; nil
// means the defaults. The decoder also reads items of its format that are packed with gzip or in a zip archive. Faults:
// decode.format for a name that is not in the table, decode.settings with line and column within the settings.
func New(name string, settings []byte) (Decoder, error) {
	names := make([]string, 0, 9)
	for _, f := range Formats() {
		if f.Name != name {
			names = append(names, f.Name)
			continue
		}
		d, err := f.New(settings)
		if err != nil {
			return nil, err
		}
		return unpacking{Decoder: d, format: name}, nil
	}
	said := say("there is no format %q", "没有名为 %q 的格式", name)
	if near := spelling.Nearest(name, names, spelling.Typed); near != "" {
		return nil, refuse("decode.format", hub.Where{}, said.hint("did you mean "+near+"?", "是否想写 "+near+"？"))
	}
	all := strings.Join(names, ", ")
	return nil, refuse("decode.format", hub.Where{}, said.hint("the formats are "+all, "可用的格式："+all))
}

// formatNames lists the formats.
func formatNames() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// Detect names the format of an item by its first bytes; 64 KiB are plenty, 4 KiB usually enough. It looks into gzip
// and zip. False means that no format is sure of it: state the format then.
func Detect(head []byte) (string, bool) {
	inner := peelHead(peelHead(head))
	best, sure := "", 0
	for _, f := range Formats() {
		sample := inner
		if f.Name == "xlsx" {
			sample = head
		}
		if n := f.Detect(sample); n > sure {
			best, sure = f.Name, n
		}
	}
	return best, sure > 0
}

// peelHead unpacks as much of a packed head as there is.
func peelHead(head []byte) []byte {
	if p, ok := packingOf(head); ok {
		r, err := p.open(bytes.NewReader(head))
		if err != nil {
			return head
		}
		defer r.Close()
		return readUpTo(r)
	}
	if bytes.HasPrefix(head, []byte(zipMagic)) {
		return peelArchive(head)
	}
	return head
}

// peelArchive unpacks the beginning of the first file of an archive that is one: folders, and what hides, are no files.
func peelArchive(head []byte) []byte {
	for at := head; len(at) > 30 && bytes.HasPrefix(at, []byte(zipMagic)); {
		method, packed := binary.LittleEndian.Uint16(at[8:]), int(binary.LittleEndian.Uint32(at[18:]))
		named := 30 + int(binary.LittleEndian.Uint16(at[26:]))
		body := named + int(binary.LittleEndian.Uint16(at[28:]))
		if body > len(at) {
			break
		}
		switch name := string(at[30:named]); {
		case passedOver(name) && body+packed <= len(at):
			at = at[body+packed:]
		case method == 0 && packed > 0:
			return at[body:min(len(at), body+packed)]
		case method == 0:
			return at[body:]
		default:
			return readUpTo(flate.NewReader(bytes.NewReader(at[body:])))
		}
	}
	return head
}

// readUpTo reads a chunk, or as much of it as there is before the stream is cut.
func readUpTo(r io.Reader) []byte {
	b := make([]byte, chunk)
	n, _ := io.ReadFull(r, b)
	return b[:n]
}

// textHead returns head as UTF-8 text without a byte order mark and leading white space, for detection.
func textHead(head []byte) []byte {
	cs, n := charsetOfBOM(head)
	if n == 0 {
		cs = unmarkedWide(head)
	}
	head = head[n:]
	if cs.wide {
		if s, bad := cs.text(head[:len(head)&^1]); bad < 0 {
			head = []byte(s)
		}
	}
	return bytes.TrimLeft(head, " \t\r\n")
}
