package epcisrest

import (
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// The versions that this binding speaks. EPCIS 1.2 XML is understood in capture as well.
const (
	epcisVersion = "2.0.0"
	cbvVersion   = "2.0.0"
)

// The values of GS1-EPC-Format and, without the one for EPCs, GS1-CBV-XML-Format.
const (
	noPreference    = "No_Preference"
	alwaysLink      = "Always_GS1_Digital_Link"
	alwaysURN       = "Always_EPC_URN"
	neverTranslates = "Never_Translates"
	cbvWebURI       = "Always_Web_URI"
	cbvURN          = "Always_URN"
)

// stateVersions puts into h what every answer states.
func (s *Server) stateVersions(h http.Header) {
	h.Set("GS1-EPCIS-Version", epcisVersion)
	h.Set("GS1-CBV-Version", cbvVersion)
}

// stateAbilities puts into h what an answer to OPTIONS states.
func (s *Server) stateAbilities(h http.Header) {
	s.stateVersions(h)
	h.Set("GS1-EPCIS-Min", epcisVersion)
	h.Set("GS1-EPCIS-Max", epcisVersion)
	h.Set("GS1-CBV-Min", cbvVersion)
	h.Set("GS1-CBV-Max", cbvVersion)
	h.Set("GS1-EPC-Format", strings.Join([]string{noPreference, alwaysLink, alwaysURN, neverTranslates}, ", "))
	h.Set("GS1-CBV-XML-Format", strings.Join([]string{noPreference, cbvWebURI, cbvURN, neverTranslates}, ", "))
	h.Set("GS1-Extensions", "suyuan=https://suyuan.dev/epcis/")
	h.Set("GS1-Vendor-Version", "suyuan-"+s.Version)
}

// limitHeaders puts the limits of capture into h.
func (s *Server) limitHeaders(h http.Header) {
	h.Set("GS1-EPCIS-Capture-Limit", strconv.Itoa(s.MaxEvents))
	h.Set("GS1-EPCIS-Capture-File-Size-Limit", strconv.FormatInt(s.MaxBytes, 10))
}

// checkVersions refuses a request for versions that are not spoken here. xml is true for a posted XML document, which may
// be of an older version.
func checkVersions(r *http.Request, xml bool) error {
	for _, c := range []struct {
		header string
		own    string
		bad    func(asked, own []int) bool
	}{
		{"GS1-EPCIS-Version", epcisVersion, func(a, o []int) bool { return compareVersions(a, o) != 0 && (!xml || a[0] != 1) }},
		{"GS1-CBV-Version", cbvVersion, func(a, o []int) bool { return compareVersions(a, o) > 0 || a[0] < 1 }},
		{"GS1-EPCIS-Min", epcisVersion, func(a, o []int) bool { return compareVersions(a, o) > 0 }},
		{"GS1-EPCIS-Max", epcisVersion, func(a, o []int) bool { return compareVersions(a, o) < 0 }},
		{"GS1-CBV-Min", cbvVersion, func(a, o []int) bool { return compareVersions(a, o) > 0 }},
		{"GS1-CBV-Max", cbvVersion, func(a, o []int) bool { return compareVersions(a, o) < 0 }},
	} {
		stated := strings.TrimSpace(r.Header.Get(c.header))
		if stated == "" {
			continue
		}
		asked, ok := parseVersion(stated)
		own, _ := parseVersion(c.own)
		if !ok || c.bad(asked, own) {
			return refuse(notAcceptable, http.StatusNotAcceptable, "epcis.version",
				c.header+" is "+strconv.Quote(stated)+", this server speaks "+c.own, c.header+" 的值 "+strconv.Quote(stated)+" 不受支持，本服务支持 "+c.own).
				at(c.header).hint("leave the header out, or ask for 2.0.0", "请去掉该请求头，或使用 2.0.0")
		}
	}
	return nil
}

// parseVersion parses digits with dots.
func parseVersion(s string) ([]int, bool) {
	var v []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || part[0] == '+' || len(v) == 8 {
			return nil, false
		}
		v = append(v, n)
	}
	return v, true
}

