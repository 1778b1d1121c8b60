// Package mqtt reads topics of an MQTT 5 broker. The session is the broker's: it keeps what arrives while the hub is
// away, and sends again what was not acknowledged, in order. A message is acknowledged when its records are durable.
//
// Devices of any MQTT version may publish: the broker translates. The package leaves reconnecting to the host, which
// opens the source anew, and telling repetitions apart to the ids.
package mqtt
