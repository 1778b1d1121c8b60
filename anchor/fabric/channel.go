package fabric

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/suyuan-io/suyuan/hub"
)

// Trust returns what a reader may pin of the consortium: the channel's organisations with their authorities, a majority
// of them as the rule (Fabric's default endorsement policy), and our organisation as the owner. It is what one peer
// says, so whoever relies on it compares it with what the organisations themselves publish.
func (l *Ledger) Trust(ctx context.Context) (Trust, error) {
	b, err := l.configuration.EvaluateWithContext(ctx, "GetConfigBlock", client.WithArguments(l.config.Channel))
	if err != nil {
		return Trust{}, l.nothingDone("ask for the channel's configuration", err)
	}
	t := Trust{Channel: l.config.Channel, Chaincode: l.config.Chaincode, Owner: l.config.MSP, PeerOU: "peer"}
	if t.Roots, err = channelRoots(b); err != nil {
		return Trust{}, fmt.Errorf("read the channel's configuration: %w", err)
	}
	for id := range t.Roots {
		t.Rule.MSPs = append(t.Rule.MSPs, id)
	}
	slices.Sort(t.Rule.MSPs)
	t.Rule.NOf = len(t.Rule.MSPs)/2 + 1
	return t, nil
}

// Probe returns a fault that says what an operator has to mend when the consortium would not take the checkpoints of
// origin: a peer that cannot be reached, an identity that the channel does not know, a channel that was not joined, a
// contract that was not deployed, a log that belongs to another organisation.
func (l *Ledger) Probe(ctx context.Context, origin string) error {
	t, err := l.Trust(ctx)
	if err != nil {
		return err
	}
	if t.Roots[l.config.MSP] == "" {
		fault := hub.Faultf(hub.Invalid, "fabric.msp", "channel %s has no organisation %s", l.config.Channel, l.config.MSP).
			WithHint("its organisations are " + strings.Join(t.Rule.MSPs, ", "))
		fault.MessageZh = "通道中没有组织 " + l.config.MSP
		return fault
	}
	r, err := l.record(ctx, "Latest", origin)
	switch {
	case hub.KindOf(err) == hub.NotFound:
		return nil
	case err != nil:
		return err
	case r.Submitter != l.config.MSP:
		fault := hub.Faultf(hub.Forbidden, "fabric.owner", "the log %s belongs to %s on channel %s", origin, r.Submitter, l.config.Channel).
			WithHint("commit as that organisation, or choose another origin")
		fault.MessageZh = "该日志在联盟链上属于 " + r.Submitter
		return fault
	}
	return nil
}

// channelRoots returns the authorities of each organisation in a channel's configuration block (Fabric's protos,
// common/configtx.proto and msp/msp_config.proto).
func channelRoots(b []byte) (map[string]string, error) {
	var block common.Block
	var envelope common.Envelope
	var payload common.Payload
	var config common.ConfigEnvelope
	if err := unmarshal(b, &block, "block"); err != nil {
		return nil, err
	}
	if len(block.GetData().GetData()) != 1 {
		return nil, errors.New("it is no configuration block")
	}
	if err := unmarshal(block.GetData().GetData()[0], &envelope, "envelope"); err != nil {
		return nil, err
	}
	if err := unmarshal(envelope.GetPayload(), &payload, "payload"); err != nil {
		return nil, err
	}
	if err := unmarshal(payload.GetData(), &config, "configuration"); err != nil {
		return nil, err
	}
	roots := make(map[string]string)
	for name, group := range config.GetConfig().GetChannelGroup().GetGroups()["Application"].GetGroups() {
		var outer msp.MSPConfig
		var org msp.FabricMSPConfig
		if err := unmarshal(group.GetValues()["MSP"].GetValue(), &outer, "organisation"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := unmarshal(outer.GetConfig(), &org, "organisation"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var all strings.Builder
		for _, cert := range append(org.GetRootCerts(), org.GetIntermediateCerts()...) {
			all.Write(cert)
			if !strings.HasSuffix(all.String(), "\n") {
				all.WriteByte('\n')
			}
		}
		roots[org.GetName()] = all.String()
	}
	if len(roots) == 0 {
		return nil, errors.New("it names no organisation")
	}
	return roots, nil
}
