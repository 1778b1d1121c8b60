package pipeline

import (
	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// FrameConnector is the connector that dead letters of whole frames belong to: bytes in the raw stream that this release
// cannot read. Replaying one decodes it again, which helps after an upgrade.
const FrameConnector hub.ConnectorID = "raw-stream"

const (
	poisonTopic      = "dead-letters"
	frameContentType = "application/vnd.suyuan.frame"
)

// undertaker is the poison queue: it publishes a frame that can never be handled as a dead letter, in the frame's turn.
type undertaker struct{ p *Pipeline }

// Publish implements [message.Publisher]. It returns when the dead letters are recorded.
func (u undertaker) Publish(_ string, msgs ...*message.Message) error {
	for _, msg := range msgs {
		u.p.metrics.poisoned.Inc()
		now := u.p.deps.Now()
		from := origin{
			&hub.Envelope{
				Connector: FrameConnector, Provider: hub.ProviderID(FrameConnector), ReceivedAt: now.UTC(),
				ContentType: frameContentType, Origin: streamName,
			},
			&hub.Record{ID: hub.RecordID(streamName + "/" + msg.Metadata.Get(metaSequence)), Body: msg.Payload},
		}
		fault := hub.Faultf(hub.Invalid, msg.Metadata.Get(metaFaultCode), "%s", msg.Metadata.Get(metaFaultText)).
			At(hub.Where{File: streamName, Pointer: msg.Metadata.Get(metaSequence)})
		var o hub.Outcome
		begin(&o, from)
		o.Dead = deadLetter(from, stageHandle, fault, now)
		u.p.deps.Log.Error("a frame of the raw stream cannot be handled and becomes a dead letter",
			zap.String("sequence", msg.Metadata.Get(metaSequence)), zap.Error(fault))
		if err := turnOf(msg.Context()).submit(msg.Context(), batch{[]hub.Outcome{o}, []origin{from}}); err != nil {
			return err
		}
	}
	return nil
}

// Close implements [message.Publisher].
func (undertaker) Close() error { return nil }
