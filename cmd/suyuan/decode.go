package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

func decodeCommand(std stdio) *cobra.Command {
	var format, settings string
	cmd := &cobra.Command{
		Use: "decode [--format F] FILE", Short: "Print the decoded records of any supported format as NDJSON", Args: cobra.ExactArgs(1),
		Long: "Print the decoded records of a file, one JSON object a line, as a mapping sees them. FILE may be - for standard input.\n\n" +
			"Formats: " + strings.Join(formatNames(), ", ") + ".\nWithout --format the format is detected, through gzip, zstd, bzip2 and zip too. " +
			"Settings are those of the format in an instance file (docs/connectors.md).",
		Example: "  suyuan decode desadv.edi\n  suyuan decode --format csv outbound.csv | head -3\n" +
			"  suyuan decode --format csv --settings '{encoding: big5, skipLines: 2}' stock.csv",
		RunE: func(_ *cobra.Command, args []string) error {
			in, err := openInput(args[0], std.in)
			if err != nil {
				return err
			}
			defer in.Close()
			if settings != "" && format == "" {
				return hub.Faultf(hub.Invalid, "decode.settings", "--settings needs --format").WithHint("say which format the settings are of")
			}
			o := decode.Options{Format: format, Settings: settingsOf(settings), Note: func(f *hub.Fault) { printOne(std.err, f) }}
			if err := decode.Inspect(std.out, args[0], in, o); err != nil {
				printFault(std.err, err)
				return errFailed
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "format; detected when not given")
	cmd.Flags().StringVar(&settings, "settings", "", "the format's settings, as YAML")
	return cmd
}

// formatNames are the formats that can be decoded.
func formatNames() []string {
	var names []string
	for _, f := range decode.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// settingsOf is nil where nothing is given: then the decoder looks for itself.
func settingsOf(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// openInput opens a file, or standard input for "-".
func openInput(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(unreadable(name, syscall.EISDIR), f.Close())
	}
	return f, nil
}

// readInput reads a whole file, or standard input for "-".
func readInput(name string, stdin io.Reader) ([]byte, error) {
	in, err := openInput(name, stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, unreadable(name, err)
	}
	return b, nil
}
