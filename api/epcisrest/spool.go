package epcisrest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// spooled is a posted document on its way to the disk: what is read of it is written to a file and to its skeleton, so that
// the document is checked while it arrives and never in memory as a whole.
type spooled struct {
	s        *Server
	file     *os.File
	skeleton *skeleton
	left     int64 // bytes that may come
	room     int64 // bytes that may be written before the disk is asked again
	body     io.Reader
}

// spoolStep is how much is written before the disk is asked again whether it has room.
const spoolStep = 16 << 20

// space refuses a document for which the disk has no room but what is kept for recording: a document of 4 GiB may come as 4 MiB.
func (s *Server) space() error {
	err := s.Space()
	if err == nil {
		return nil
	}
	s.log.Warn("a posted document is refused", zap.Error(err)) // it names the folder
	f := hub.Faultf(hub.Unavailable, "capture.space", "the hub's disk has no room for documents now").
		WithHint("send it again later; nothing of it was kept")
	f.MessageZh, f.HintZh = "系统磁盘空间不足，暂不能接收文档", "请稍后重新发送"
	return f
}

func (s *Server) newSpool(name string, body io.Reader) (*spooled, error) {
	if err := s.space(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.spoolPath(name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, hub.Faultf(hub.Unavailable, "capture.spool", "the document cannot be kept").Because(err)
	}
	return &spooled{s: s, file: f, skeleton: newSkeleton(maxHeader), left: s.MaxBytes, room: spoolStep, body: body}, nil
}

func (s *Server) spoolPath(name string) string { return filepath.Join(s.Dir, filepath.Base(name)) }

// Read implements [io.Reader].
func (d *spooled) Read(p []byte) (int, error) {
	n, err := d.body.Read(p)
	if d.left -= int64(n); d.left < 0 {
		return 0, tooManyBytes(d.s.MaxBytes)
	}
	if d.room -= int64(n); d.room < 0 {
		d.room = spoolStep
		if err := d.s.space(); err != nil {
			return 0, err
		}
	}
	if n > 0 {
		if _, werr := d.file.Write(p[:n]); werr != nil {
			return 0, hub.Faultf(hub.Unavailable, "capture.spool", "the document cannot be kept").Because(werr)
		}
	}
	if f, ok := errors.AsType[*hub.Fault](err); ok {
		return n, as(validation, http.StatusBadRequest, f)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, as(validation, http.StatusBadRequest, hub.Faultf(hub.Invalid, "capture.body", "the body ended before its time").Because(err))
	}
	return n, err
}

func tooManyBytes(limit int64) error {
	n := strconv.FormatInt(limit, 10)
	return refuse(captureLimitExceeded, http.StatusRequestEntityTooLarge, "capture.bytes", "the document has more than "+n+" bytes",
		"文档超过 "+n+" 字节").hint("split the document", "请拆分文档")
}

// discard removes a document that is not taken.
func (d *spooled) discard() { _ = errors.Join(d.file.Close(), os.Remove(d.file.Name())) }

// keep makes the document durable.
func (d *spooled) keep() error {
	if err := errors.Join(d.file.Sync(), d.file.Close(), syncDir(d.s.Dir)); err != nil {
		return hub.Faultf(hub.Unavailable, "capture.spool", "the document cannot be kept").Because(err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// check reads the whole document, which writes it, and checks it: first every event, then what is around them.
func (d *spooled) check(c *reading, xml bool) (*epcis.Header, error) {
	var from io.Reader = d
	if !xml {
		from = io.TeeReader(d, d.skeleton)
	}
	header, err := epcis.ReadDocument(from, limits(), c.visit)
	if err == nil {
		_, err = io.Copy(io.Discard, d) // an XML reader may stop at the last tag
	}
	if err != nil {
		return nil, errors.Join(rootCause(err))
	}
	if xml {
		err = d.checkXML()
	} else {
		err = d.checkSkeleton(header)
	}
	return header, err
}

// rootCause brings what a reader was stopped by to the front.
func rootCause(err error) error {
	if e, ok := errors.AsType[*exception](err); ok {
		return e
	}
	if f, ok := errors.AsType[*hub.Fault](err); ok && f.Code == "epcis.document.read" {
		if inner, ok := errors.AsType[*hub.Fault](f.Err); ok {
			return inner
		}
	}
	return err
}

func (d *spooled) checkXML() error {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return hub.Faultf(hub.Unavailable, "capture.spool", "the document cannot be read again").Because(err)
	}
	return epcis.CheckXML(d.file, limits())
}

// checkSkeleton judges the document without its events.
func (d *spooled) checkSkeleton(h *epcis.Header) error {
	if h.Type == "" {
		return refuse(validation, http.StatusBadRequest, "capture.list", "this is a list of events without a document around them",
			"这是一个没有文档包装的事件列表").hint("put them into an EPCISDocument", "请放入 EPCISDocument")
	}
	return pointersOnly(d.s.ValidateDocument(d.skeleton.out))
}
