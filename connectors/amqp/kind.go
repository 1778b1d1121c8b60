package amqp

import (
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:     "amqp",
		Summary:  "messages of an AMQP 0-9-1 queue (RabbitMQ), acknowledged when durable",
		Example:  example,
		Interval: broker.Interval,
		Options:  func() any { return &Options{Prefetch: 100} },
	}
}

const example = `id: erp-shipments
provider: brand
source:
  amqp:
    url: amqps://rabbit.brand.test/production   # the path is the virtual host
    queue: suyuan.shipments                     # classic or quorum; it must exist
    user: suyuan
    password: ${env:RABBIT_PASSWORD}
    id: header:x-event-id                       # or json:/eventID; the message-id by default
decode: json
map: ./mapping.yaml
`

// Options are the settings of an amqp instance.
type Options struct {
	// URL is amqp://HOST:5672/VHOST or amqps://HOST:5671/VHOST. TLS goes with the latter.
	URL string      `yaml:"url,required"`
	TLS *broker.TLS `yaml:"tls"`
	// User and Password say who reads; without a user the certificate of TLS does.
	User     string            `yaml:"user"`
	Password strictyaml.Secret `yaml:"password"`
	Queue    string            `yaml:"queue,required"`
	// Prefetch is how many messages may be under way before the first is acknowledged, 100 by default.
	Prefetch int `yaml:"prefetch" min:"1" max:"10000"`
	// ID is where the sender states a message's identity: header:NAME or json:/POINTER. By default, and where it is not
	// there, it is the message-id; without that the digest of routing key and body.
	ID broker.Place `yaml:"id"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	if f := broker.CheckURL(o.URL, "amqp", "amqps"); f != nil {
		faults = append(faults, f.At(at("url")))
	}
	if f := o.ID.Check("header"); f != nil {
		faults = append(faults, f.At(at("id")))
	}
	if o.User == "" && (o.TLS == nil || o.TLS.Cert == "") {
		f := &hub.Fault{
			Kind: hub.Invalid, Code: "amqp.user", Message: "give user and password, or a certificate under tls",
			MessageZh: "请给出 user 与 password，或在 tls 下给出证书",
		}
		faults = append(faults, f.At(at("")))
	}
	return faults
}
