package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/internal/telemetry"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

func demoCommand(std stdio) *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use: "demo [--once] [--listen ADDR] [--dir DIR] [--fabric]", Short: "Run the whole hub with a sample consortium", Args: cobra.NoArgs,
		Long: `Run the whole hub, everything embedded, with a sample consortium: a brand's QR database (SQL) and its plant (EPCIS
capture), customs (XML files), a bonded warehouse (EDIFACT and CSV files) and a retailer's logistics (signed webhooks)
state the journey of one tin. The hub maps, records and anchors it; the demo then verifies every receipt.

With --fabric it anchors on a real Hyperledger Fabric network of three organisations, which it starts on this machine from
the programs peer, orderer, configtxgen and cryptogen of Fabric 2.5 or 3.1, on PATH or in the folder SUYUAN_FABRIC_BIN.
The contract is taken from there, too (suyuan-chaincode), or built from this repository.`,
		Example: "  suyuan demo\n  suyuan demo --once\n  suyuan demo --dir ./demo-data --listen 0.0.0.0:8080\n" +
			"  SUYUAN_FABRIC_BIN=~/fabric/bin suyuan demo --once --fabric",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.std = std
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&d.once, "once", false, "exit after the last receipt is verified: 0 if all hold, 1 if not")
	cmd.Flags().StringVar(&d.listen, "listen", "127.0.0.1:8080", "address to listen on")
	cmd.Flags().StringVar(&d.dir, "dir", "", "folder to keep everything in; a fresh temporary one when not given")
	cmd.Flags().BoolVar(&d.fabric, "fabric", false, "anchor on a Fabric network that is started for this run")
	cmd.Flags().StringVar(&d.logLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

// demo is one run of the sample consortium through a real hub.
type demo struct {
	std      stdio
	once     bool
	listen   string
	dir      string
	logLevel string
	fabric   bool

	hub *Hub
	key string // of the plant
	// network is the Fabric network of this run, or nil.
	network *fabricnet.Network
}

const demoHint = "a slow or full disk is the usual reason; --log-level info shows what the hub does"

// demoWait bounds how long the demo waits for the sample to be recorded and anchored.
const demoWait = 50 * time.Second

func (d *demo) run(ctx context.Context) (err error) {
	log, err := telemetry.Logger(d.std.err, d.logLevel, "console")
	if err != nil {
		return err
	}
	if err := checkListen(d.listen); err != nil {
		return err
	}
	cleanup, err := d.prepare(ctx)
	if err != nil {
		return err
	}
	defer cleanup()
	if d.fabric {
		if err := d.startFabric(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.network.Close()) }()
	}
	if err := d.open(ctx, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.hub.Close()) }()

	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.hub.Run(running) }()

	verified, err := d.tell(ctx)
	if ctx.Err() != nil {
		err = ctx.Err() // what failed, failed because of the interruption
	}
	if err == nil && !d.once {
		d.invite()
		select {
		case <-ctx.Done():
			d.say("\nstopping: what is in flight is recorded first")
		case err := <-ended:
			return err
		}
	}
	stop()
	if runErr := <-ended; runErr != nil {
		return errors.Join(err, runErr)
	}
	if err == nil && !verified {
		return errFailed
	}
	return err
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.std.out, format+"\n", args...) }

// prepare lays out the sample. The returned function removes what is temporary.
func (d *demo) prepare(ctx context.Context) (cleanup func(), err error) {
	cleanup = func() {}
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "suyuan-demo-"); err != nil {
			return nil, hub.Faultf(hub.Unavailable, "demo.folder", "cannot make a temporary folder").Because(err).
				WithHint("name one that can be written with --dir")
		}
		dir := d.dir
		cleanup = func() { _ = os.RemoveAll(dir) }
	}
	if err := sample.Write(ctx, filepath.Join(d.dir, "consortium")); err != nil {
		return nil, hub.Faultf(hub.Unavailable, "demo.folder", "cannot lay the sample out in %s", d.dir).Because(err).
			WithHint("name a folder that can be written with --dir")
	}
	return cleanup, nil
}

