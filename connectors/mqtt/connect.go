package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

func dial(ctx context.Context, u *url.URL, secure *tls.Config) (net.Conn, error) {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "mqtts":
		port = "8883"
	default:
		port = "1883"
	}
	address := net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "mqtts" {
		return (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// connectFault classifies a refused connection (MQTT 5, section 3.2.2.2).
func connectFault(answer *paho.Connack, err error) error {
	if answer == nil {
		return broker.Unavailable("connect", err)
	}
	err = fmt.Errorf("reason 0x%02x: %w", answer.ReasonCode, err)
	switch answer.ReasonCode {
	case packets.ConnackBadUsernameOrPassword, packets.ConnackNotAuthorized, packets.ConnackBanned, packets.ConnackBadAuthenticationMethod:
		return broker.Unauthorized("the connection", err)
	case packets.ConnackUnsupportedProtocolVersion:
		f := hub.Faultf(hub.Unsupported, "mqtt.version", "the broker does not speak MQTT 5").Because(err)
		f.MessageZh = "消息服务器不支持 MQTT 5"
		return f
	case packets.ConnackInvalidClientID:
		f := hub.Faultf(hub.Invalid, "mqtt.client-id", "the broker does not take this client id").Because(err)
		f.MessageZh = "消息服务器不接受此 clientId"
		return f.WithHint("set clientId to one that it allows")
	}
	return broker.Unavailable("connect", err)
}

// subscribeFault classifies the answer to one topic filter (section 3.9.3), or returns nil.
func subscribeFault(filter string, reason byte) error {
	if reason == packets.SubackGrantedQoS1 || reason == packets.SubackGrantedQoS2 {
		return nil
	}
	err := fmt.Errorf("reason 0x%02x", reason)
	switch reason {
	case packets.SubackGrantedQoS0:
		f := hub.Faultf(hub.Unsupported, "mqtt.qos", "the broker grants %q without acknowledgements only", filter)
		f.MessageZh = "消息服务器不为该主题提供确认（QoS 1）"
		return f.WithHint("have QoS 1 allowed for this topic")
	case packets.SubackNotauthorized:
		return broker.Unauthorized("the topic "+filter, err)
	case packets.SubackTopicFilterinvalid, packets.SubackSharedSubscriptionnotsupported, packets.SubackWildcardsubscriptionsnotsupported:
		f := hub.Faultf(hub.Unsupported, "mqtt.filter", "the broker does not support the topic filter %q", filter).Because(err)
		f.MessageZh = "消息服务器不支持该主题过滤器"
		return f
	}
	return broker.Unavailable("subscribe to "+filter, err)
}
