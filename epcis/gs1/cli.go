package gs1

import (
	"fmt"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// RunConvert writes each value in form to, one a line on out. A value that does not convert leaves no line there, but
// "VALUE: CODE: message" on errs. ok reports whether all converted; err is a failure to write.
func RunConvert(values []string, to Form, o Options, out, errs io.Writer) (ok bool, err error) {
	ok = true
	for _, value := range values {
		converted, bad := Convert(value, to, o)
		if bad != nil {
			ok = false
			_, err = fmt.Fprintf(errs, "%s: %s: %s\n", value, hub.AsFault(bad).Code, hub.AsFault(bad).Error())
		} else {
			_, err = fmt.Fprintln(out, converted)
		}
		if err != nil {
			return ok, fmt.Errorf("write the conversion: %w", err)
		}
	}
	return ok, nil
}

// RunCheck writes "valid VALUE" or "invalid VALUE: CODE: message" for each value on out, one a line. ok reports whether
// all are valid; err is a failure to write.
func RunCheck(values []string, o Options, out io.Writer) (ok bool, err error) {
	ok = true
	for _, value := range values {
		if bad := Check(value, o); bad != nil {
			ok = false
			_, err = fmt.Fprintf(out, "invalid %s: %s: %s\n", value, hub.AsFault(bad).Code, hub.AsFault(bad).Error())
		} else {
			_, err = fmt.Fprintf(out, "valid %s\n", value)
		}
		if err != nil {
			return ok, fmt.Errorf("write the verdict: %w", err)
		}
	}
	return ok, nil
}
