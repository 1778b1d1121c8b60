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

// Nearest returns the name of known that is most like name, or "" when none is near enough to be what was meant.
func Nearest(name string, known []string) string {
	best, most := "", 1+len(name)/3
	lower := strings.ToLower(name)
	for _, k := range known {
		if d := distance(lower, strings.ToLower(k), most); d <= most && (best == "" || d < most) {
			best, most = k, d
		}
	}
	return best
}

// distance is the Damerau-Levenshtein distance of two short names, or limit+1 when it is larger than limit.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || max(len(a), len(b))-min(len(a), len(b)) > limit {
		return limit + 1
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, up, upper := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(up[j]+1, row[j-1]+1, up[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], upper[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
