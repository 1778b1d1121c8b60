package epcis

import (
	"bufio"

	"github.com/suyuan-io/suyuan/hub"
)

func readXML(r *bufio.Reader, l Limits, visit func(Item) error) (*Header, error) {
	return nil, hub.Faultf(hub.Unsupported, "epcis.xml", "not yet")
}
