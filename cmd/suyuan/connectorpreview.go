package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing/fstest"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

func connectorPreviewCommand(std stdio) *cobra.Command {
	p := previewer{std: std}
	var c client
	cmd := &cobra.Command{
		Use: "preview INSTANCE [SAMPLE]", Short: "Show what records would become, of a sample file or the last ones of a running hub", Args: cobra.RangeArgs(1, 2),
		Long: `Run records through an instance's decoder, mapping and validation, exactly as the hub would, and print what each becomes: its
events and master data, or why it would be a dead letter. Nothing is sent anywhere.

With a SAMPLE file the records are the file's; with --against MAPPING the difference from that mapping is shown. Without a
SAMPLE the records are the last ones that a running hub took for this connector, and the difference is from the mapping that
it runs with.`,
		Example: `  suyuan connector preview connectors/wms-outbound.yaml outbound.csv
  suyuan connector preview connectors/wms-outbound.yaml outbound.csv --against /etc/suyuan/mappings/wms-outbound.yaml
  suyuan connector preview connectors/wms-outbound.yaml --last 50 --url https://trace.example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.colour = colourful(std.out)
			if err := p.open(args[0]); err != nil {
				return err
			}
			if len(args) == 2 {
				return p.sample(args[1])
			}
			return p.last(cmd.Context(), &c)
		},
	}
	c.add(cmd)
	cmd.Flags().IntVar(&p.limit, "limit", 20, "how many records of a sample to show, 0 for all")
	cmd.Flags().StringVar(&p.against, "against", "", "mapping file to show the difference from")
	cmd.Flags().IntVar(&p.count, "last", 20, "how many records to ask a running hub for, up to 1000")
	return cmd
}

// colourful reports whether w is a terminal whose user wants colours (no-color.org).
func colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// previewer shows what records become.
type previewer struct {
	std     stdio
	limit   int
	against string
	count   int
	colour  bool

	inst       *connectors.Instance
	changed    *mapping.Mapping // nil for EPCIS
	inUse      *mapping.Mapping // nil where there is nothing to compare with
	part       pipeline.Instance
	master     mapping.Master // what the tests beside the mapping state
	normaliser pipeline.Normaliser

	records, dead int
	kinds         map[string]int
}

// open loads the instance.
func (p *previewer) open(file string) error {
	l, inst, err := loadInstance(file, nil)
	if err != nil {
		return err
	}
	p.inst, p.part, p.kinds = inst, l.parts[inst.ID], map[string]int{}
	if inst.Map != "" {
		p.master = mapping.StatedBeside(os.DirFS(l.root), inst.Map)
		if p.changed, err = mapping.Load(os.DirFS(l.root), inst.Map); err != nil {
			return err
		}
	}
	if p.against != "" {
		dir, base := filepath.Split(filepath.Clean(p.against))
		if p.inUse, err = mapping.Load(os.DirFS(filepath.Clean("./"+dir)), base); err != nil {
			return withRoot(appendFaults(nil, err), dir)
		}
	}
	registry, err := schemas.Open()
	if err != nil {
		return err
	}
	c, parts := &catalog{}, informed(l.parts, p.master)
	c.byID.Store(&parts)
	validate := withoutAdvice(registry.With(schemas.ValidateOptions{Rules: true}).ValidateEvent)
	p.normaliser = pipeline.NewNormaliser(c.Instance, validate, time.Now)
	return nil
}

// loadInstance loads one instance file with its mapping, and says what is wrong with it alone.
func loadInstance(file string, lookup strictyaml.Lookup) (*loaded, *connectors.Instance, error) {
	l, err := loadConnectors(filepath.Dir(file), lookup)
	if l != nil {
		for _, inst := range l.instances {
			if filepath.Base(inst.File) == filepath.Base(file) {
				return l, inst, nil
			}
		}
	}
	return nil, nil, noInstance(file, err)
}

// errEnough ends a preview that has shown enough.
var errEnough = errors.New("enough")

// sample shows the records of a file.
func (p *previewer) sample(name string) error {
	in, err := openInput(name, p.std.in)
	if err != nil {
		return err
	}
	defer in.Close()
	err = p.inst.Splitter.Split(in, func(piece connectors.Piece) error {
		if p.limit > 0 && p.records >= p.limit {
			return errEnough
		}
		id := hub.RecordID(fmt.Sprintf("preview#%d", p.records+1))
		return p.show(&hub.Envelope{
			Connector: p.inst.ID, Provider: p.inst.Provider, ReceivedAt: time.Now(), Origin: name, Preamble: piece.Preamble,
			Records: []hub.Record{{ID: id, Body: bytes.Clone(piece.Body), Line: piece.Line, Column: piece.Column}},
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return p.sum()
}

// rawRecord is a raw record as the API shows it.
type rawRecord struct {
	ID             hub.RecordID `json:"id"`
	ReceivedAt     time.Time    `json:"receivedAt"`
	Origin         string       `json:"origin"`
	ContentType    string       `json:"contentType"`
	Line           int          `json:"line"`
	Column         int          `json:"column"`
	PreambleBase64 []byte       `json:"preambleBase64"`
	Body           string       `json:"body"`
	BodyBase64     []byte       `json:"bodyBase64"`
}

// last shows the last records of a running hub.
func (p *previewer) last(ctx context.Context, c *client) error {
	at := "/v1/connectors/" + url.PathEscape(string(p.inst.ID))
	var raw struct{ Records []rawRecord }
	if err := c.call(ctx, http.MethodGet, at+"/raw?n="+strconv.Itoa(p.count), nil, &raw); err != nil {
		return err
	}
	if p.inUse == nil {
		running, err := c.files(ctx, p.inst.ID)
		if err != nil {
			return err
		}
		p.inUse = runningMapping(running, p.inst.ID)
	}
	for _, r := range raw.Records {
		body := []byte(r.Body)
		if len(r.BodyBase64) > 0 {
			body = r.BodyBase64
		}
		err := p.show(&hub.Envelope{
			Connector: p.inst.ID, Provider: p.inst.Provider, ReceivedAt: r.ReceivedAt, Origin: r.Origin, ContentType: r.ContentType,
			Preamble: r.PreambleBase64, Records: []hub.Record{{ID: r.ID, Body: body, Line: r.Line, Column: r.Column}},
		})
		if err != nil {
			return err
		}
	}
	return p.sum()
}

// files asks a running hub for what a connector runs with.
func (c *client) files(ctx context.Context, id hub.ConnectorID) (texts, error) {
	var out struct{ Files texts }
	err := c.call(ctx, http.MethodGet, "/v1/connectors/"+url.PathEscape(string(id))+"/files", nil, &out)
	return out.Files, err
}

// runningMapping loads the mapping of a connector from the texts that a hub runs with, or nil when there is none.
func runningMapping(files texts, id hub.ConnectorID) *mapping.Mapping {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	loader := connectors.Loader{FS: fsys, Kinds: kinds(), Format: splitter}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if inst, err := loader.Load(name); err == nil && inst.ID == id && inst.Map != "" {
			if m, err := mapping.Load(fsys, inst.Map); err == nil {
				return m
			}
		}
	}
	return nil
}

// show prints what one record becomes, or how that differs.
func (p *previewer) show(env *hub.Envelope) error {
	rec := &env.Records[0]
	p.records++
	out := pipeline.Normalised(p.normaliser, env, rec)
	if out.Dead != nil {
		p.dead++
	}
	kind, diff := p.compare(env, rec)
	if p.kinds[kind]++; kind == "same" {
		return nil
	}
	fmt.Fprintf(p.std.out, "── record %d", p.records)
	if rec.Line > 0 {
		fmt.Fprintf(p.std.out, " (line %d)", rec.Line)
	}
	if kind == "" {
		fmt.Fprintln(p.std.out)
		return printOutcome(p.std, out)
	}
	fmt.Fprintf(p.std.out, " %s: %s\n%s", rec.ID, kind, diff)
	if out.Dead != nil && out.Dead.Stage != "map" {
		return printOutcome(p.std, out)
	}
	return nil
}

// compare says how what the record becomes differs from what it became, or "" where there is nothing to compare with.
func (p *previewer) compare(env *hub.Envelope, rec *hub.Record) (kind, diff string) {
	if p.inUse == nil || p.changed == nil {
		return "", ""
	}
	tree, err := p.part.Decoder.Decode(env.Preamble, rec.Body)
	if err != nil {
		return "", ""
	}
	c := mapping.Preview(p.inUse, p.changed, mapping.Input{
		Row: tree.Value, Provider: env.Provider, Connector: env.Connector, RecordID: rec.ID, Origin: env.Origin, ReceivedAt: env.ReceivedAt,
		Master: p.master,
	}, p.colour)
	return c.Kind, c.Text
}

// sum ends a preview.
func (p *previewer) sum() error {
	noun := "records"
	if p.records == 1 {
		noun = "record"
	}
	fmt.Fprintf(p.std.out, "%d %s", p.records, noun)
	for _, kind := range []string{"same", "changed", "mended", "broken"} {
		if n := p.kinds[kind]; n > 0 {
			fmt.Fprintf(p.std.out, ", %d %s", n, kind)
		}
	}
	fmt.Fprintf(p.std.out, ", %d would be dead letters\n", p.dead)
	return failedUnless(p.dead == 0, nil)
}

// printOutcome prints what one record becomes.
func printOutcome(std stdio, out hub.Outcome) error {
	if d := out.Dead; d != nil {
		fmt.Fprintf(std.out, "dead letter, at %s: ", d.Stage)
		printOne(std.out, &d.Fault)
		return nil
	}
	for _, e := range out.Events {
		ev, err := epcis.ParseEvent(e.Body, nil)
		if err != nil {
			return err
		}
		bare, err := ev.JSON(time.Time{})
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, bare, "", "  "); err != nil {
			return err
		}
		fmt.Fprintln(std.out, pretty.String())
	}
	for _, m := range out.Master {
		b, err := json.MarshalIndent(m.Attributes, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s %s %s\n", m.Kind, m.ID, b)
	}
	if len(out.Events)+len(out.Master) == 0 {
		fmt.Fprintln(std.out, "skipped")
	}
	return nil
}
