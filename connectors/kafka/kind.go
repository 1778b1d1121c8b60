package kafka

import (
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:     "kafka",
		Summary:  "records of Kafka topics, offsets committed when durable",
		Example:  example,
		Interval: broker.Interval,
		Options:  func() any { return &Options{From: "first"} },
	}
}

const example = `id: order-events
provider: brand
source:
  kafka:
    brokers: [kafka-1.brand.test:9093, kafka-2.brand.test:9093]
    topics: [orders, returns]
    group: suyuan                   # offsets are the group's; or partitions: [0, 1], and the hub keeps them
    tls: { ca: ./brand-ca.pem }
    sasl: { mechanism: scram-sha-512, user: suyuan, password: "${env:KAFKA_PASSWORD}" }
decode: json
map: ./mapping.yaml
`

// Options are the settings of a kafka instance.
type Options struct {
	// Brokers are HOST:PORT of some of the cluster's brokers.
	Brokers []string    `yaml:"brokers,required"`
	TLS     *broker.TLS `yaml:"tls"`
	SASL    *SASL       `yaml:"sasl"`
	Topics  []string    `yaml:"topics,required"`
	// Group is the consumer group, "suyuan-" and the instance's id by default. Partitions, of every topic, replace it.
	Group      string `yaml:"group"`
	Partitions []int  `yaml:"partitions"`
	// From is where to begin when nothing was read yet: "first", the default, or "new".
	From string `yaml:"from" enum:"first,new"`
}

// SASL says who reads.
type SASL struct {
	Mechanism string            `yaml:"mechanism,required" enum:"plain,scram-sha-256,scram-sha-512"`
	User      string            `yaml:"user,required"`
	Password  strictyaml.Secret `yaml:"password,required"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: "kafka.options", Message: en, MessageZh: zh}).At(at(path)))
	}
	for _, list := range []struct {
		path   string
		values []string
	}{{"brokers", o.Brokers}, {"topics", o.Topics}} {
		if len(list.values) == 0 {
			refuse(list.path, list.path+" needs at least one entry", list.path+" 至少需要一项")
		}
		for _, v := range list.values {
			if v == "" || strings.ContainsAny(v, "/ \t") {
				refuse(list.path, "an entry of "+list.path+" is empty or holds a slash or a space", list.path+" 中有空项，或含斜杠或空格")
			}
		}
	}
	if o.Group != "" && len(o.Partitions) > 0 {
		refuse("group", "give either group or partitions", "group 与 partitions 只能给出一个")
	}
	for _, p := range o.Partitions {
		if p < 0 || p > 1<<20 {
			refuse("partitions", "a partition is a number from 0", "partitions 须为从 0 起的编号")
		}
	}
	return faults
}
