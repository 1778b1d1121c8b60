package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/connectors"
	connamqp "github.com/suyuan-io/suyuan/connectors/amqp"
	"github.com/suyuan-io/suyuan/connectors/decode"
	connepcis "github.com/suyuan-io/suyuan/connectors/epcis"
	"github.com/suyuan-io/suyuan/connectors/epcispull"
	connexec "github.com/suyuan-io/suyuan/connectors/exec"
	"github.com/suyuan-io/suyuan/connectors/file"
	connftp "github.com/suyuan-io/suyuan/connectors/ftp"
	connhttp "github.com/suyuan-io/suyuan/connectors/http"
	connkafka "github.com/suyuan-io/suyuan/connectors/kafka"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	connmqtt "github.com/suyuan-io/suyuan/connectors/mqtt"
	connnats "github.com/suyuan-io/suyuan/connectors/nats"
	conns3 "github.com/suyuan-io/suyuan/connectors/s3"
	connsftp "github.com/suyuan-io/suyuan/connectors/sftp"
	connsql "github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
)

// kinds is every kind of source, in the order of the help. A new kind is one folder and one line here.
func kinds() []connectors.Kind {
	return []connectors.Kind{
		webhook.Kind(),
		file.Kind(),
		connsftp.Kind(),
		connftp.Kind(),
		conns3.Kind(),
		connhttp.Kind(),
		connsql.Kind(sqlDrivers()),
		connepcis.Kind(),
		epcispull.Kind(),
		connexec.Kind(),
		connmqtt.Kind(),
		connnats.Kind(),
		connamqp.Kind(),
		connkafka.Kind(),
	}
}

// splitter builds the splitter of a format.
func splitter(name string, settings []byte) (connectors.Splitter, error) {
	if name == connectors.FormatEPCIS {
		return connepcis.Splitter{}, nil
	}
	return decode.New(name, settings)
}

// catalog is the instances that are loaded, with their decoders and mappings. It is replaced as a whole, so that a record
// is normalised by one version of its instance.
type catalog struct {
	byID atomic.Pointer[map[hub.ConnectorID]pipeline.Instance]
}

// Instance finds an instance for the normaliser. What came through the EPCIS binding needs none.
func (c *catalog) Instance(id hub.ConnectorID) (pipeline.Instance, bool) {
	m := c.byID.Load()
	if m == nil {
		return pipeline.Instance{}, epcisrest.IsCapture(id)
	}
	inst, ok := (*m)[id]
	return inst, ok || epcisrest.IsCapture(id)
}

// loaded is everything that a folder of instance files says.
type loaded struct {
	instances []*connectors.Instance
	parts     map[hub.ConnectorID]pipeline.Instance
	// files are what each instance was made from, by path below root: its own file, its mapping, and the mapping's tables.
	files map[hub.ConnectorID]texts
	root  string
	// asked are all files that were read or looked for, below root.
	asked []string
}

// own is the instance file of each instance.
func (l *loaded) own() map[hub.ConnectorID]string {
	out := map[hub.ConnectorID]string{}
	for _, inst := range l.instances {
		out[inst.ID] = inst.File
	}
	return out
}

// loadConnectors reads the folder of instance files and their mappings. Every fault in all of them is reported at once. A
// nil lookup leaves secrets unresolved.
func loadConnectors(dir string, lookup strictyaml.Lookup) (*loaded, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, hub.Faultf(hub.NotFound, "connectors.missing", "there is no folder of instance files %s", dir).
			WithHint("name it in the configuration under connectors:, or make it")
	}
	// Mappings may lie beside the folder (../mappings), so the file system begins one level above it.
	root, sub := filepath.Dir(filepath.Clean(dir)), filepath.Base(dir)
	read := &reading{FS: os.DirFS(root), files: texts{}}
	loader := connectors.Loader{FS: read, Dir: root, Kinds: kinds(), Format: splitter, Lookup: lookup}
	instances, err := loader.LoadAll(sub)
	var faults hub.Faults
	faults = appendFaults(faults, err)
	out := &loaded{root: root, parts: map[hub.ConnectorID]pipeline.Instance{}, files: map[hub.ConnectorID]texts{}}
	for _, inst := range instances {
		own := &reading{FS: read.FS, files: texts{inst.File: read.files[inst.File]}}
		part, err := partOf(own, inst)
		if epcisrest.IsCapture(inst.ID) {
			err = hub.Faultf(hub.Invalid, "connector.id-reserved", "the id %q is kept for what is posted to /epcis", inst.ID).
				WithHint("choose an id that does not begin with epcis-capture-").At(hub.Where{File: inst.File, Pointer: "/id"})
		}
		out.asked = append(out.asked, own.asked...)
		if err != nil {
			faults = appendFaults(faults, err)
			continue
		}
		out.instances = append(out.instances, inst)
		out.parts[inst.ID], out.files[inst.ID] = part, own.files
	}
	out.asked = append(out.asked, read.asked...)
	faults = withRoot(faults, root)
	return out, faults.Err()
}

// partOf builds the decoder and the mapping of an instance.
func partOf(fsys fs.FS, inst *connectors.Instance) (pipeline.Instance, error) {
	var part pipeline.Instance
	if inst.Format == connectors.FormatEPCIS {
		return part, nil
	}
	var err error
	if part.Decoder, err = decode.New(inst.Format, inst.Settings); err != nil {
		return part, err
	}
	m, err := mapping.Load(fsys, path.Clean(inst.Map))
	if err != nil {
		return part, err
	}
	part.Map = m.Map
	if names, ok := m.Reads(); ok {
		part.Reads = decode.NewNames(names)
	}
	return part, nil
}

func appendFaults(fs hub.Faults, err error) hub.Faults {
	if err == nil {
		return fs
	}
	if many, ok := errors.AsType[hub.Faults](err); ok {
		return append(fs, many...)
	}
	return append(fs, hub.AsFault(err))
}

// withRoot makes the file names in faults paths that the reader can open.
func withRoot(faults hub.Faults, root string) hub.Faults {
	for _, f := range faults {
		if f.Where.File != "" && !filepath.IsAbs(f.Where.File) {
			f.Where.File = filepath.Join(root, f.Where.File)
		}
	}
	return slices.Compact(faults)
}
