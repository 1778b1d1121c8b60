package epcisrest

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Whoever may query may subscribe, and so have the hub post to an address of their choice. It stands where they do not: beside
// the operator's own machines. So only public addresses are posted to, and those of networks that the operator names.

// errInside says that a destination is at an address that is not public.
var errInside = errors.New("the address is not public")

// notPublic are the networks that [netip.Addr] does not tell from public ones: those of the IANA's special-purpose registries, and
// those that lead to any IPv4 address by another way.
//
//nolint:gochecknoglobals // read-only table
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

// reachable reports whether results may be posted to an address.
func reachable(a netip.Addr, allowed []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	holds := func(p netip.Prefix) bool { return p.Contains(a) }
	return slices.ContainsFunc(allowed, holds) || a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(notPublic, holds)
}

// destinations is how destinations are reached. The address is judged that is connected to, whatever name it has and whatever that
// name led to before. Redirects are not followed, and no proxy is asked.
func destinations(allowed []netip.Prefix) *http.Transport {
	dialer := &net.Dialer{
		Timeout: deliverTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !reachable(at.Addr(), allowed) {
				return errInside
			}
			return nil
		},
	}
	return &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
}

// unreached says why a result could not be posted. Of what is inside, its address is not told: a name would become a map.
func unreached(err error) error {
	if errors.Is(err, errInside) {
		f := hub.Faultf(hub.Unavailable, "subscription.inside", "the destination is at an address that is not public").
			WithHint("have the hub's operator name its network under epcis.deliverTo")
		f.MessageZh, f.HintZh = "目的地址不是公网地址", "请溯源平台运营方在 epcis.deliverTo 中列出该网络"
		return f
	}
	return hub.Faultf(hub.Unavailable, "subscription.dest", "the destination cannot be reached").Because(err)
}

// checkDest refuses destinations that nothing can be posted to.
func (s *Server) checkDest(dest string) error {
	u, err := url.Parse(dest)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(dest) > 2048 {
		return refuse(validation, http.StatusBadRequest, "subscription.dest", "dest is no http or https URL without user and password",
			"dest 必须是不含用户名和密码的 http 或 https 地址").at("/dest")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !reachable(a, s.DeliverTo) {
		return refuse(validation, http.StatusBadRequest, "subscription.inside", "dest is at an address that is not public",
			"dest 不是公网地址").at("/dest").hint("have the hub's operator name its network under epcis.deliverTo",
			"请溯源平台运营方在 epcis.deliverTo 中列出该网络")
	}
	return nil
}
