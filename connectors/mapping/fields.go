package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
)

// want is the kind of value that a field of an event takes.
type want uint8

const (
	wantAny want = iota
	wantText
	wantURI
	wantTime
	wantNumber
	wantBool
	wantObject
	wantList
)

// spec is what is known of a field: EPCIS 2.0, JSON binding (section 10 and the ratified JSON Schema 2.0.1).
type spec struct {
	want want
	// fields are the members of an object; an object without any is free.
	fields map[string]*spec
	// elem is what a list holds.
	elem *spec
	// words are the standard's own values; anything with a colon is somebody's own URI and welcome too.
	words []string
	// open is true where members of other vocabularies, "prefix:name", are allowed beside the fields.
	open bool
}

// names returns the members of an object.
func (sp *spec) names() []string { return sortedKeys(sp.fields) }

func plainText() *spec                     { return &spec{want: wantText} }
func uri() *spec                           { return &spec{want: wantURI} }
func instant() *spec                       { return &spec{want: wantTime} }
func amount() *spec                        { return &spec{want: wantNumber} }
func vocabulary(list string) *spec         { return &spec{want: wantURI, words: strings.Fields(list)} }
func listOf(elem *spec) *spec              { return &spec{want: wantList, elem: elem} }
func closed(fields map[string]*spec) *spec { return &spec{want: wantObject, fields: fields} }
func open(fields map[string]*spec) *spec   { return &spec{want: wantObject, fields: fields, open: true} }

// eventTypes are the types of EPCIS 2.0, section 7.4.
func eventTypes() []string { return epcis.EventTypes() }

// eventSpec returns the fields of an event type, or of all of them when the type is not known at load.
func eventSpec(eventType string) *spec {
	fields := commonFields()
	add := func(more map[string]*spec) {
		maps.Copy(fields, more)
	}
	known := slices.Contains(eventTypes(), eventType)
	is := func(types ...string) bool { return !known || slices.Contains(types, eventType) }
	if is("ObjectEvent", "TransactionEvent") {
		add(map[string]*spec{"epcList": listOf(uri()), "quantityList": listOf(quantitySpec())})
	}
	if is("AggregationEvent", "AssociationEvent") {
		add(map[string]*spec{"childEPCs": listOf(uri()), "childQuantityList": listOf(quantitySpec())})
	}
	if is("AggregationEvent", "AssociationEvent", "TransactionEvent") {
		add(map[string]*spec{"parentID": uri()})
	}
	if is("TransformationEvent") {
		add(map[string]*spec{"inputEPCList": listOf(uri()), "inputQuantityList": listOf(quantitySpec()), "outputEPCList": listOf(uri()),
			"outputQuantityList": listOf(quantitySpec()), "transformationID": uri()})
	}
	if is("ObjectEvent", "TransformationEvent") {
		add(map[string]*spec{"ilmd": {want: wantObject, open: true}})
	}
	if is("ObjectEvent", "AggregationEvent", "TransactionEvent", "AssociationEvent") {
		add(map[string]*spec{"action": {want: wantText, words: []string{"ADD", "OBSERVE", "DELETE"}}})
	}
	return open(fields)
}

func quantitySpec() *spec {
	return closed(map[string]*spec{"epcClass": uri(), "quantity": amount(), "uom": plainText()})
}

// commonFields are the fields that every event may have.
func commonFields() map[string]*spec {
	disposition := vocabulary(dispositionWords)
	place := open(map[string]*spec{"id": uri()})
	party := "owning_party possessing_party location"
	return map[string]*spec{
		"type": {want: wantText}, "eventID": uri(), "eventTime": instant(), "eventTimeZoneOffset": plainText(),
		"bizStep": vocabulary(bizStepWords), "disposition": disposition,
		"persistentDisposition": closed(map[string]*spec{"set": listOf(disposition), "unset": listOf(disposition)}),
		"readPoint":             place, "bizLocation": place,
		"bizTransactionList": listOf(closed(map[string]*spec{"type": vocabulary("bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt"), "bizTransaction": uri()})),
		"sourceList":         listOf(closed(map[string]*spec{"type": vocabulary(party), "source": uri()})),
		"destinationList":    listOf(closed(map[string]*spec{"type": vocabulary(party), "destination": uri()})),
		"sensorElementList":  listOf(sensorSpec()),
		"certificationInfo":  {want: wantAny},
		"errorDeclaration": open(map[string]*spec{"declarationTime": instant(), "reason": vocabulary("did_not_occur incorrect_data"),
			"correctiveEventIDs": listOf(uri())}),
	}
}

func sensorSpec() *spec {
	link := func(m map[string]*spec) map[string]*spec {
		for _, k := range []string{"deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"} {
			m[k] = uri()
		}
		m["time"] = instant()
		return m
	}
	report := link(map[string]*spec{"type": uri(), "exception": uri(), "microorganism": uri(), "chemicalSubstance": uri(),
		"coordinateReferenceSystem": uri(), "component": uri(), "stringValue": plainText(), "booleanValue": {want: wantBool},
		"hexBinaryValue": plainText(), "uriValue": uri(), "uom": plainText()})
	for _, k := range []string{"value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"} {
		report[k] = amount()
	}
	return open(map[string]*spec{
		"sensorMetadata": open(link(map[string]*spec{"startTime": instant(), "endTime": instant()})),
		"sensorReport":   listOf(open(report)),
	})
}

// The words of CBV 2.0, sections 7.1 and 7.2.
const (
	bizStepWords = `accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
		decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting installing
		killing loading other packing picking receiving removing repackaging repairing replacing reserving retail_selling
		sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting unloading unpacking
		void_shipping`
	dispositionWords = `active available completeness_inferred completeness_verified conformant container_closed
		container_open damaged destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class
		mismatch_instance mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other
		partially_dispensed recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen
		unavailable unknown`
)

// standardPrefixes need no entry under context: the EPCIS context declares them.
func standardPrefixes() []string {
	return []string{"cbv", "cbvmda", "epcis", "gs1", "rdfs", "owl", "xsd", "dcterms"}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
