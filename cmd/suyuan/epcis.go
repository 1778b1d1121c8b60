package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/schemas"
)

func epcisCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "epcis", Short: "Validate, hash and convert EPCIS documents"}
	cmd.AddCommand(epcisValidateCommand(std), epcisHashCommand(std), epcisConvertCommand(std))
	return cmd
}

func epcisValidateCommand(std stdio) *cobra.Command {
	var o schemas.ReportOptions
	cmd := &cobra.Command{
		Use: "validate FILE…", Short: "Validate EPCIS 2.0 JSON, and XML of 2.0 and 1.2, one line a document", Args: cobra.MinimumNArgs(1),
		Long: `Validate documents: one line "valid FILE" or "invalid FILE: CODE: PLACE: MESSAGE" a document on standard output. The verdict
is the schema's; what the standard demands beyond any schema is a warning on standard error. Exit code 1 if any is invalid.`,
		Example: "  suyuan epcis validate capture.json\n  suyuan epcis validate --all --lang zh *.json",
		RunE: func(_ *cobra.Command, args []string) error {
			if o.Lang != "en" && o.Lang != "zh" {
				return usageError{fmt.Errorf("--lang %q is not known; use en or zh", o.Lang)}
			}
			registry, err := schemas.Open()
			if err != nil {
				return err
			}
			ok := true
			for _, name := range args {
				data, err := readInput(name, std.in)
				if err != nil {
					return err
				}
				r := validateOne(registry, name, data, o)
				ok = ok && r.Valid
				for _, line := range r.Lines {
					fmt.Fprintln(std.out, line)
				}
				for _, line := range r.Warnings {
					fmt.Fprintln(std.err, line)
				}
			}
			return failedUnless(ok, nil)
		},
	}
	cmd.Flags().BoolVar(&o.All, "all", false, "print every fault, not only the first")
	cmd.Flags().StringVar(&o.Lang, "lang", "en", "language of the messages: en or zh")
	return cmd
}

// validateOne validates a JSON document by schema and an XML one by its structure.
func validateOne(registry *schemas.Registry, name string, data []byte, o schemas.ReportOptions) schemas.Report {
	if !isXML(data) {
		return registry.Report(name, data, checkDigits, o)
	}
	err := epcis.CheckXML(bytes.NewReader(data), epcis.Limits{})
	return schemas.Report{Valid: err == nil, Lines: schemas.VerdictLines(name, err, o)}
}

// checkDigits judges one identifier's check digit; what is no GS1 identifier passes.
func checkDigits(id string) error {
	if _, ok := gs1.Canonical(id); !ok {
		return nil
	}
	return gs1.Check(id, gs1.Options{Strict: true})
}

// isXML reports whether the first byte that counts is that of a tag.
func isXML(data []byte) bool {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(data, []byte("<")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xff\xfe"))
}

func epcisHashCommand(std stdio) *cobra.Command {
	var o epcis.HashOptions
	var cbv, algorithm string
	cmd := &cobra.Command{
		Use: "hash [--prehash] FILE…", Short: "Print the CBV event hash of every event, one line an event", Args: cobra.MinimumNArgs(1),
		Example: "  suyuan epcis hash capture.json\n  suyuan epcis hash --prehash capture.xml",
		RunE: func(_ *cobra.Command, args []string) error {
			switch cbv {
			case "2.0":
				o.Dialect = epcis.CBV20
			case "2.1":
				o.Dialect = epcis.CBV21
			default:
				return usageError{fmt.Errorf("--cbv %q is not known; use 2.0 or 2.1", cbv)}
			}
			o.Algorithm = epcis.Algorithm(algorithm)
			for _, name := range args {
				in, err := openInput(name, std.in)
				if err != nil {
					return err
				}
				err = epcis.HashLines(in, std.out, o, epcis.Limits{})
				_ = in.Close() // read only
				if err != nil {
					return inFile(name, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.PreHash, "prehash", false, "print the text that is hashed instead")
	cmd.Flags().StringVar(&cbv, "cbv", "2.0", "version of the algorithm: 2.0, or 2.1 for the published draft")
	cmd.Flags().StringVar(&algorithm, "algorithm", "sha-256", "sha-256, sha3-256, sha-384 or sha-512")
	return cmd
}

// inFile names the file in a fault.
func inFile(name string, err error) error {
	f := *hub.AsFault(err)
	if f.Where.File == "" {
		f.Where.File = name
	}
	return &f
}

func epcisConvertCommand(std stdio) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "convert --to json|xml FILE", Short: "Convert a document between JSON and XML", Args: cobra.ExactArgs(1),
		Long:    "Convert a document to EPCIS 2.0 JSON or XML on standard output. The event hash of every event stays the same.",
		Example: "  suyuan epcis convert --to json epcis-1.2.xml > epcis-2.0.json",
		RunE: func(_ *cobra.Command, args []string) error {
			var format epcis.Format
			switch to {
			case "json":
				format = epcis.JSON
			case "xml":
				format = epcis.XML
			default:
				return usageError{fmt.Errorf("--to %q is not known; use json or xml", to)}
			}
			in, err := seekable(args[0], std.in)
			if err != nil {
				return err
			}
			defer in.Close()
			if err := epcis.Convert(in, std.out, format, epcis.Limits{}); err != nil {
				return inFile(args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "json or xml (required)")
	return cmd
}

// readSeekCloser is what a conversion reads twice.
type readSeekCloser interface {
	io.ReadSeeker
	io.Closer
}

// seekable opens a file, or holds standard input in memory for "-".
func seekable(name string, stdin io.Reader) (readSeekCloser, error) {
	if name == "-" {
		b, err := readInput(name, stdin)
		return held{bytes.NewReader(b)}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	return f, nil
}

// held is standard input in memory.
type held struct{ *bytes.Reader }

// Close implements io.Closer.
func (held) Close() error { return nil }
