package bench

import (
	"os"
	"path/filepath"
	"strings"
)

// Write lays out in dir the configuration of a hub that takes the load: one connector for single records, one for
// batches, and a real mapping of the sample's brand record. The secret is what senders sign with. postgres is the URL of the
// database that takes the store's place, "" for the embedded store.
func Write(dir, secret, durability, postgres string) error {
	fill := strings.NewReplacer("@DIR@", filepath.ToSlash(dir), "@DURABILITY@", durability)
	config := hubYAML
	if postgres != "" {
		config += storeYAML
	}
	for name, text := range map[string]string{
		"suyuan.yaml":                  config,
		"secret":                       secret,
		"store.url":                    postgres,
		"connectors/bench.yaml":        singleYAML,
		"connectors/bench-batch.yaml":  batchYAML,
		"connectors/bench-shed.yaml":   shedYAML,
		"connectors/bench-ndjson.yaml": fileYAML("ndjson", "{ ndjson: {} }"),
		"connectors/bench-csv.yaml":    fileYAML("csv", "{ csv: { header: true } }"),
		"mappings/bench.yaml":          Mapping,
		"drop/ndjson/README":           "files of the benchmark",
		"drop/csv/README":              "files of the benchmark",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(fill.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const hubYAML = `listen: 127.0.0.1:0
data: data
anchor: { origin: bench.local/log, maxAge: 200ms }
log: { level: warn }
stream: { durability: @DURABILITY@, minFree: 64MiB }
`

const storeYAML = `store: { postgres: { url: "${file:@DIR@/store.url}" } }
`

const singleYAML = `id: bench
provider: wyeth-illuma
source: { webhook: { preset: standard-webhooks, secrets: ["${file:@DIR@/secret}"] } }
decode: json
map: ../mappings/bench.yaml
limits: { inFlight: 100000 }
`

const batchYAML = `id: bench-batch
provider: wyeth-illuma
source: { webhook: { preset: standard-webhooks, secrets: ["${file:@DIR@/secret}"] } }
decode: { json: { split: /records } }
map: ../mappings/bench.yaml
limits: { inFlight: 100000 }
`

// shedYAML has the limits that an instance has by itself, so that overload is shed.
const shedYAML = `id: bench-shed
provider: wyeth-illuma
source: { webhook: { preset: standard-webhooks, secrets: ["${file:@DIR@/secret}"] } }
decode: { json: { split: /records } }
map: ../mappings/bench.yaml
`

// fileYAML is a connector that reads the files of one format.
func fileYAML(format, decoder string) string {
	return "id: bench-" + format + `
provider: wyeth-illuma
source:
  file: { paths: ["@DIR@/drop/` + format + "/*." + format + `"], ready: { minAge: 1ms, stablePolls: 1 }, after: { success: delete } }
decode: ` + decoder + `
map: ../mappings/bench.yaml
interval: 50ms
`
}

// Mapping is the mapping of the records that the load consists of: the sample's brand record.
const Mapping = `version: 1
timezone: "+01:00"
let:
  plant: "= sgln(row.plantGln)"
events:
  - event:
      type: ObjectEvent
      eventTime: "= ts(row.madeOn, 'yyyy-MM-dd HH:mm:ss')"
      action: ADD
      bizStep: commissioning
      disposition: active
      epcList: ["= sgtin(row.gtin, row.code)"]
      readPoint: { id: "= plant" }
      bizLocation: { id: "= plant" }
      ilmd:
        "cbvmda:lotNumber": "= row.batch"
        "cbvmda:itemExpirationDate": "= row.bestBefore"
`
