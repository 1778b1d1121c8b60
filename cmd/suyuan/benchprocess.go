package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

// hubProcess is a hub in a process of its own.
type hubProcess struct {
	cmd      *exec.Cmd
	dir      string
	url, key string
}

// startHub starts this binary as a hub in dir and waits until it listens.
func startHub(ctx context.Context, dir, profile string) (*hubProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &hubProcess{dir: dir, cmd: exec.CommandContext(ctx, self, "serve", "--config", filepath.Join(dir, "suyuan.yaml"),
		"--cpuprofile", profile)}
	p.cmd.Stderr, p.cmd.SysProcAttr = os.Stderr, endsWithUs()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, hub.Faultf(hub.Unavailable, "bench.start", "cannot start a hub").Because(err)
	}
	lines := bufio.NewScanner(out)
	for p.key == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			p.url = url
		}
		_, p.key, _ = strings.Cut(lines.Text(), "keep it): ")
	}
	if p.key == "" {
		p.stop()
		return nil, hub.Faultf(hub.Unavailable, "bench.start", "the hub did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return p, nil
}

func (p *hubProcess) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// usage reads the process's figures from /proc (proc_pid_stat(5), proc_pid_status(5)).
func (p *hubProcess) usage() (bench.Usage, error) {
	var u bench.Usage
	pid := strconv.Itoa(p.cmd.Process.Pid)
	var err error
	if _, u.CPU, err = processorTime(pid, userTime, systemTime); err != nil {
		return u, nil //nolint:nilerr // not Linux: these figures are left out
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return u, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmHWM": &u.Peak, "VmRSS": &u.Resident}[name]
		if into == nil {
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return u, fmt.Errorf("read memory: %w", err)
		}
		*into = kib << 10
	}
	names, err := filepath.Glob(filepath.Join(p.dir, "data", "hub.db*"))
	if err != nil {
		return u, err
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			u.Disk += info.Size()
		}
	}
	return u, nil
}

// The fields of /proc/PID/stat after the name, from 0 (proc_pid_stat(5)).
const (
	parentPID          = 1
	userTime           = 11
	systemTime         = 12
	childrenUserTime   = 13
	childrenSystemTime = 14
)

// processorTime is the sum of fields of /proc/PID/stat that are times, and the whole line.
func processorTime(pid string, times ...int) (fields []string, t time.Duration, err error) {
	const ticksPerSecond = 100
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil, 0, err
	}
	fields = strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	for _, i := range times {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("read processor time: %w", err)
		}
		t += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	return fields, t, nil
}
