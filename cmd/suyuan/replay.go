package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/telemetry"
	"github.com/suyuan-io/suyuan/pipeline"
)

func replayCommand(std stdio) *cobra.Command {
	var configFile, connector string
	var from uint64
	cmd := &cobra.Command{
		Use: "replay --config FILE [--connector ID] [--from SEQ]", Short: "Normalise raw records again, with the hub stopped", Args: cobra.NoArgs,
		Long: `Normalise what is still in the raw stream again with the instance files and mappings as they are now. What is recorded
already stays as it is; records that were dead letters are recorded where that is possible now. The hub must not run.`,
		Example: "  suyuan replay --config suyuan.yaml --connector wms-outbound",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			log, err := telemetry.Logger(std.err, cfg.Log.Level, cfg.Log.Format)
			if err != nil {
				return err
			}
			h, err := openAside(cmd.Context(), cfg, log, indexingLog(log))
			if err != nil {
				return err
			}
			id := hub.ConnectorID(connector)
			if id != "" && !slices.ContainsFunc(h.loaded.instances, func(i *connectors.Instance) bool { return i.ID == id }) {
				return errors.Join(hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector %q", id).
					WithHint("list them with: suyuan connector list "+cfg.path(cfg.Connectors)), h.Close())
			}
			r, err := h.pipeline.ReplayRaw(cmd.Context(), pipeline.RawFilter{Connector: id, From: from})
			fmt.Fprintf(std.out, "replayed %s", counted(r.Records, "record"))
			sep := ": "
			for _, v := range []hub.Verdict{hub.Recorded, hub.Repeated, hub.Dead, hub.Conflicting} {
				if r.Verdicts[v] > 0 {
					fmt.Fprintf(std.out, "%s%d %s", sep, r.Verdicts[v], v)
					sep = ", "
				}
			}
			fmt.Fprintln(std.out)
			if err != nil && r.Last > 0 {
				fmt.Fprintf(std.out, "it ended early; go on with --from %d\n", r.Last+1)
			}
			return errors.Join(err, h.Close())
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().StringVar(&connector, "connector", "", "only of this connector")
	cmd.Flags().Uint64Var(&from, "from", 0, "first sequence number of the raw stream")
	return cmd
}
