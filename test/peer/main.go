// Command peer runs Redpanda Benthos core, the pipeline engine that a user would pick instead of a hub, under the load of
// `suyuan bench`: it maps the same records to the same EPCIS events, holds them against the ratified EPCIS schema or not,
// and writes them to a file. It keeps no record before it answers, finds no duplicates, indexes nothing and proves nothing.
//
//	peer http -listen 127.0.0.1:4195 [-batch] [-schema FILE] -out FILE
//	peer file -in FILE [-format lines|csv] [-schema FILE] -out FILE
//
// Its schema library takes Go's regular expressions only, so the schema's two patterns that look ahead are left out: it checks
// a little less than the schema says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// mapping says in Bloblang what internal/bench's mapping says to Suyuan. It knows the sample's GTIN and place by heart: the
// check digits and the length of the company prefix, which Suyuan works out, are left out.
const mapping = `
root."@context" = [ "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld" ]
root.type = "ObjectEvent"
root.eventID = "urn:uuid:" + this.code.uuid_v5()
root.eventTime = this.madeOn.ts_parse("2006-01-02 15:04:05").ts_format("2006-01-02T15:04:05.000") + "+01:00"
root.eventTimeZoneOffset = "+01:00"
root.action = "ADD"
root.bizStep = "commissioning"
root.disposition = "active"
root.epcList = [ "https://id.gs1.org/01/0" + this.gtin + "/21/" + this.code ]
root.readPoint.id = "https://id.gs1.org/414/" + this.plantGln
root.bizLocation.id = "https://id.gs1.org/414/" + this.plantGln
root.ilmd."cbvmda:lotNumber" = this.batch
root.ilmd."cbvmda:itemExpirationDate" = this.bestBefore
`

type options struct {
	listen, in, out, format, schema string
	batch                           bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || (args[0] != "http" && args[0] != "file") {
		return errors.New("say http or file")
	}
	var o options
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", "127.0.0.1:4195", "address of the HTTP server")
	f.BoolVar(&o.batch, "batch", false, "requests hold many records under /records")
	f.StringVar(&o.in, "in", "", "file to read")
	f.StringVar(&o.format, "format", "lines", "lines (NDJSON) or csv")
	f.StringVar(&o.out, "out", os.DevNull, "file to write")
	f.StringVar(&o.schema, "schema", "", "JSON Schema of one event; none validates nothing")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.schema != "" {
		known, err := knownPatterns(o.schema)
		if err != nil {
			return err
		}
		defer os.Remove(known)
		o.schema = known
	}
	built, err := build(args[0], o)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := built.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if args[0] == "file" {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
		fmt.Printf("%.3f s, processor time %.3f s\n", time.Since(began).Seconds(), cpu.Seconds())
	}
	return nil
}

// knownPatterns writes a copy of a schema without the patterns that Go's regular expressions cannot say.
func knownPatterns(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		return "", err
	}
	drop(schema)
	if text, err = json.Marshal(schema); err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "peer-schema-*.json")
	if err != nil {
		return "", err
	}
	if _, err := f.Write(text); err != nil {
		return "", errors.Join(err, f.Close())
	}
	return f.Name(), f.Close()
}

func drop(v any) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["pattern"].(string); ok {
			if _, err := regexp.Compile(p); err != nil {
				delete(v, "pattern")
			}
		}
		for _, member := range v {
			drop(member)
		}
	case []any:
		for _, member := range v {
			drop(member)
		}
	}
}

// build puts the stream together.
func build(mode string, o options) (*service.Stream, error) {
	b := service.NewStreamBuilder()
	processors := "- mapping: |\n" + indent(mapping, 4)
	if o.batch {
		processors = "- mapping: root = this.records\n- unarchive: { format: json_array }\n" + processors
	}
	if o.schema != "" {
		processors += "\n- json_schema: { schema_path: \"file://" + o.schema + "\" }\n"
	}
	var input string
	switch mode {
	case "http":
		host, _, err := net.SplitHostPort(o.listen)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			return nil, fmt.Errorf("%q is not a loopback address", o.listen)
		}
		input = "http_server: { address: \"" + o.listen + "\", path: /post, timeout: 60s, sync_response: { status: \"202\" } }"
	case "file":
		scanner := "lines: {}"
		if o.format == "csv" {
			scanner = "csv: {}"
		}
		input = "file: { paths: [ \"" + o.in + "\" ], scanner: { " + scanner + " } }"
	}
	return stream(b, "input:\n  "+input+"\npipeline:\n  processors:\n"+indent(processors, 4)+
		"\noutput:\n  file: { path: \""+o.out+"\", codec: lines }\nlogger: { level: WARN }\nhttp: { enabled: false }\n")
}

func stream(b *service.StreamBuilder, yaml string) (*service.Stream, error) {
	if err := b.SetYAML(yaml); err != nil {
		return nil, err
	}
	return b.Build()
}

func indent(text string, n int) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+pad)
}
