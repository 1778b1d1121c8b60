package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/suyuan-io/suyuan/hub"
)

// cause strips from an error of the operating system or of a client what the message around it says already: the verb, the
// address, the path.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err
	}
	return err
}

// unreadable says why a file that a command line names cannot be read, and what to do about it.
func unreadable(name string, err error) error {
	f := hub.Faultf(hub.Invalid, "file.unreadable", "cannot read %s", name).Because(cause(err))
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.IsAbs(name):
		return f.WithHint("check its name")
	case errors.Is(err, fs.ErrNotExist):
		return f.WithHint("check its name; it is looked for in the folder in which the command runs")
	case errors.Is(err, fs.ErrPermission):
		return f.WithHint("let the user who runs this read it")
	case errors.Is(err, syscall.EISDIR):
		return f.WithHint("name a file in this folder")
	}
	return f
}

// unlistenable says why nobody can listen on an address; busy is what to do where another program has it.
func unlistenable(addr string, err error, busy string) error {
	f := hub.Faultf(hub.Unavailable, "listen", "cannot listen on %s", addr).Because(cause(err))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return f.WithHint("ports below 1024 are for root or for who has CAP_NET_BIND_SERVICE: choose another with listen: or --listen")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return f.WithHint("it is no address of this machine; 0.0.0.0 stands for all that it has")
	case errors.As(err, new(*net.DNSError)):
		return f.WithHint("write an address of this machine in place of a name that is not known")
	}
	return f.WithHint(busy)
}

// wrongFlag is the fault of a flag that there is not, or of a value that it does not take.
func wrongFlag(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := e.GetFlag()
		kinds := map[string]string{
			"int": "a whole number", "int64": "a whole number", "uint": "a whole number", "bool": "true or false",
			"duration": "a duration such as 90s or 10m", "float64": "a number",
		}
		err = fmt.Errorf("--%s takes %s, not %q", flag.Name, cmp.Or(kinds[flag.Value.Type()], flag.Value.Type()), e.GetValue())
	}
	return usageError{fmt.Errorf("%w\n    → see: %s --help", err, cmd.CommandPath())}
}

// wrongArguments is the fault of too few or too many arguments, of which check takes the right number.
func wrongArguments(cmd *cobra.Command, check cobra.PositionalArgs, args []string) error {
	what := "an argument is missing"
	for n := range args {
		if check(cmd, args[:n]) == nil {
			what = fmt.Sprintf("%q is one argument too many", args[n])
		}
	}
	hint := "\n    → see: " + cmd.CommandPath() + " --help"
	if example, _, _ := strings.Cut(cmd.Example, "\n"); example != "" {
		hint = "\n    → for example: " + strings.TrimSpace(example) + hint
	}
	return usageError{fmt.Errorf("%s; usage: %s%s", what, cmd.UseLine(), hint)}
}
