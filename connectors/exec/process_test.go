package exec_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// stat returns the state and the parent of a process, as /proc tells them.
func stat(pid int) (state string, parent int, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	_, err = fmt.Sscanf(after, "%s %d", &state, &parent)
	return state, parent, err == nil
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	_, parent, ok := stat(pid)
	if !ok || parent <= 1 {
		t.Skip("there is no /proc to ask")
	}
	return parent
}

// runs reports whether a process is there and no zombie.
func runs(pid int) bool {
	state, _, ok := stat(pid)
	return ok && state != "Z"
}
