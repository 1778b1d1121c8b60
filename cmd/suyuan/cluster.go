package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/trace"
)

// StoreConfig is where events are recorded: at most one member; none is the embedded SQLite in the data folder.
type StoreConfig struct {
	// Postgres is a PostgreSQL database, which several hub processes may share.
	Postgres *PostgresConfig `yaml:"postgres"`
}

// PostgresConfig names a database.
type PostgresConfig struct {
	// URL is a reference to the connection URL, which holds a password.
	URL strictyaml.Secret `yaml:"url,required"`
	// Connections bounds the connections of this process; the default is 16.
	Connections int `yaml:"connections" min:"4"`
}

// The roles that a hub process may have.
const (
	roleIngest   = "ingest"   // takes and polls
	rolePipeline = "pipeline" // maps, validates, records
	roleAnchor   = "anchor"   // seals and commits, or stands by to
	roleWeb      = "web"      // shows pages to people
)

var allRoles = []string{roleIngest, rolePipeline, roleAnchor, roleWeb} //nolint:gochecknoglobals // a list

// hasRole reports whether this process has a role; without a list it has every one.
func (c *Config) hasRole(role string) bool {
	return len(c.Roles) == 0 || slices.Contains(c.Roles, role)
}

// shared reports whether other hub processes may use the same store.
func (c *Config) shared() bool { return c.Store.Postgres != nil }

// checkRoles refuses roles that there are not, and processes that would wait for others which cannot be.
func (c *Config) checkRoles(at func(path string) hub.Where) hub.Faults {
	var faults hub.Faults
	for i, role := range c.Roles {
		if !slices.Contains(allRoles, role) {
			faults = append(faults, hub.Faultf(hub.Invalid, "config.role", "there is no role %q", role).
				WithHint("roles are "+strings.Join(allRoles, ", ")).At(at(fmt.Sprintf("roles[%d]", i))))
		}
	}
	if len(c.Roles) > 0 && (c.Stream.URL == "" || !c.shared()) {
		faults = append(faults, hub.Faultf(hub.Invalid, "config.roles", "a process with some of the roles needs others beside it").
			WithHint("name what they share with stream.url and store.postgres, or leave roles out").At(at("roles")))
	}
	return faults
}

// database is a store: what the parts of the hub ask of one, together.
type database interface { //nolint:interfacebloat // each part asks for at most four
	pipeline.Appender
	pipeline.Morgue
	anchor.Leaves
	anchor.Journal
	trace.Library
	connectors.Positions
	api.Keyring
	api.Records
	capturing
	remaking
	ping
}

// capturing is what the EPCIS binding asks of a store.
type capturing interface { //nolint:interfacebloat // the sum of what the binding declares, each for itself
	epcisrest.Events
	epcisrest.Log
	epcisrest.Records
	epcisrest.Jobs
	epcisrest.Queries
	epcisrest.Subscriptions
	epcisrest.Deliveries
}

type ping interface {
	Ping(ctx context.Context) error
	Close() error
}

// opening is how a store is opened.
type opening struct {
	// indexing is told how far an index has come that is made again, after an upgrade for instance; damaged, where parts of one are
	// made again while it runs, how many there are. nil is told nothing.
	indexing func(done, of uint64)
	damaged  func(parts int, err error)
	// beside says that a hub may run on the store: its schema stays as it is.
	beside bool
}

// openDatabase opens the store that the configuration names, and the leases of one that several processes share.
func (c *Config) openDatabase(ctx context.Context, o opening) (database, leases, error) {
	leafHash := c.Anchor.hash().Leaf
	if p := c.Store.Postgres; p != nil {
		s, err := postgres.Open(ctx, postgres.Config{
			URL: p.URL.Reveal(), Connections: p.Connections, LeafHash: leafHash, Resident: makeRoom, Indexing: o.indexing, Beside: o.beside,
		})
		return s, s, err
	}
	s, err := sqlite.Open(ctx, sqlite.Config{
		Path: c.data(storeFile), Now: now, LeafHash: leafHash, Resident: makeRoom, Indexing: o.indexing, Damaged: o.damaged, Beside: o.beside,
	})
	return s, nil, err
}

// leases says which of several processes does what only one may do.
type leases interface {
	// Lease runs lead while this process holds the lease of a name, until ctx is done.
	Lease(ctx context.Context, name string, lead func(ctx context.Context))
}

// The names of leases.
const (
	leaseSeal = "seal"
	leasePoll = "poll"
)

