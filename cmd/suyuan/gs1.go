package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// gs1Flags are shared by the gs1 commands.
type gs1Flags struct {
	length int
	table  string
	strict bool
	digits bool
}

func (f *gs1Flags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.length, "gcp-length", 0, "length of the GS1 company prefix, where a URN is to be made (6 to 12)")
	cmd.Flags().StringVar(&f.table, "gcp-table", "", "file of company prefix lengths: prefix, tab, length; longest prefix wins")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "hold every rule of the GS1 syntax dictionary, check digits included")
	cmd.Flags().BoolVar(&f.digits, "check-digits", false, "verify check digits")
}

func (f *gs1Flags) options() (gs1.Options, error) {
	o := gs1.Options{GCPLength: f.length, Strict: f.strict, CheckDigits: f.digits}
	if f.table == "" {
		return o, nil
	}
	file, err := os.Open(f.table)
	if err != nil {
		return o, hub.Faultf(hub.Invalid, "gs1.table", "cannot read the prefix table %s", f.table).Because(cause(err)).
			WithHint("check its name; its lines are: prefix, tab, length")
	}
	defer file.Close()
	o.Table, err = gs1.LoadPrefixTable(file)
	return o, err
}

func gs1Command(std stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "gs1", Short: "Convert and check GS1 identifiers"}
	cmd.AddCommand(gs1ConvertCommand(std), gs1CheckCommand(std))
	return cmd
}

func gs1ConvertCommand(std stdio) *cobra.Command {
	var flags gs1Flags
	var to string
	cmd := &cobra.Command{
		Use: "convert [--to urn|dl|element|bracketed] VALUE…", Args: cobra.MinimumNArgs(1),
		Short: "Convert between EPC URN, Digital Link and element string, one line a value",
		Long: `Convert identifiers, one line a value on standard output, in their order. What cannot be converted has the line
"invalid VALUE: CODE: MESSAGE", and the exit code is 1. To a URN the length of the company prefix must be known.`,
		Example: `  suyuan gs1 convert urn:epc:id:sgtin:7613035.098294.42
  suyuan gs1 convert --to urn --gcp-length 7 https://id.gs1.org/01/07613035982949/21/42
  suyuan gs1 convert --to dl '(01)07613035982949(21)42'`,
		RunE: func(_ *cobra.Command, args []string) error {
			form, err := gs1.ParseForm(to)
			if err != nil {
				return usageError{err}
			}
			o, err := flags.options()
			if err != nil {
				return err
			}
			return failedUnless(gs1.RunConvert(args, form, o, std.out))
		},
	}
	cmd.Flags().StringVar(&to, "to", "dl", "urn, dl, element (^01…) or bracketed ((01)…)")
	flags.add(cmd)
	return cmd
}

func gs1CheckCommand(std stdio) *cobra.Command {
	var flags gs1Flags
	var lenient bool
	cmd := &cobra.Command{
		Use: "check VALUE…", Short: "Check identifiers, check digits included, one line a value", Args: cobra.MinimumNArgs(1),
		Example: "  suyuan gs1 check '(00)053915208500009007' https://id.gs1.org/01/07613035982949",
		RunE: func(_ *cobra.Command, args []string) error {
			if lenient && flags.strict {
				return usageError{errors.New("say --lenient or --strict, not both")}
			}
			flags.digits = !lenient
			o, err := flags.options()
			if err != nil {
				return err
			}
			return failedUnless(gs1.RunCheck(args, o, std.out))
		},
	}
	flags.add(cmd)
	_ = cmd.Flags().MarkHidden("check-digits") // it does so anyway
	cmd.Flags().BoolVar(&lenient, "lenient", false, "do not verify check digits")
	return cmd
}

// failedUnless ends a command with exitFailed when what it checked does not hold.
func failedUnless(ok bool, err error) error {
	if err == nil && !ok {
		return errFailed
	}
	return err
}
