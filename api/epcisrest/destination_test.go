package epcisrest_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/hub"
)

// A partner who subscribes does not have the hub post to the operator's own machines: not to their addresses, however they are
// written, nor to names that lead there.
func TestSubscriptionsAreNotDeliveredInside(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the hub posted to its own machine") }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for dest, literal := range map[string]bool{
		inside.URL: true, "http://localhost" + port: false, "http://[::1]" + port: true, "http://[::ffff:127.0.0.1]" + port: true,
		"http://0.0.0.0" + port: true, "http://[::]" + port: true,
	} {
		delivery, taking := epcisrest.Post(t.Context(), dest)
		if f := hub.AsFault(delivery); f.Code != "subscription.inside" || f.Hint == "" || strings.Contains(f.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", dest, delivery)
		}
		if (taking != nil) != literal {
			t.Errorf("%s as a destination: %v", dest, taking)
		}
	}
	// Ways to write 127.0.0.1 that some resolvers know lead nowhere.
	for _, dest := range []string{"http://0x7f000001" + port, "http://2130706433" + port, "http://127.1" + port} {
		if delivery, _ := epcisrest.Post(t.Context(), dest); delivery == nil {
			t.Errorf("%s was reached", dest)
		}
	}
}

func TestSubscriptionsAreDeliveredIntoNetworksThatTheOperatorNames(t *testing.T) {
	posted := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted++ }))
	defer inside.Close()
	for _, dest := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1)} {
		if delivery, taking := epcisrest.Post(t.Context(), dest, netip.MustParsePrefix("127.0.0.0/8")); delivery != nil || taking != nil {
			t.Errorf("%s: %v, %v", dest, delivery, taking)
		}
	}
	if posted != 2 {
		t.Errorf("%d results were posted", posted)
	}
}

func TestWhichAddressesArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "93.184.216.34": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "127.0.0.2": false,
		"0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "::": false, "::1": false, "fe80::1": false,
		"fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false, "::ffff:10.0.0.1": false, "::10.0.0.1": false,
		"64:ff9b::a00:1": false, "2002:a00:1::": false, "2001::1": false,
	} {
		if got := epcisrest.Reachable(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if !epcisrest.Reachable("::ffff:10.0.0.1", netip.MustParsePrefix("10.0.0.0/8")) || epcisrest.Reachable("10.0.0.1", netip.MustParsePrefix("10.1.0.0/16")) {
		t.Error("a network that is named, and one beside it")
	}
}
