package fabrictest

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// configBlock returns the block that says which organisations the channel has.
func (n *Network) configBlock() []byte {
	orgs := make(map[string]*common.ConfigGroup)
	for _, org := range n.Orgs {
		config := marshal(&msp.FabricMSPConfig{Name: org.MSP, RootCerts: [][]byte{org.CA.CertPEM}})
		orgs[org.MSP] = &common.ConfigGroup{Values: map[string]*common.ConfigValue{
			"MSP": {Value: marshal(&msp.MSPConfig{Config: config})},
		}}
	}
	channel := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Application": {Groups: orgs}}}
	envelope := marshal(&common.Envelope{Payload: marshal(&common.Payload{
		Data: marshal(&common.ConfigEnvelope{Config: &common.Config{ChannelGroup: channel}}),
	})})
	return marshal(&common.Block{Data: &common.BlockData{Data: [][]byte{envelope}}})
}
