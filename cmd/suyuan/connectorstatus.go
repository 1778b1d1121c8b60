package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/hub"
)

func connectorStatusCommand(std stdio) *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use: "status [ID]", Short: "Show how the connectors of a running hub are", Args: cobra.MaximumNArgs(1),
		Example: "  suyuan connector status\n  suyuan connector status wms-outbound",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return c.steer(cmd.Context(), std.out, args[0], order{http.MethodGet, "", nil})
			}
			var out struct {
				Connectors []api.Connector `json:"connectors"`
				Folder     struct {
					Faults []api.Problem `json:"faults"`
				} `json:"folder"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/v1/connectors", nil, &out); err != nil {
				return err
			}
			for i := range out.Connectors {
				showConnector(std.out, &out.Connectors[i])
			}
			if len(out.Connectors) == 0 {
				fmt.Fprintln(std.out, "no connectors")
			}
			showFolder(std.out, out.Folder.Faults)
			return nil
		},
	}
	c.add(cmd)
	return cmd
}

func connectorPauseCommand(std stdio) *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use: "pause ID", Short: "Stop a connector of a running hub after what it has in flight", Args: cobra.ExactArgs(1),
		Long: `Stop a connector after what it has in flight. It stays paused over restarts of the hub, until it is resumed; senders of what
is pushed get 503 and send it again.`,
		Example: "  suyuan connector pause wms-outbound",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.steer(cmd.Context(), std.out, args[0], order{http.MethodPost, "/pause", nil})
		},
	}
	c.add(cmd)
	return cmd
}

func connectorResumeCommand(std stdio) *cobra.Command {
	var c client
	cmd := &cobra.Command{
		Use: "resume ID", Short: "Start a paused connector again, or one that its breaker has stopped", Args: cobra.ExactArgs(1),
		Example: "  suyuan connector resume wms-outbound && suyuan dead replay --all --connector wms-outbound",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.steer(cmd.Context(), std.out, args[0], order{http.MethodPost, "/resume", nil})
		},
	}
	c.add(cmd)
	return cmd
}

func connectorRewindCommand(std stdio) *cobra.Command {
	var c client
	var to string
	cmd := &cobra.Command{
		Use: "rewind ID [--to POSITION]", Short: "Set where a paused connector reads on; without --to from the beginning", Args: cobra.ExactArgs(1),
		Long: `Set the position of a connector that is paused or stopped by its breaker. A position is what "suyuan connector status ID" shows;
one that the connector cannot read on from is refused, and one that it can is shown. What was recorded before is recognised and
not recorded twice.`,
		Example: "  suyuan connector pause brand-db && suyuan connector rewind brand-db && suyuan connector resume brand-db\n" +
			`  suyuan connector rewind erp-api --to '{"since":"2026-01-01T00:00:00Z"}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.steer(cmd.Context(), std.out, args[0], order{http.MethodPut, "/position", map[string]any{"position": to}})
		},
	}
	c.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "position to read on from; empty is the beginning")
	return cmd
}

// order is what is asked of one connector: a request to a path below its own.
type order struct {
	method, path string
	body         any
}

// steer gives a connector an order and prints how it is then.
func (c *client) steer(ctx context.Context, w io.Writer, id string, o order) error {
	if err := hub.CheckName(id); err != nil {
		return err
	}
	var out api.Connector
	if err := c.call(ctx, o.method, "/v1/connectors/"+url.PathEscape(id)+o.path, o.body, &out); err != nil {
		return err
	}
	showConnector(w, &out)
	if out.Position != "" {
		fmt.Fprintf(w, "  position: %s\n", out.Position)
	}
	return nil
}

// showFolder prints what keeps the folder of instance files from being applied as it is now.
func showFolder(w io.Writer, faults []api.Problem) {
	if len(faults) == 0 {
		return
	}
	fmt.Fprintln(w, "\nthe folder of connectors has changed and is wrong; the hub goes on as above, and would not start again:")
	for _, p := range faults {
		f := hub.Fault{Code: p.Code, Message: p.Detail, Hint: p.Hint}
		if p.Where != nil {
			f.Where = *p.Where
		}
		printOne(w, &f)
	}
}

// showConnector prints one connector in a line, and below it what keeps it from working.
func showConnector(w io.Writer, c *api.Connector) {
	last := "never"
	if c.LastTakenAt != nil {
		last = c.LastTakenAt.Format(time.DateTime)
	}
	fmt.Fprintf(w, "%-24s %-10s %-10s %-24s %s, last %s", c.ID, c.Kind, c.State, c.Provider, counted(c.Records, "record"), last)
	if c.Silent {
		fmt.Fprint(w, ", silent")
	}
	fmt.Fprintln(w)
	if c.Tripped != "" {
		fmt.Fprintf(w, "  breaker: %s\n  then: suyuan dead list --connector %s; mend the cause; suyuan connector resume %[2]s\n", c.Tripped, c.ID)
	}
	if c.LastError != "" && c.LastErrorAt != nil {
		fmt.Fprintf(w, "  last error, %s: %s\n", c.LastErrorAt.Format(time.DateTime), c.LastError)
	}
}