// compareVersions compares as far as the shorter one goes, so that 2.0 is 2.0.0; patches are of no matter.
func compareVersions(a, b []int) int {
	n := min(len(a), len(b), 2)
	return slices.Compare(a[:n], b[:n])
}

// accepts reports whether an Accept header takes one of the media types, and which it likes best.
func accepts(r *http.Request, offered ...string) (string, bool) {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return offered[0], true
	}
	best, most, found := "", 0.0, false
	for _, offer := range offered {
		if q := quality(header, offer); q > most {
			best, most, found = offer, q, true
		}
	}
	return best, found
}

// quality is how much an Accept header likes a media type: the q of the most specific range that holds it.
func quality(header, offer string) float64 {
	kind, _, _ := strings.Cut(offer, "/")
	best, q := -1, 0.0
	for part := range strings.SplitSeq(header, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		rank := -1
		switch media {
		case offer:
			rank = 2
		case kind + "/*":
			rank = 1
		case "*/*":
			rank = 0
		}
		if rank < 0 || rank < best {
			continue
		}
		best, q = rank, 1
		if text, ok := params["q"]; ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				q = v
			}
		}
	}
	return q
}

// Media types that documents come and go as.
const (
	mediaJSON   = "application/json"
	mediaLDJSON = "application/ld+json"
	mediaXML    = "application/xml"
	mediaText   = "text/xml"
)

// wantsXML reports whether a client likes XML better than JSON.
func wantsXML(r *http.Request) bool {
	media, ok := accepts(r, mediaJSON, mediaLDJSON, "application/problem+json", mediaXML, mediaText, "application/problem+xml")
	return ok && strings.HasSuffix(media, "xml")
}

// onlyJSON refuses a client that does not take JSON.
func onlyJSON(r *http.Request) error {
	if _, ok := accepts(r, mediaJSON, mediaLDJSON, "application/problem+json"); ok {
		return nil
	}
	return refuse(notAcceptable, http.StatusNotAcceptable, "epcis.accept", "this resource is JSON only",
		"该资源只提供 JSON").at("Accept").hint("accept application/json", "请接受 application/json")
}

// posted returns the media type of a request body if it is one of the accepted ones, and makes the body be read unpacked.
// Whoever reads it bounds what it unpacks to.
func posted(r *http.Request, accepted ...string) (string, error) {
	stated := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(stated)
	if err == nil && slices.Contains(accepted, media) {
		return media, unpack(r)
	}
	return "", refuse(unsupportedMedia, http.StatusUnsupportedMediaType, "epcis.media-type",
		"the content type "+strconv.Quote(stated)+" is not accepted here", "不接受内容类型 "+strconv.Quote(stated)).
		at("Content-Type").hint("send "+strings.Join(accepted, " or "), "请使用 "+strings.Join(accepted, " 或 "))
}

// unpack replaces the body of a request by what its Content-Encoding stands for.
func unpack(r *http.Request) error {
	switch coding := strings.ToLower(strings.Join(r.Header.Values("Content-Encoding"), ",")); strings.TrimSpace(coding) {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		u := &unpacked{packed: r.Body}
		var err error
		if u.gzip, err = gzip.NewReader(packed{u}); err != nil {
			f := hub.Faultf(hub.Invalid, "capture.gzip", "the body is not valid gzip").Because(err)
			f.MessageZh = "请求体不是有效的 gzip"
			return f
		}
		r.Body = u
		r.ContentLength = -1
		return nil
	default:
		return refuse(unsupportedMedia, http.StatusUnsupportedMediaType, "epcis.encoding",
			"the content encoding "+strconv.Quote(coding)+" is not accepted here", "不接受内容编码 "+strconv.Quote(coding)).
			at("Content-Encoding").hint("send gzip or no encoding", "请用 gzip 或不编码")
	}
}

