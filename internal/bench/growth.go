package bench

import (
	"fmt"
	"math"
	"strings"
)

// Stage is what was measured when a growing hub held so many events.
type Stage struct {
	Size   int
	Ingest Result // of the last tenth that was added
	Trace  Result
	Page   Result
	Proof  Result // receipts
	Disk   float64
}

// Table renders stages as a table in Markdown.
func Table(stages []Stage) string {
	var b strings.Builder
	b.WriteString("| events | ingest of the last tenth, /s | of the first | trace p50 | trace p99 | page p99 | receipt p99 | B an event | peak MiB |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range stages {
		fmt.Fprintf(&b, "| %d | %.0f | %.2f | %s | %s | %s | %s | %.0f | %d |\n", s.Size, s.Ingest.Rate(),
			s.Ingest.Rate()/stages[0].Ingest.Rate(), s.Trace.P50, s.Trace.P99, s.Page.P99, s.Proof.P99, s.Disk, s.Ingest.Peak>>20)
	}
	return b.String()
}

// Plot draws ingest rate, trace p99 and bytes per event over the number of events, each relative to the first stage, as SVG.
func Plot(stages []Stage) string {
	const width, height, left, top = 640, 320, 60, 20
	series := []struct {
		name, color string
		of          func(Stage) float64
	}{
		{"ingest, events/s", "#1b6ca8", func(s Stage) float64 { return s.Ingest.Rate() }},
		{"trace query p99", "#c0392b", func(s Stage) float64 { return s.Trace.P99.Seconds() }},
		{"bytes an event", "#2e8b57", func(s Stage) float64 { return s.Disk }},
	}
	low, high := math.Log10(float64(stages[0].Size)), math.Log10(float64(stages[len(stages)-1].Size))
	top2 := 2.0
	for _, s := range stages {
		for _, l := range series {
			top2 = math.Max(top2, l.of(s)/l.of(stages[0]))
		}
	}
	x := func(size int) float64 {
		return left + (math.Log10(float64(size))-low)/math.Max(high-low, 1e-9)*(width-left-40)
	}
	y := func(v float64) float64 { return top + (1-v/top2)*(height-top-60) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for v := 0.0; v <= top2; v += top2 / 4 {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="8" y="%.1f">%.2f×</text>`+"\n", left, y(v), width-40, y(v)+4, v)
	}
	for _, s := range stages {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(s.Size), height-42, s.Size)
	}
	for i, l := range series {
		points := make([]string, len(stages))
		for j, s := range stages {
			points[j] = fmt.Sprintf("%.1f,%.1f", x(s.Size), y(l.of(s)/l.of(stages[0])))
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), l.color)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+i*180, height-14, l.color, l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
