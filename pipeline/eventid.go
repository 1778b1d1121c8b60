package pipeline

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/suyuan-io/suyuan/hub"
)

// eventNamespace is the UUID namespace of [EventID]: the version 5 UUID of "https://suyuan.dev/event-id" under the
// namespace for URLs (RFC 9562, section 6.6).
const eventNamespace = "209704a0-2c77-547e-867a-a2d6be0dd3c4"

// EventID is the eventID of the index-th event, from 0, that a record means when it states none: "urn:uuid:" and the
// version 5 UUID (RFC 9562, section 5.5) of connector, LF, record id, LF, index in decimal. The same record read or
// replayed again gives the same id; docs/formats-raw.md has vectors.
func EventID(record hub.RecordRef, index int) string {
	name := string(record.Connector) + "\n" + string(record.ID) + "\n" + strconv.Itoa(index)
	return "urn:uuid:" + uuid.NewSHA1(uuid.MustParse(eventNamespace), []byte(name)).String()
}
