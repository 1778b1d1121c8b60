package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// reading is a file system that keeps what was read through it, so that the texts in use stay known when the files change.
type reading struct {
	fs.FS
	files texts
	// asked are the names that were read or looked for: that one of them changes or appears is a change.
	asked []string
}

// ReadFile implements [fs.ReadFileFS].
func (r *reading) ReadFile(name string) ([]byte, error) {
	r.asked = append(r.asked, name)
	b, err := readRegular(r.FS, name)
	if err == nil {
		r.files[name] = string(b)
	}
	return b, err
}

// maxFolderFile bounds the files that instances consist of; a table for lookups is the largest.
const maxFolderFile = 64 << 20

// readRegular reads a file, and nothing that has no end, or none soon: a device, a pipe.
func readRegular(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	case info.Size() > maxFolderFile:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it has %d bytes, at most %d are read", info.Size(), maxFolderFile)}
	}
	return fs.ReadFile(fsys, name)
}

// Stat implements [fs.StatFS].
func (r *reading) Stat(name string) (fs.FileInfo, error) {
	r.asked = append(r.asked, name)
	return fs.Stat(r.FS, name)
}

// folder is the folder of instance files: what of it the hub runs with, and what it says now.
type folder struct {
	dir string
	log *zap.Logger
	// secrets makes what resolves the secrets of one reading.
	secrets func() strictyaml.Lookup
	// refusing counts the faults that keep the newest state from being applied, reloads what became of changes.
	refusing prometheus.Gauge
	reloads  *prometheus.CounterVec

	mu        sync.Mutex
	files     map[hub.ConnectorID]texts
	appliedAt time.Time
	faults    hub.Faults
}

func newFolder(dir string, log *zap.Logger, metrics prometheus.Registerer) *folder {
	return &folder{
		dir: dir, log: log.Named("folder"), secrets: secrets,
		refusing: promauto.With(metrics).NewGauge(prometheus.GaugeOpts{
			Name: "suyuan_connectors_folder_faults", Help: "Faults that keep the folder of instance files from being applied as it is.",
		}),
		reloads: promauto.With(metrics).NewCounterVec(prometheus.CounterOpts{
			Name: "suyuan_connectors_reloads_total", Help: "Changes of the folder of instance files, by what became of them.",
		}, []string{"result"}),
	}
}

// load reads the folder with its secrets, and returns the footprint of what the result depends on: that of before it was read, so
// that whatever changes or appears meanwhile is seen as a change. What else the files depend on than known says only they tell;
// when they tell of something new they are read once more.
func (f *folder) load(known footprint) (*loaded, footprint, error) {
	names := slices.Collect(maps.Keys(known))
	for again := false; ; again = true {
		before := f.look(names)
		l, read, err := f.read()
		var more []string
		for name := range read {
			if _, ok := before[name]; !ok {
				more = append(more, name)
			}
		}
		if len(more) == 0 {
			return l, before, err
		}
		if again { // it changes all the time: the next look is to find it changed
			for _, name := range more {
				before[name] = "unknown"
			}
			return l, before, err
		}
		names = append(names, more...)
	}
}

// read reads the folder, and tells what was read or looked for.
func (f *folder) read() (*loaded, map[string]bool, error) {
	names := map[string]bool{}
	resolve := f.secrets()
	l, err := loadConnectors(f.dir, func(scheme, name string) (string, error) {
		if scheme == "file" {
			names[name] = true
		}
		return resolve(scheme, name)
	})
	if l != nil {
		for _, name := range l.asked {
			names[filepath.Join(l.root, filepath.FromSlash(name))] = true
		}
	}
	return l, names, err
}

// footprint is how files were when they were looked at: the size and the time of the last change of each.
type footprint map[string]string

