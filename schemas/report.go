package schemas

import (
	"errors"
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// ReportOptions says how verdicts are printed.
type ReportOptions struct {
	// All prints every fault; otherwise only the first, with the number of the others.
	All bool
	// Lang is "en" (also when empty) or "zh".
	Lang string
}

// Report is the verdict on one file, ready to print.
type Report struct {
	Valid bool
	// Lines are "valid FILE", or "invalid FILE: CODE: PLACE: MESSAGE (HINT)", one a fault.
	Lines []string
	// Warnings are "warning FILE: CODE: …" for what breaks a rule though the schema accepts it, which capture would refuse,
	// and for what is better mended, whose code begins with "advice.".
	Warnings []string
}

// Report validates one JSON file as [Registry.ValidateDocument] does and words the verdict. The verdict is the schema's
// alone; what breaks a rule is a warning. digits judges identifiers, or is nil.
func (r *Registry) Report(file string, data []byte, digits func(string) error, o ReportOptions) Report {
	err := r.ValidateDocument(data)
	report := Report{Valid: err == nil, Lines: VerdictLines(file, err, o)}
	if report.Valid {
		strict := r.With(ValidateOptions{Rules: true, CheckDigits: digits, Advice: true}).ValidateDocument(data)
		report.Warnings = faultLines("warning", file, strict, o)
	}
	return report
}

// VerdictLines words the outcome err of any validation of file, as [Report.Lines] has it.
func VerdictLines(file string, err error, o ReportOptions) []string {
	if err == nil {
		return []string{"valid " + file}
	}
	return faultLines("invalid", file, err, o)
}

func faultLines(verdict, file string, err error, o ReportOptions) []string {
	faults := faultsOf(err)
	lines := make([]string, 0, len(faults))
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("%s %s: %s: %s", verdict, file, f.Code, wording(f, o.Lang)))
	}
	if len(lines) == maxFaults {
		lines[maxFaults-1] += enough(o.Lang)
	}
	if o.All || len(lines) < 2 {
		return lines
	}
	more := len(lines) - 1
	if o.Lang == "zh" {
		return []string{fmt.Sprintf("%s [另有 %d 处，用 --all 查看]", lines[0], more)}
	}
	return []string{fmt.Sprintf("%s [%d more: see --all]", lines[0], more)}
}

// enough says that a document may hold more mistakes than are told.
func enough(lang string) string {
	if lang == "zh" {
		return fmt.Sprintf(" [只列出前 %d 处：请更正后再检查]", maxFaults)
	}
	return fmt.Sprintf(" [only the first %d are told: mend them and check again]", maxFaults)
}

// faultsOf returns the faults of err, which is one fault, several, or anything else.
func faultsOf(err error) hub.Faults {
	if err == nil {
		return nil
	}
	if several, ok := errors.AsType[hub.Faults](err); ok {
		return several
	}
	return hub.Faults{hub.AsFault(err)}
}

// wording puts place, message and hint of f into one line of one language.
func wording(f *hub.Fault, lang string) string {
	message, hint := f.Message, f.Hint
	if lang == "zh" {
		if f.MessageZh != "" {
			message = f.MessageZh
		}
		if f.HintZh != "" {
			hint = f.HintZh
		}
	}
	var b strings.Builder
	if place := placeName(f.Where, lang); place != "" {
		b.WriteString(place + ": ")
	}
	b.WriteString(message)
	if f.Err != nil {
		b.WriteString(": " + f.Err.Error())
	}
	if hint != "" {
		b.WriteString(" (" + hint + ")")
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// placeName renders w without its file.
func placeName(w hub.Where, lang string) string {
	w.File = ""
	if lang != "zh" || w.Line == 0 {
		return w.String()
	}
	place := fmt.Sprintf("第 %d 行", w.Line)
	if w.Column > 0 {
		place += fmt.Sprintf("第 %d 列", w.Column)
	}
	if w.Pointer != "" {
		place += " " + w.Pointer
	}
	return place
}
