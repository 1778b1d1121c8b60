package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

func rebuildCommand(std stdio) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use: "rebuild --config FILE", Short: "Make every index and tile again from the recorded events, with the hub stopped", Args: cobra.NoArgs,
		Long: `Make everything that follows from the recorded events again: the indexes, the vocabulary, the tiles of the log. It says of each
whether it was as it is now. Events whose bytes do not give their leaf hash any more are named, with exit code 1: restore a backup.
What the raw stream still holds is normalised again by: suyuan replay`,
		Example: "  suyuan rebuild --config suyuan.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			h, err := openAside(cmd.Context(), cfg, zap.NewNop(), func(done, of uint64) {
				fmt.Fprintf(std.err, "%d of %d events indexed\n", done, of)
			})
			if err != nil {
				return err
			}
			return errors.Join(h.rebuild(cmd.Context(), std.out), h.Close())
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	return cmd
}

// remaking is a store that makes again what follows from its events.
type remaking interface {
	Damaged(ctx context.Context) ([]hub.Seq, error)
	Rebuild(ctx context.Context) (before, after map[string]string, err error)
	PutTiles(ctx context.Context, tiles []hub.Tile) error
}

// rebuild checks the events, then rebuilds what follows from them.
func (h *Hub) rebuild(ctx context.Context, out io.Writer) error {
	damaged, err := h.store.Damaged(ctx)
	if err != nil {
		return err
	}
	before, after, err := h.store.Rebuild(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		said := "was the same"
		if name == "segments" && h.index.everDamaged() { // and was made again when the store was opened
			said = "was damaged"
		}
		if before[name] != after[name] {
			said = "was " + before[name]
		}
		fmt.Fprintf(out, "%-10s  %s; it %s\n", name, after[name], said)
	}
	if err := h.rebuildTiles(ctx, out); err != nil {
		return err
	}
	for _, seq := range damaged {
		fmt.Fprintf(out, "event %d of the log is damaged: its bytes do not give its leaf hash\n", seq)
	}
	if len(damaged) > 0 {
		return errFailed
	}
	return nil
}

// rebuildTiles makes the tiles again from the leaves, unless these contradict the last checkpoint.
func (h *Hub) rebuildTiles(ctx context.Context, out io.Writer) error {
	sealed, err := h.store.SealedFrom(ctx, math.MaxInt64, -1)
	if err != nil || len(sealed) == 0 {
		return err
	}
	last := sealed[0].Checkpoint
	tree, wrong := anchor.NewTree(h.cfg.Anchor.hash()), 0
	for tree.Size() < last.Size {
		hashes, err := h.store.LeafHashes(ctx, tree.Size(), int(min(last.Size-tree.Size(), 1<<14)))
		if err != nil || len(hashes) == 0 {
			return errors.Join(err, hub.Faultf(hub.Conflict, "rebuild.leaves", "there are %d leaves, %d are sealed", tree.Size(), last.Size))
		}
		tree.Append(hashes)
	}
	if tree.Root() != last.Root {
		return hub.Faultf(hub.Conflict, "rebuild.root", "the leaves do not give the root of checkpoint %d", last.Size).
			WithHint("the store is damaged or was replaced: restore a backup; suyuan restore --help")
	}
	tiles := tree.TakeTiles()
	for _, t := range tiles {
		stored, err := h.store.Tile(ctx, t.Level, t.Index)
		if hub.KindOf(err) == hub.Unavailable {
			return err
		}
		if err != nil || !slices.Equal(stored.Hashes, t.Hashes) {
			wrong++
		}
	}
	if err := h.store.PutTiles(ctx, tiles); err != nil {
		return err
	}
	said := "they were the same"
	if wrong > 0 {
		said = fmt.Sprintf("%d were missing or wrong", wrong)
	}
	fmt.Fprintf(out, "%-10s  %d, root of checkpoint %d; %s\n", "tiles", len(tiles), last.Size, said)
	return nil
}
