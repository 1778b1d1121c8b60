package decode

import (
	"archive/zip"
	"bufio"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// What a packed item may unpack to: beyond bombFloor bytes, no more than bombRatio times what was read.
const (
	bombFloor = 64 << 20
	bombRatio = 300
	// maxEntries is how many files an archive may hold.
	maxEntries = 10_000
	// maxPacked is how often an item may be packed in another packing.
	maxPacked = 2
)

// unpacking is a decoder whose items may be packed, or be an archive. The files of an archive are split one after the
// other, in the archive's order; lines count within each file.
type unpacking struct {
	Decoder
	format string
	depth  int
}

// splitDoubting implements doubting where the decoder inside does.
func (u unpacking) splitDoubting(r io.Reader, yield func(connectors.Piece) error, doubts *hub.Faults) error {
	if d, ok := u.Decoder.(*ediDecoder); ok {
		u.Decoder = telling{ediDecoder: d, doubts: doubts}
	}
	return u.Split(r, yield)
}

// telling is an EDI decoder whose Split tells its doubts.
type telling struct {
	*ediDecoder
	doubts *hub.Faults
}

func (t telling) Split(r io.Reader, yield func(connectors.Piece) error) error {
	return t.splitDoubting(r, yield, t.doubts)
}

// peek returns the first n bytes, or as many as there are, and a reader of all. What is in memory already needs no buffer.
func peek(r io.Reader, n int) (io.Reader, []byte, error) {
	if b := held(r); b != nil {
		return r, b[:min(n, len(b))], nil
	}
	br := bufio.NewReaderSize(r, 4096)
	head, err := br.Peek(n)
	return br, head, err
}

// Split implements connectors.Splitter.
func (u unpacking) Split(r io.Reader, yield func(connectors.Piece) error) error {
	if u.depth++; u.depth > maxPacked+1 {
		return refuse("packed.depth", hub.Where{}, say("the item is packed more than %d times over", "内容被重复压缩超过 %d 层", maxPacked))
	}
	br, head, err := peek(r, longestMagic)
	if err != nil && !errors.Is(err, io.EOF) {
		return u.Decoder.Split(br, yield) // which meets the same error and names it
	}
	if p, ok := packingOf(head); ok {
		return u.unpack(p, br, yield)
	}
	if what, code := notRead(head); what != "" {
		return refuse(code, hub.Where{}, say("this is %s", "此文件无法读取：%s", what))
	}
	if strings.HasPrefix(string(head), zipMagic) && u.format != "xlsx" {
		return u.unzip(br, yield)
	}
	return u.Decoder.Split(narrowed(br, head, u.format), yield)
}

// Pick implements [Picker] where the decoder inside does.
func (u unpacking) Pick(preamble, body []byte, names *Names) (Tree, error) {
	if p, ok := u.Decoder.(Picker); ok {
		return p.Pick(preamble, body, names)
	}
	return u.Decode(preamble, body)
}

// unpack splits what a packing holds.
func (u unpacking) unpack(p packing, r io.Reader, yield func(connectors.Piece) error) (err error) {
	packed := &counting{r: r}
	zr, err := p.open(packed)
	if err != nil {
		return torn(p.name, "", err)
	}
	defer func() { err = errors.Join(err, zr.Close()) }()
	return u.Split(&guarded{r: zr, name: p.name, packed: func() int64 { return packed.n }}, yield)
}

// unzip spools the archive, whose directory is at its end, to a file of its own.
func (u unpacking) unzip(r io.Reader, yield func(connectors.Piece) error) (err error) {
	spool, err := os.CreateTemp("", "suyuan-zip-*")
	if err != nil {
		return hub.Faultf(hub.Unavailable, "zip.spool", "cannot hold the archive").Because(err)
	}
	defer func() {
		err = errors.Join(err, spool.Close(), os.Remove(spool.Name()))
	}()
	n, err := io.Copy(spool, r)
	if err != nil {
		return torn("zip", "", err)
	}
	archive, err := zip.NewReader(spool, n)
	if err != nil {
		return torn("zip", "", err)
	}
	if len(archive.File) > maxEntries {
		return refuse("zip.size", hub.Where{}, say("the archive holds %d files, at most %d are read",
			"压缩包内有 %d 个文件，最多读取 %d 个", len(archive.File), maxEntries))
	}
	for _, f := range archive.File {
		if passedOver(f.Name) {
			continue
		}
		if err := u.entry(f, yield); err != nil {
			return err
		}
	}
	return nil
}

// passedOver reports whether an archive's entry is a folder, or one of the files that systems hide in archives.
func passedOver(name string) bool {
	return strings.HasSuffix(name, "/") || strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(path.Base(name), ".")
}

func (u unpacking) entry(f *zip.File, yield func(connectors.Piece) error) (err error) {
	if f.Flags&1 != 0 {
		return refuse("zip.encrypted", hub.Where{File: f.Name}, say("the file is encrypted", "该文件已加密").
			hint("ask the sender for an archive without a password", "请让发送方提供不带密码的压缩包"))
	}
	rc, err := f.Open()
	if err != nil {
		return torn("zip", f.Name, err)
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	size := int64(f.CompressedSize64)
	plain := bufio.NewReaderSize(&guarded{r: rc, name: "zip", file: f.Name, packed: func() int64 { return size }}, 4096)
	head, _ := plain.Peek(longestMagic) // an error comes again
	err = u.Decoder.Split(narrowed(plain, head, u.format), yield)
	if fault, ok := errors.AsType[*hub.Fault](err); ok && fault.Where.File == "" {
		placed := *fault
		placed.Where.File = f.Name
		return &placed
	}
	return err
}

// torn is the fault of a packed item that cannot be unpacked.
func torn(packing, file string, err error) *hub.Fault {
	return refuse(packing+".corrupt", hub.Where{File: file}, say("the %s data are torn", "%s 数据不完整或已损坏", packing).
		hint("have the file sent again", "请重新发送该文件")).Because(err)
}

// counting counts what was read through it.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// guarded reads unpacked data, names what tears them, and stops a bomb.
type guarded struct {
	r          io.Reader
	name, file string
	packed     func() int64
	n          int64
}

func (g *guarded) Read(b []byte) (int, error) {
	n, err := g.r.Read(b)
	g.n += int64(n)
	if g.n > bombFloor && g.n/bombRatio > g.packed() {
		return 0, refuse(g.name+".size", hub.Where{File: g.file}, say(
			"the data unpack to more than %d times their size", "数据解压后超过原大小的 %d 倍", bombRatio))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, torn(g.name, g.file, err)
	}
	return n, err
}
