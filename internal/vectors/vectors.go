// Package vectors finds the third-party test data that tests read and that is never part of the project. It leaves the
// meaning of the data to the tests.
package vectors

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns the folder of the test data: $SUYUAN_VECTORS, or shared/vectors beside the project. Where it is absent the
// test is skipped loudly, or fails when CI=true.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("SUYUAN_VECTORS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(tb), "..", "shared", "vectors")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("test data is missing: %v", err)
		}
		tb.Skipf("SKIPPED, NOT PASSED: third-party test data is missing (%v); set SUYUAN_VECTORS", err)
	}
	return dir
}

// Path returns the path of one file of the test data.
func Path(tb testing.TB, elem ...string) string {
	tb.Helper()
	return filepath.Join(append([]string{Dir(tb)}, elem...)...)
}

// moduleRoot walks up from the test's folder to the one that holds go.mod with the module itself.
func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "Taskfile.yml")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("no Taskfile.yml above the test's folder")
		}
		dir = up
	}
}
