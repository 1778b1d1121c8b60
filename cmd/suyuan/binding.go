package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/schemas"
)

// EPCISConfig is the EPCIS REST binding under /epcis.
type EPCISConfig struct {
	// GCPLength is how many digits every GS1 company prefix has, 6 to 12, and GCPTable a file of lines "prefix, tab, length",
	// which goes before. They are needed where an answer is to be in EPC URNs but an event was stated in Digital Links;
	// without them those stay Digital Links.
	GCPLength int    `yaml:"gcpLength" min:"6" max:"12"`
	GCPTable  string `yaml:"gcpTable"`
	// MaxEvents and MaxBytes bound one posted document; the defaults are 10,000,000 events and 4GiB.
	MaxEvents int             `yaml:"maxEvents" min:"1"`
	MaxBytes  strictyaml.Size `yaml:"maxBytes"`
	// DeliverTo are networks, such as 10.1.0.0/16, that subscriptions may be delivered into besides public addresses: a partner
	// chooses the destination, and the hub may stand beside what partners must not reach. Where it is not stated and Listen is a
	// loopback address, so that all who reach the hub are on its machine, loopback addresses are delivered to.
	DeliverTo []network `yaml:"deliverTo"`
	// Serve makes this process the one that serves the binding where several share a store, because posted documents wait on
	// its disk and each subscription is delivered once. A hub with a store of its own always serves it.
	Serve bool `yaml:"serve"`
}

// network is a network as the configuration has it.
type network struct{ netip.Prefix }

// UnmarshalText parses the text form.
func (n *network) UnmarshalText(text []byte) (err error) {
	if n.Prefix, err = netip.ParsePrefix(string(text)); err != nil {
		return fmt.Errorf(`found %q where a network such as "10.1.0.0/16" is expected`, text)
	}
	return nil
}

// deliverTo are the networks that subscriptions may be delivered into.
func (c *Config) deliverTo() (into []netip.Prefix) {
	for _, n := range c.EPCIS.DeliverTo {
		into = append(into, n.Prefix)
	}
	if host, _, err := net.SplitHostPort(c.Listen); c.EPCIS.DeliverTo == nil && err == nil {
		if at, err := netip.ParseAddr(host); host == "localhost" || err == nil && at.IsLoopback() {
			into = append(into, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
		}
	}
	return into
}

// gs1 reads what is known of company prefixes.
func (c *Config) gs1() (gs1.Options, error) {
	o := gs1.Options{GCPLength: c.EPCIS.GCPLength}
	if c.EPCIS.GCPTable == "" {
		return o, nil
	}
	file, err := os.Open(c.path(c.EPCIS.GCPTable))
	if err != nil {
		return o, hub.Faultf(hub.Invalid, "gs1.table", "cannot read the table of company prefixes").Because(err).
			WithHint("name a file under epcis.gcpTable: with the lines prefix, tab, length")
	}
	defer file.Close()
	o.Table, err = gs1.LoadPrefixTable(file)
	return o, err
}

// openBinding makes the EPCIS REST binding. It holds its clients to every rule of the standard.
func (h *Hub) openBinding(context.Context) error {
	if h.cfg.shared() && !h.cfg.EPCIS.Serve {
		return nil
	}
	prefixes, err := h.cfg.gs1()
	if err != nil {
		return err
	}
	strict := h.schemas.With(schemas.ValidateOptions{Rules: true})
	h.binding, err = epcisrest.New(epcisrest.Deps{
		Log: h.log, Now: time.Now, Authorize: h.api.Authorize, Keys: h.store.Keys, Publisher: h.pipeline, Events: h.store, Size: h.store, Records: h.store,
		Jobs: h.store, Queries: h.store, Subscriptions: h.store, Deliveries: h.store, Registerer: h.registry,
		ValidateEvent: strict.ValidateEvent, ValidateDocument: strict.ValidateDocument, Space: h.cfg.stream().CheckSpace, Dir: h.cfg.data("capture"),
	}, epcisrest.Config{
		PublicURL: h.cfg.PublicURL, MaxEvents: h.cfg.EPCIS.MaxEvents, MaxBytes: int64(h.cfg.EPCIS.MaxBytes), GS1: prefixes, DeliverTo: h.cfg.deliverTo(), Version: version(),
	})
	return err
}
