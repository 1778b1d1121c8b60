// Package system checks what the built binary promises its users: documented answers, nothing lost to kill -9, receipts with
// the hub stopped, real documents.
package system

import (
	"os"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }
