package nats

import (
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:     "nats",
		Summary:  "messages of a NATS JetStream stream, acknowledged when durable",
		Example:  example,
		Interval: broker.Interval,
		Options: func() any {
			return &Options{From: "first", Prefetch: 100, AckWait: 30 * time.Second}
		},
	}
}

const example = `id: carrier-events
provider: carrier
source:
  nats:
    url: tls://nats.carrier.test:4222
    stream: SHIPMENTS
    subjects: [shipments.cn.>]      # of the stream's; all by default
    credentials: ${file:/run/secrets/carrier.creds}
decode: json
map: ./mapping.yaml
`

// Options are the settings of a nats instance.
type Options struct {
	// URL is nats://HOST:4222 or tls://HOST:4222.
	URL string      `yaml:"url,required"`
	TLS *broker.TLS `yaml:"tls"`
	// User with Password, Token, or Credentials (the text of a .creds file) say who reads.
	User        string            `yaml:"user"`
	Password    strictyaml.Secret `yaml:"password"`
	Token       strictyaml.Secret `yaml:"token"`
	Credentials strictyaml.Secret `yaml:"credentials"`
	// Stream is the stream, Subjects the subjects of it that are read, all by default.
	Stream   string   `yaml:"stream,required"`
	Subjects []string `yaml:"subjects"`
	// Consumer names the durable consumer, "suyuan-" and the instance's id by default. It is created if there is none.
	Consumer string `yaml:"consumer"`
	// From is where a new consumer begins: "first", the default, or "new".
	From string `yaml:"from" enum:"first,new"`
	// Prefetch is how many messages may be under way before the first is acknowledged, 100 by default.
	Prefetch int `yaml:"prefetch" min:"1" max:"10000"`
	// AckWait is after how long the server sends a message again that nobody acknowledged, 30s by default: how long it
	// takes until messages come again that were under way when the hub died.
	AckWait time.Duration `yaml:"ackWait"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: "nats.options", Message: en, MessageZh: zh}).At(at(path)))
	}
	if f := broker.CheckURL(o.URL, "nats", "tls"); f != nil {
		faults = append(faults, f.At(at("url")))
	}
	ways := 0
	for _, given := range []bool{o.User != "" || o.Password.IsSet(), o.Token.IsSet(), o.Credentials.IsSet()} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		refuse("", "give one of user with password, token and credentials", "user 与 password、token、credentials 只能给出一种")
	}
	for path, name := range map[string]string{"stream": o.Stream, "consumer": o.Consumer} {
		if strings.ContainsAny(name, ". *>/\\\t\r\n") {
			refuse(path, path+" must not hold spaces, dots, slashes, * or >", path+" 不得包含空格、点、斜杠、* 或 >")
		}
	}
	if o.AckWait < time.Second || o.AckWait > time.Hour {
		refuse("ackWait", "ackWait must be from 1s to 1h", "ackWait 必须在 1s 到 1h 之间")
	}
	return faults
}
