package anchortest_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

func TestStoreIsAJournal(t *testing.T) {
	anchortest.Journal(t, func(*testing.T) anchor.Journal { return &anchortest.Store{} })
}

func TestStoreHasLeaves(t *testing.T) {
	anchortest.Leaves(t, func(_ *testing.T, events []hub.Event) anchor.Leaves {
		s := &anchortest.Store{}
		s.Append(events...)
		return s
	})
}
