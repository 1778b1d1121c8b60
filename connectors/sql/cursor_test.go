package sql_test

import (
	"testing"

	connsql "github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/hub"
)

// FuzzPosition holds that a position that an operator set, or another version stored, is refused or stays what it is.
func FuzzPosition(f *testing.F) {
	f.Add(`[{"t":"time","v":"2019-05-01T08:30:00.125Z"},{"t":"int","v":"7"}]`, 2)
	f.Add(`[{"t":"float","v":"1e400"}]`, 1)
	f.Add(`[{"t":"uint","v":"-1"},{"t":"bool","v":"T"},{"t":"text","v":"\u0000"}]`, 3)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		once, err := connsql.Again(hub.Position(text), columns)
		if err != nil {
			if hub.AsFault(err).Code != "sql.position" {
				t.Fatal(err)
			}
			return
		}
		if twice, err := connsql.Again(once, columns); err != nil || twice != once {
			t.Fatalf("%s becomes %s, %v", once, twice, err)
		}
	})
}
