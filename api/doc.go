// Package api is the hub's HTTP face for machines: connectors' webhooks under /in, the hub's own JSON API under /v1, and
// health and metrics. It authenticates, limits, asks the packages below through interfaces of its own, and turns their
// faults into RFC 9457 problem details in one table.
//
// It leaves pages to web, the EPCIS REST binding's semantics to epcis, and every decision about data to those it asks.
package api
