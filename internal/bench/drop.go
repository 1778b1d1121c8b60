package bench

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// WriteFile writes n records of a run to a file as NDJSON ("ndjson") or CSV ("csv"); the file appears under its name when
// it is complete.
func WriteFile(path, format, run string, n int) error {
	part := filepath.Join(filepath.Dir(filepath.Dir(path)), "part")
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	write := writeNDJSON
	if format == "csv" {
		write = writeCSV
	}
	if err = write(w, run, n); err == nil {
		err = w.Flush()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(part, path)
}

func writeNDJSON(w *bufio.Writer, run string, n int) error {
	var line []byte
	for i := range n {
		line = append(appendRecord(line[:0], run, i), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(out *bufio.Writer, run string, n int) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{
		"code", "gtin", "batch", "madeOn", "bestBefore", "plantGln", "line", "shift", "operator", "cartonSscc", "nameZh", "nameEn",
		"series", "packaging", "packSpec", "origin", "plant", "address", "fill", "seal", "oxygen", "note",
	}); err != nil {
		return err
	}
	for i := range n {
		if err := w.Write([]string{
			Serial(run, i), "7613035982949", "9121755841", string(appendMadeOn(nil, i)), "2028-10-31",
			"5391520850004", fmt.Sprintf("L%d", i%8), "B", fmt.Sprintf("op-%04d", i%10000), "05391520850000001", "启赋有机幼儿配方奶粉3阶段",
			"illuma organic formula stage 3", "启赋有机", "罐装", "900 g × 6", "IE", "Wyeth Nutritionals Ireland, Askeaton plant",
			"Askeaton, Co. Limerick, Ireland", fmt.Sprintf("%d.%02d", 899+i%3, i%100), "ok", fmt.Sprintf("0.%02d", i%100),
			"printed by line printer, checked by camera, no remarks, packed in cases of six, stacked on pallets of one hundred and twenty cases",
		}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// Import has the hub read a file that place puts where it looks, and waits until its n records are anchored.
func Import(ctx context.Context, name string, t Target, n int, place func() error) (Result, error) {
	before, err := t.usage()
	if err != nil {
		return Result{}, err
	}
	start, err := t.logSize(ctx)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	if err := place(); err != nil {
		return Result{}, err
	}
	if err := t.Await(ctx, start+uint64(n)); err != nil {
		return Result{}, err
	}
	r := Result{Name: name, Records: n, Anchored: time.Since(began)}
	return r, r.charge(t, before)
}