// demoConfig is the configuration of a demo in dir.
func demoConfig(dir, listen string) Config {
	cfg := defaultConfig()
	cfg.Listen, cfg.Data = listen, filepath.Join(dir, "data")
	cfg.Connectors = filepath.Join(dir, "consortium", "connectors")
	cfg.Anchor.Origin = "demo.suyuan.local/log"
	cfg.Anchor.MaxAge = 300 * time.Millisecond
	cfg.Stream.MinFree = 64 << 20
	return cfg
}

func (d *demo) open(ctx context.Context, log *zap.Logger) error {
	var err error
	cfg := demoConfig(d.dir, d.listen)
	if d.network != nil {
		c := d.network.Config(0)
		cfg.Anchor.Ledgers = []LedgerConfig{{Fabric: &c}}
	}
	if d.hub, err = OpenHub(ctx, cfg, log); err != nil {
		return err
	}
	greet(d.std.out, d.hub)
	return d.plantKey(ctx)
}

// startFabric starts the network. What it anchors is gone with it, so that it needs a hub without a past.
func (d *demo) startFabric(ctx context.Context) error {
	programs, err := fabricnet.Find()
	if err != nil {
		return hub.Faultf(hub.Unavailable, "demo.fabric", "there is no Fabric on this machine").Because(err).
			WithHint("see docs/testing.md; without --fabric the demo anchors on the embedded notary")
	}
	dir := filepath.Join(d.dir, "fabric")
	if _, err := os.Stat(filepath.Join(d.dir, "data")); err == nil {
		return hub.Faultf(hub.Invalid, "demo.folder", "a demo ran in %s before", d.dir).
			WithHint("the network of an earlier run is gone with what was anchored there: give --fabric a fresh folder")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return hub.Faultf(hub.Unavailable, "demo.folder", "cannot make the network's folder").Because(err)
	}
	started := time.Now()
	d.network, err = fabricnet.Start(ctx, fabricnet.Options{Programs: programs, Dir: dir})
	if err != nil {
		return hub.Faultf(hub.Unavailable, "demo.fabric", "the Fabric network did not start").Because(err)
	}
	d.say("A Fabric network of %d organisations answers after %v.", len(d.network.Orgs), time.Since(started).Round(100*time.Millisecond))
	return nil
}

// plantKey makes the API key of the plant's line system, or takes the one of an earlier run.
func (d *demo) plantKey(ctx context.Context) error {
	name := filepath.Join(d.dir, "plant.key")
	if b, err := os.ReadFile(name); err == nil {
		d.key = strings.TrimSpace(string(b))
		return nil
	}
	k, secret := api.NewKey("wyeth-illuma", []hub.Scope{hub.ScopeCapture, hub.ScopeQuery}, "the plant's line system", time.Now())
	d.key = secret
	if err := d.hub.store.PutKey(ctx, k); err != nil {
		return err
	}
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		return hub.Faultf(hub.Unavailable, "demo.folder", "cannot keep the plant's key").Because(err)
	}
	return nil
}

// tell lets the parties speak, waits until everything is recorded and anchored, and verifies every receipt.
func (d *demo) tell(ctx context.Context) (verified bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	d.say("\nFour parties state the journey of one tin through four kinds of systems:")
	d.say("  wyeth-illuma         brand-codes       sql      QR database, polled")
	if err := d.post(ctx, "/in/brand-plant", sample.PlantCapture(), d.plantHeaders); err != nil {
		return false, err
	}
	d.say("  wyeth-illuma         brand-plant       epcis    capture document, posted")
	d.say("  shanghai-customs     customs           file     XML manifest, from its folder")
	d.say("  shanghai-bonded-wms  wms-inbound       file     EDIFACT RECADV, from its folder")
	d.say("  shanghai-bonded-wms  wms-outbound      file     CSV in GB18030, from its folder")
	for i, body := range sample.Webhooks() {
		if err := d.post(ctx, "/in/retail-logistics", body, d.webhookHeaders(i)); err != nil {
			return false, err
		}
	}
	d.say("  retail-logistics     retail-logistics  webhook  %d signed requests, posted", len(sample.Webhooks()))
	if err := d.recorded(ctx); err != nil {
		return false, err
	}
	if err := d.hub.anchor.WaitCommitted(ctx, sample.Events); err != nil {
		return false, hub.Faultf(hub.Unavailable, "demo.anchor", "the events were not anchored in time").Because(err).WithHint(demoHint)
	}
	return d.verify(ctx)
}