// unpacked is a body that came packed. Whoever reads it bounds what it unpacks to, and it bounds by that what it reads:
// gzip may hold any number of members with nothing in them, which would keep a reader busy for ever.
type unpacked struct {
	gzip    *gzip.Reader
	packed  io.ReadCloser
	in, out int64
}

// Read implements [io.Reader].
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.gzip.Read(p)
	u.out += int64(n)
	return n, err
}

// Close implements [io.Closer].
func (u *unpacked) Close() error { return u.packed.Close() }

// overhead is how many packed bytes may come beyond what they unpack to: headers, and the reader's buffer.
const overhead = 64 << 10

// packed is the packed side of a body.
type packed struct{ *unpacked }

// Read implements [io.Reader].
func (r packed) Read(p []byte) (int, error) {
	if r.in > r.out+r.out/100+overhead {
		f := hub.Faultf(hub.Invalid, "capture.gzip", "the gzip body is larger than what it unpacks to")
		f.MessageZh = "gzip 请求体比解压后的内容还大"
		return 0, f.WithHint("send it without Content-Encoding")
	}
	n, err := r.packed.Read(p)
	r.in += int64(n)
	return n, err
}

// view is how a client wants events to be shown.
type view struct {
	format epcis.Format
	media  string
	epcs   string
	cbv    epcis.CBVFormat
}

// viewOf reads what a client wants of documents.
func viewOf(r *http.Request) (view, error) {
	v := view{format: epcis.JSON}
	media, ok := accepts(r, mediaJSON, mediaLDJSON, mediaXML, mediaText)
	if !ok {
		return v, refuse(notAcceptable, http.StatusNotAcceptable, "epcis.accept",
			"Accept is "+strconv.Quote(r.Header.Get("Accept"))+"; documents come as JSON or XML", "Accept 无法满足：仅提供 JSON 或 XML").
			at("Accept").hint("accept application/json, application/ld+json, application/xml or text/xml",
			"请接受 application/json、application/ld+json、application/xml 或 text/xml")
	}
	v.media = media
	if media == mediaXML || media == mediaText {
		v.format = epcis.XML
	}
	var err error
	if v.epcs, err = choice(r, "GS1-EPC-Format", alwaysLink, noPreference, alwaysLink, alwaysURN, neverTranslates); err != nil {
		return v, err
	}
	cbv, err := choice(r, "GS1-CBV-XML-Format", noPreference, noPreference, cbvWebURI, cbvURN, neverTranslates)
	v.cbv = epcis.AsURN
	if cbv == cbvWebURI {
		v.cbv = epcis.AsWebURI
	}
	return v, err
}

// choice reads a header that has one of a few values.
func choice(r *http.Request, header, otherwise string, allowed ...string) (string, error) {
	stated := strings.TrimSpace(r.Header.Get(header))
	if stated == "" {
		return otherwise, nil
	}
	for _, a := range allowed {
		if strings.EqualFold(a, stated) {
			return a, nil
		}
	}
	return "", refuse(notAcceptable, http.StatusNotAcceptable, "epcis.header", header+" is "+strconv.Quote(stated)+"; allowed are "+
		strings.Join(allowed, ", "), header+" 的值 "+strconv.Quote(stated)+" 无效，允许的值为 "+strings.Join(allowed, ", ")).at(header)
}

// extensions reads the prefixes that a client explains in GS1-Extensions: prefix=namespace, separated by commas.
func extensions(r *http.Request) *epcis.Context {
	prefixes := map[string]string{}
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("GS1-Extensions"), ","), ",") {
		if prefix, ns, ok := strings.Cut(strings.TrimSpace(part), "="); ok && prefix != "" && len(prefixes) < 64 {
			prefixes[prefix] = ns
		}
	}
	if len(prefixes) == 0 {
		return nil
	}
	return epcis.NewContext(prefixes)
}