// seal seals and commits while this process holds the lease, and follows what another one does while it does not.
func (h *Hub) seal(ctx context.Context) error {
	if !h.cfg.shared() {
		h.sealing.Store(true)
		return h.anchor.Run(ctx)
	}
	unfollow := h.follow(ctx)
	if h.cfg.hasRole(roleAnchor) {
		h.leases.Lease(ctx, leaseSeal, func(leading context.Context) {
			unfollow()
			h.log.Info("this process seals and commits")
			h.sealing.Store(true)
			_ = h.anchor.Run(leading) // it has no error but the end of its context
			h.sealing.Store(false)
			h.releaseLedgers()
			unfollow = h.follow(ctx)
		})
	}
	<-ctx.Done()
	unfollow()
	return nil
}

// follow follows what another process seals and commits, until stop is called or ctx is done.
func (h *Hub) follow(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { _ = h.anchor.Follow(ctx) }) // as Run
	return func() {
		cancel()
		following.Wait()
	}
}

// poll reads the sources that are polled while this process holds the lease. What is pushed every process takes.
func (h *Hub) poll(ctx context.Context) {
	if !h.cfg.hasRole(roleIngest) {
		return
	}
	h.leases.Lease(ctx, leasePoll, func(leading context.Context) {
		h.setPolling(leading, true)
		<-leading.Done()
		if ctx.Err() == nil {
			h.setPolling(ctx, false)
		}
	})
}

// setPolling begins or ends polling with the folder as it is applied now.
func (h *Hub) setPolling(ctx context.Context, on bool) {
	h.adopting.Lock()
	defer h.adopting.Unlock()
	h.polling = on
	if err := h.host.Apply(ctx, h.mine(h.adopted)); err != nil && ctx.Err() == nil {
		h.log.Error("cannot begin or end polling", zap.Bool("polling", on), zap.Error(err))
	}
}

// mine are the instances that this process runs. The caller holds h.adopting.
func (h *Hub) mine(all []*connectors.Instance) []*connectors.Instance {
	if !h.cfg.hasRole(roleIngest) {
		return nil
	}
	if h.polling || !h.cfg.shared() {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(inst *connectors.Instance) bool {
		_, polled := inst.Options.(connectors.Opener)
		return polled
	})
}

// lateLedger opens its ledger at the first call, so that of several processes only the one that seals has it open.
type lateLedger struct {
	name string
	open func() (anchor.Ledger, error)

	mu     sync.Mutex
	ledger anchor.Ledger
}

func (l *lateLedger) get() (anchor.Ledger, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledger != nil {
		return l.ledger, nil
	}
	opened, err := l.open()
	if err != nil {
		return nil, err
	}
	l.ledger = opened
	return opened, nil
}

// Name implements [anchor.Ledger].
func (l *lateLedger) Name() string { return l.name }

// Commit implements [anchor.Ledger].
func (l *lateLedger) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	ledger, err := l.get()
	if err != nil {
		return hub.Evidence{}, err
	}
	return ledger.Commit(ctx, c)
}

// Lookup implements [anchor.Ledger].
func (l *lateLedger) Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	ledger, err := l.get()
	if err != nil {
		return hub.Checkpoint{}, hub.Evidence{}, err
	}
	return ledger.Lookup(ctx, origin, size)
}

// Latest implements [anchor.Ledger].
func (l *lateLedger) Latest(ctx context.Context, origin string) (hub.Checkpoint, error) {
	ledger, err := l.get()
	if err != nil {
		return hub.Checkpoint{}, err
	}
	return ledger.Latest(ctx, origin)
}

// Close implements [anchor.Ledger]. A call after it opens the ledger again.
func (l *lateLedger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ledger == nil {
		return nil
	}
	err := l.ledger.Close()
	l.ledger = nil
	return err
}

// releaseLedgers closes the ledgers that only one process may have open, for the one that seals next.
func (h *Hub) releaseLedgers() {
	for _, l := range h.ledgers {
		late, ok := l.Ledger.(*lateLedger)
		if !ok {
			continue
		}
		if err := late.Close(); err != nil {
			h.log.Warn("cannot close a ledger", zap.String("ledger", l.Name()), zap.Error(err))
		}
	}
}

// probeStore asks the database of the configuration whether it can be used.
func probeStore(ctx context.Context, c *Config) error {
	if c.Store.Postgres == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return postgres.Check(ctx, c.Store.Postgres.URL.Reveal())
}
