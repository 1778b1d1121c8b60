package mqtt

import (
	"fmt"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:     "mqtt",
		Summary:  "messages of MQTT 5 topics, acknowledged when durable",
		Example:  example,
		Interval: broker.Interval,
		Options: func() any {
			return &Options{Session: 7 * 24 * time.Hour, Prefetch: 100}
		},
	}
}

const example = `id: line-scanners
provider: plant
source:
  mqtt:
    url: mqtts://broker.plant.test:8883
    topics: [plant/+/scans, plant/+/packing/#]
    user: suyuan
    password: ${env:MQTT_PASSWORD}
    tls: { ca: ./plant-ca.pem }
    id: property:scanId             # or json:/scan/id; without one: the digest of topic, payload and sequence
    session: 168h                   # how long the broker keeps messages while the hub is away
decode: json
map: ./mapping.yaml
`

// Options are the settings of an mqtt instance.
type Options struct {
	// URL is mqtt://HOST:1883 or mqtts://HOST:8883. TLS goes with the latter.
	URL string      `yaml:"url,required"`
	TLS *broker.TLS `yaml:"tls"`
	// Topics are the topic filters: "+" stands for one level, "#" for all that follow.
	Topics []string `yaml:"topics,required"`
	// ClientID names the session with the broker, "suyuan-" and the instance's id by default.
	ClientID string            `yaml:"clientId"`
	User     string            `yaml:"user"`
	Password strictyaml.Secret `yaml:"password"`
	// Session is how long the broker keeps messages while nobody is connected, 168h by default.
	Session time.Duration `yaml:"session"`
	// Prefetch is how many messages the broker may send before the first is acknowledged, 100 by default.
	Prefetch int `yaml:"prefetch" min:"1" max:"10000"`
	// ID is where the sender states a message's identity: property:NAME or json:/POINTER. Where there is none, the
	// identity is the digest of topic, payload and the value at Sequence, so that a message sent again is the same one.
	ID       broker.Place `yaml:"id"`
	Sequence broker.Place `yaml:"sequence"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	add := func(path string, f *hub.Fault) {
		if f != nil {
			faults = append(faults, f.At(at(path)))
		}
	}
	add("url", broker.CheckURL(o.URL, "mqtt", "mqtts"))
	add("id", o.ID.Check("property"))
	add("sequence", o.Sequence.Check("property"))
	if len(o.Topics) == 0 {
		add("topics", refusal("topics needs at least one topic", "topics 至少需要一个主题"))
	}
	for i, filter := range o.Topics {
		if !validFilter(filter) {
			add(fmt.Sprintf("topics[%d]", i), refusal(fmt.Sprintf("%q is no topic filter: + stands for a whole level, # is the last one", filter),
				fmt.Sprintf("%q 不是主题过滤器：+ 占整个层级，# 只能是最后一级", filter)))
		}
	}
	if o.Session < time.Minute || o.Session > maxSession {
		add("session", refusal("session must be from 1m to 8760h", "session 必须在 1m 到 8760h 之间"))
	}
	return faults
}

// maxSession is a year: MQTT counts the seconds in 32 bits, and brokers set their own bounds below that.
const maxSession = 365 * 24 * time.Hour

func refusal(en, zh string) *hub.Fault {
	return &hub.Fault{Kind: hub.Invalid, Code: "mqtt.options", Message: en, MessageZh: zh}
}