// recorded waits until the sample's events are all in the log.
func (d *demo) recorded(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := d.hub.store.LogSize(ctx)
		if err != nil {
			return err
		}
		if n >= sample.Events {
			d.say("\n%d events recorded", n)
			return nil
		}
		if letters, err := d.hub.store.DeadLetters(ctx, hub.DeadFilter{}); err != nil || len(letters) > 0 {
			return errors.Join(err, d.explain(n))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return d.explain(n)
		}
	}
}

// explain says why the sample is not complete: dead letters and connectors in trouble.
func (d *demo) explain(n uint64) error {
	ctx := context.Background()
	letters, err := d.hub.store.DeadLetters(ctx, hub.DeadFilter{})
	if err != nil {
		return err
	}
	for _, l := range letters {
		d.say("dead letter %d from %s: %s", l.ID, l.Record, l.Fault.Error())
	}
	for _, s := range d.hub.host.Statuses() {
		if s.LastError != nil {
			d.say("connector %s: %s", s.ID, s.LastError.Error())
		}
	}
	return hub.Faultf(hub.Unavailable, "demo.incomplete", "%d of %d events were recorded in time", n, sample.Events).WithHint(demoHint)
}

// verify checks every receipt as a stranger would: its bytes from the log, the hub's keys from the trust file.
func (d *demo) verify(ctx context.Context) (bool, error) {
	p := &prover{h: d.hub}
	trust, err := anchor.ParseTrust(p.Trust())
	if err != nil {
		return false, err
	}
	size, err := d.hub.store.LogSize(ctx)
	if err != nil {
		return false, err
	}
	good := true
	for seq := range hub.Seq(size) {
		b, err := p.Receipt(ctx, seq)
		if err == nil {
			_, err = verifier().Verify(b, trust)
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			good = false
			d.say("receipt %d: %v", seq, err)
		}
	}
	sealed, err := d.hub.store.SealedFrom(ctx, math.MaxInt64, -1000)
	if err != nil {
		return false, err
	}
	if good {
		where := "the embedded notary"
		if d.network != nil {
			where = "Fabric, each endorsed by two of three organisations"
		}
		d.say("%d receipts verified, against %s on %s", size, counted(len(sealed), "checkpoint"), where)
	}
	return good, nil
}

func (d *demo) plantHeaders(r *http.Request, _ []byte) error {
	r.Header.Set("Content-Type", "application/ld+json")
	r.Header.Set("Authorization", "Bearer "+d.key)
	return nil
}

// webhookHeaders signs as the retailer's logistics does. The ids are fixed: a second run repeats them, and the hub
// records nothing twice.
func (d *demo) webhookHeaders(i int) func(r *http.Request, body []byte) error {
	return func(r *http.Request, body []byte) error {
		secret, err := sample.Secret(filepath.Join(d.dir, "consortium"))
		if err != nil {
			return err
		}
		scheme, _ := webhook.Preset("standard-webhooks")
		v, err := webhook.NewVerifier(scheme, secret)
		if err != nil {
			return err
		}
		signed, err := v.Sign(body, "application/json", fmt.Sprintf("msg_sample_%d", i), time.Now())
		if err != nil {
			return err
		}
		r.Header = signed.Header
		return nil
	}
}

// post sends one request to the hub over HTTP, as its sender would.
func (d *demo) post(ctx context.Context, path string, body []byte, sign func(*http.Request, []byte) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.hub.URL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := sign(r, body); err != nil {
		return err
	}
	client := &http.Client{Timeout: 15 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return hub.Faultf(hub.Unavailable, "demo.post", "cannot post to the hub").Because(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096)) // what there is of the reason
		return hub.Faultf(hub.Internal, "demo.post", "%s answered %s: %s", path, answer.Status, text)
	}
	return nil
}

// invite tells a person what to look at now.
func (d *demo) invite() {
	d.say(`
What a shopper sees:   %[1]s/t/%[2]s
Its journey as JSON:   curl -s -H "Authorization: Bearer $(cat %[3]s/plant.key)" %[1]s/v1/trace/%[2]s
The console:           %[1]s/console/
Everything is kept in  %[3]s
Stop with Ctrl-C.`, d.hub.URL(), sample.Code, d.dir)
}