// look takes the footprint of the folder's files and of others.
func (f *folder) look(others []string) footprint {
	names := slices.Clone(others)
	entries, err := os.ReadDir(f.dir)
	if err == nil {
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); ext == ".yaml" || ext == ".yml" {
				names = append(names, filepath.Join(f.dir, e.Name()))
			}
		}
	}
	p := footprint{}
	for _, name := range names {
		p[name] = "none"
		if info, err := os.Stat(name); err == nil {
			p[name] = fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return p
}

// again takes the same footprint now.
func (f *folder) again(p footprint) footprint { return f.look(slices.Collect(maps.Keys(p))) }

// applied notes that the hub runs with l.
func (f *folder) applied(l *loaded, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files, f.appliedAt, f.faults = l.files, now, nil
	f.refusing.Set(0)
}

// refused notes why the hub goes on with what it has. It is logged here, once a change, because there is no caller to tell.
func (f *folder) refused(err error) {
	faults := appendFaults(nil, err)
	f.mu.Lock()
	f.faults = faults
	f.mu.Unlock()
	f.refusing.Set(float64(len(faults)))
	f.reloads.WithLabelValues("refused").Inc()
	f.log.Warn("the changed connectors are not applied; the hub goes on with the ones before", zap.Int("faults", len(faults)), zap.Error(err))
}

// state is since when the hub runs with what it has, and what keeps it from running with what the folder says now.
func (f *folder) state() (appliedAt time.Time, faults hub.Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.appliedAt, f.faults
}

// texts are the files that the instances run with.
func (f *folder) texts() map[hub.ConnectorID]texts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files
}

// lookEvery is how often the folder is looked at. A change is applied when a second look finds it the same: who copies
// several files is not interrupted.
const lookEvery = 400 * time.Millisecond

// watch applies the folder of instance files whenever it changes, or when the operator says so by a signal.
func (h *Hub) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, pending := h.footprint, h.footprint
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.hup:
		case <-tick.C:
			now := h.folder.again(last)
			if settled := maps.Equal(now, pending); maps.Equal(now, last) || !settled {
				pending = now
				continue
			}
		}
		last = h.reload(ctx, last)
		pending = last
	}
}

// obeyEvery is how often a process looks whether another one has paused or resumed a connector.
const obeyEvery = 2 * time.Second

// obeyBreakers has the host stop what a breaker of this process opened, and looks now and then for what another one did, or was told
// to pause.
func (h *Hub) obeyBreakers(ctx context.Context) {
	var breakers, pauses <-chan time.Time
	if h.cfg.shared() {
		b, p := time.NewTicker(lookEvery), time.NewTicker(obeyEvery)
		defer b.Stop()
		defer p.Stop()
		breakers, pauses = b.C, p.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-h.opened:
			err = h.host.Obey(ctx)
		case <-breakers:
			err = h.host.Obey(ctx)
		case <-pauses:
			err = h.host.ObeyPauses(ctx)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Warn("cannot see which connectors are to stop", zap.Error(err))
		}
	}
}

// reload applies the folder as it is now, or nothing of it. It returns what the folder was like.
func (h *Hub) reload(ctx context.Context, known footprint) footprint {
	l, seen, err := h.folder.load(known)
	before := h.folder.texts()
	if err == nil {
		err = h.adopt(ctx, l)
	}
	if err != nil {
		h.folder.refused(err)
		return seen
	}
	h.folder.reloads.WithLabelValues("applied").Inc()
	var said []string
	for _, c := range changesOf(before, l.files, l.own()) {
		said = append(said, string(c.Action)+" "+string(c.ID))
	}
	h.folder.log.Info("the changed connectors are applied", zap.Strings("changes", said))
	return seen
}

// adopt makes the hub run exactly with l: decoders and mappings first, so that no record of a new instance meets none,
// then the instances. Records of an instance that is gone are still read as it said. When it fails, nothing has changed.
func (h *Hub) adopt(ctx context.Context, l *loaded) error {
	h.adopting.Lock()
	defer h.adopting.Unlock()
	before := h.catalog.byID.Load()
	parts := informed(l.parts, h.master.lookup)
	if before != nil {
		for id, p := range *before {
			if _, ok := parts[id]; !ok {
				parts[id] = p
			}
		}
	}
	h.catalog.byID.Store(&parts)
	if err := h.host.Apply(ctx, h.mine(l.instances)); err != nil {
		h.catalog.byID.Store(before)
		return err
	}
	h.adopted = l.instances
	if h.cfg.hasRole(rolePipeline) {
		for _, inst := range l.instances {
			h.pipeline.Expect(inst.ID)
		}
	}
	h.breakers.Set(l.instances)
	h.folder.applied(l, time.Now())
	return nil
}
