package gs1

import (
	"fmt"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// RunConvert writes each value in form to, one line a value on out, so that the lines stand beside the values: what does not
// convert leaves the line that RunCheck would write. ok reports whether all converted; err is a failure to write.
func RunConvert(values []string, to Form, o Options, out io.Writer) (ok bool, err error) {
	return eachLine(values, out, func(value string) (string, error) { return Convert(value, to, o) })
}

// RunCheck writes "valid VALUE" or "invalid VALUE: CODE: message" for each value on out, one a line. ok reports whether
// all are valid; err is a failure to write.
func RunCheck(values []string, o Options, out io.Writer) (ok bool, err error) {
	return eachLine(values, out, func(value string) (string, error) { return "valid " + value, Check(value, o) })
}

// eachLine writes what line says of each value, or what is wrong with the value.
func eachLine(values []string, out io.Writer, line func(string) (string, error)) (ok bool, err error) {
	ok = true
	for _, value := range values {
		text, bad := line(value)
		if bad != nil {
			ok = false
			text = fmt.Sprintf("invalid %s: %s: %s", value, hub.AsFault(bad).Code, hub.AsFault(bad).Error())
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return ok, fmt.Errorf("write the result: %w", err)
		}
	}
	return ok, nil
}
