package epcis

import (
	"slices"
	"strings"
)

// Fields returns the names that the standard defines at a path within an event of the given type, sorted, and whether
// names of other namespaces may stand there as well. A path goes through lists without indices: ("ObjectEvent",
// "bizTransactionList") are the fields of one business transaction. It returns nil, false for a path that holds no
// object; a type that the standard does not know is an extended one, in which every field may stand.
func Fields(eventType string, path ...string) (names []string, open bool) {
	if len(path) == 0 {
		return eventFieldNames(eventType), true
	}
	if names := eventFieldNames(eventType); !slices.Contains(names, path[0]) {
		if strings.Contains(path[0], ":") {
			return nil, true
		}
		return nil, false
	}
	switch strings.Join(path, "/") {
	case "readPoint", "bizLocation":
		return []string{"id"}, true
	case "quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList":
		return []string{"epcClass", "quantity", "uom"}, false
	case "bizTransactionList":
		return []string{"bizTransaction", "type"}, false
	case "sourceList":
		return []string{"source", "type"}, false
	case "destinationList":
		return []string{"destination", "type"}, false
	case "persistentDisposition":
		return []string{"set", "unset"}, false
	case "errorDeclaration":
		return []string{"correctiveEventIDs", "declarationTime", "reason"}, true
	case "sensorElementList":
		return []string{"sensorMetadata", "sensorReport"}, true
	case "sensorElementList/sensorMetadata":
		return slices.Sorted(slices.Values(metadataOrder)), true
	case "sensorElementList/sensorReport":
		return slices.Sorted(slices.Values(append([]string{"bizRules"}, reportOrder...))), true
	}
	// Within ILMD and within extensions everything is the user's own.
	open = path[0] == "ilmd" || slices.ContainsFunc(path, func(s string) bool { return strings.Contains(s, ":") })
	return nil, open
}

// EventTypes returns the five event types of the standard.
func EventTypes() []string {
	return []string{"AggregationEvent", "AssociationEvent", "ObjectEvent", "TransactionEvent", "TransformationEvent"}
}

func eventFieldNames(eventType string) []string {
	common := `@context bizLocation bizStep bizTransactionList certificationInfo destinationList disposition errorDeclaration
		eventID eventTime eventTimeZoneOffset persistentDisposition readPoint recordTime sensorElementList sourceList type `
	switch eventType {
	case "ObjectEvent":
		common += "action epcList ilmd quantityList"
	case "AggregationEvent", "AssociationEvent":
		common += "action childEPCs childQuantityList parentID"
	case "TransactionEvent":
		common += "action epcList parentID quantityList"
	case "TransformationEvent":
		common += "ilmd inputEPCList inputQuantityList outputEPCList outputQuantityList transformationID"
	default:
		common += `action childEPCs childQuantityList epcList ilmd inputEPCList inputQuantityList outputEPCList
			outputQuantityList parentID quantityList transformationID`
	}
	names := strings.Fields(common)
	slices.Sort(names)
	return names
}
