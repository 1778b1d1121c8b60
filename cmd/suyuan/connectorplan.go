package main

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/hub"
)

func connectorPlanCommand(std stdio) *cobra.Command {
	var c client
	var configFile string
	cmd := &cobra.Command{
		Use: "plan --config FILE", Short: "Show what a changed folder of connectors would do to a running hub", Args: cobra.NoArgs,
		Long: `Compare the connectors that a configuration names with those that a hub runs with, and print what applying them would do:

  start     a new connector
  restart   its instance file changed: it stops, drains, and goes on at its position
  remap     only its mapping or a table changed: the next record is read with it
  stop      it is not there any more

Nothing is changed. The hub itself applies its folder about a second after it changes; plan is for a folder that is still
elsewhere, such as a checkout under review. Secrets are not compared: they are known to the hub only.`,
		Example: "  suyuan connector plan --config ./checkout/suyuan.yaml --url https://trace.example.com",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			l, err := loadConnectors(cfg.path(cfg.Connectors), nil)
			if err != nil {
				return err
			}
			var running struct {
				Connectors []struct{ ID hub.ConnectorID }
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/v1/connectors", nil, &running); err != nil {
				return err
			}
			before := map[hub.ConnectorID]texts{}
			for _, r := range running.Connectors {
				if before[r.ID], err = c.files(cmd.Context(), r.ID); err != nil {
					return err
				}
			}
			changes := changesOf(before, l.files, l.own())
			for _, ch := range changes {
				fmt.Fprintln(std.out, ch)
			}
			fmt.Fprintf(std.out, "%d of %d connectors change\n", len(changes), max(len(before), len(l.files)))
			return nil
		},
	}
	c.add(cmd)
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file whose folder of connectors is compared")
	return cmd
}
