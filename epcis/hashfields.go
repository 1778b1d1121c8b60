package epcis

import "slices"

// field is a standard field of an event, in the order in which the event hash writes them.
type field uint8

const (
	fieldExtension field = iota
	fieldUnhashed
	fieldEventTime
	fieldEventTimeZoneOffset
	fieldEPCList
	fieldParentID
	fieldInputEPCList
	fieldChildEPCs
	fieldQuantityList
	fieldChildQuantityList
	fieldInputQuantityList
	fieldOutputEPCList
	fieldOutputQuantityList
	fieldAction
	fieldTransformationID
	fieldBizStep
	fieldDisposition
	fieldPersistentDisposition
	fieldReadPoint
	fieldBizLocation
	fieldBizTransactionList
	fieldSourceList
	fieldDestinationList
	fieldSensorElementList
	fieldILMD
	fieldSensorElement
	fieldSensorMetadata
	fieldSensorReport
	fieldCount
)

// form says what the value of a field looks like.
type form uint8

const (
	formNone form = iota
	formLeaf
	formTime
	formEPCs
	formQuantities
	formPairs
	formPersistent
	formPlace
	formSensors
	formNumber
	formBool
)

// shape is what the codecs and the hash know of a field.
type shape struct {
	name string
	form form
	// words is the vocabulary of the value, or of the type of each pair.
	words *vocabulary
	// item is the name of a list's items in XML, and of the value of a pair.
	item string
}

//nolint:gochecknoglobals // read-only tables
var (
	shapes = [fieldCount]shape{
		fieldEventTime:             {name: "eventTime", form: formTime},
		fieldEventTimeZoneOffset:   {name: "eventTimeZoneOffset", form: formLeaf},
		fieldEPCList:               {name: "epcList", form: formEPCs, item: "epc"},
		fieldParentID:              {name: "parentID", form: formLeaf},
		fieldInputEPCList:          {name: "inputEPCList", form: formEPCs, item: "epc"},
		fieldChildEPCs:             {name: "childEPCs", form: formEPCs, item: "epc"},
		fieldQuantityList:          {name: "quantityList", form: formQuantities, item: "quantityElement"},
		fieldChildQuantityList:     {name: "childQuantityList", form: formQuantities, item: "quantityElement"},
		fieldInputQuantityList:     {name: "inputQuantityList", form: formQuantities, item: "quantityElement"},
		fieldOutputEPCList:         {name: "outputEPCList", form: formEPCs, item: "epc"},
		fieldOutputQuantityList:    {name: "outputQuantityList", form: formQuantities, item: "quantityElement"},
		fieldAction:                {name: "action", form: formLeaf},
		fieldTransformationID:      {name: "transformationID", form: formLeaf},
		fieldBizStep:               {name: "bizStep", form: formLeaf, words: bizSteps},
		fieldDisposition:           {name: "disposition", form: formLeaf, words: dispositions},
		fieldPersistentDisposition: {name: "persistentDisposition", form: formPersistent, words: dispositions},
		fieldReadPoint:             {name: "readPoint", form: formPlace},
		fieldBizLocation:           {name: "bizLocation", form: formPlace},
		fieldBizTransactionList: {
			name: "bizTransactionList", form: formPairs, words: transactionTypes, item: "bizTransaction",
		},
		fieldSourceList:        {name: "sourceList", form: formPairs, words: partyTypes, item: "source"},
		fieldDestinationList:   {name: "destinationList", form: formPairs, words: partyTypes, item: "destination"},
		fieldSensorElementList: {name: "sensorElementList", form: formSensors, item: "sensorElement"},
		fieldILMD:              {name: "ilmd"},
		fieldSensorElement:     {name: "sensorElement"},
		fieldSensorMetadata:    {name: "sensorMetadata"},
		fieldSensorReport:      {name: "sensorReport"},
	}

	metadataOrder = []string{
		"time", "startTime", "endTime", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules",
	}
	reportOrder = []string{
		"type", "exception", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "time", "microorganism",
		"chemicalSubstance", "value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue", "minValue",
		"maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem",
	}

	// sensorFields are the fields of sensorMetadata and sensorReport.
	sensorFields = map[string]shape{
		"time": {form: formTime}, "startTime": {form: formTime}, "endTime": {form: formTime},
		"deviceID": {form: formLeaf}, "deviceMetadata": {form: formLeaf}, "rawData": {form: formLeaf},
		"dataProcessingMethod": {form: formLeaf}, "bizRules": {form: formLeaf},
		"type": {form: formLeaf, words: measurements}, "exception": {form: formLeaf, words: alarms},
		"microorganism": {form: formLeaf}, "chemicalSubstance": {form: formLeaf},
		"component": {form: formLeaf, words: components}, "stringValue": {form: formLeaf},
		"booleanValue": {form: formBool}, "hexBinaryValue": {form: formLeaf}, "uriValue": {form: formLeaf},
		"value": {form: formNumber}, "minValue": {form: formNumber}, "maxValue": {form: formNumber},
		"meanValue": {form: formNumber}, "sDev": {form: formNumber}, "percRank": {form: formNumber},
		"percValue": {form: formNumber}, "uom": {form: formLeaf}, "coordinateReferenceSystem": {form: formLeaf},
	}

	metadataShapes, reportShapes = shapesOf(metadataOrder), shapesOf(reportOrder)
)

// shapesOf returns the shapes of sensor fields with their names, in the order given.
func shapesOf(order []string) []shape {
	list := make([]shape, len(order))
	for i, name := range order {
		list[i] = sensorFields[name]
		list[i].name = name
	}
	return list
}

// fieldOf finds an event's field by name; what it does not know is an extension. A switch, because it is asked of every
// member of every event.
func fieldOf(name string) field {
	switch name {
	case "recordTime", "eventID", "errorDeclaration", "certificationInfo", "type", "@context":
		return fieldUnhashed
	case "eventTime":
		return fieldEventTime
	case "eventTimeZoneOffset":
		return fieldEventTimeZoneOffset
	case "epcList":
		return fieldEPCList
	case "parentID":
		return fieldParentID
	case "inputEPCList":
		return fieldInputEPCList
	case "childEPCs":
		return fieldChildEPCs
	case "quantityList":
		return fieldQuantityList
	case "childQuantityList":
		return fieldChildQuantityList
	case "inputQuantityList":
		return fieldInputQuantityList
	case "outputEPCList":
		return fieldOutputEPCList
	case "outputQuantityList":
		return fieldOutputQuantityList
	case "action":
		return fieldAction
	case "transformationID":
		return fieldTransformationID
	case "bizStep":
		return fieldBizStep
	case "disposition":
		return fieldDisposition
	case "persistentDisposition":
		return fieldPersistentDisposition
	case "readPoint":
		return fieldReadPoint
	case "bizLocation":
		return fieldBizLocation
	case "bizTransactionList":
		return fieldBizTransactionList
	case "sourceList":
		return fieldSourceList
	case "destinationList":
		return fieldDestinationList
	case "sensorElementList":
		return fieldSensorElementList
	case "ilmd":
		return fieldILMD
	}
	return fieldExtension
}

// String returns the name of the field.
func (f field) String() string { return shapes[f].name }

// knows reports whether name has a place in the order of the field's members. The JSON Schema also lets bizRules stand
// in a sensorReport; the hash does not know it there.
func (f field) knows(name string) bool {
	switch f { //nolint:exhaustive // only these have extension points
	case fieldReadPoint, fieldBizLocation:
		return name == "id"
	case fieldSensorElement:
		return name == "sensorMetadata" || name == "sensorReport"
	case fieldSensorMetadata:
		return slices.Contains(metadataOrder, name)
	case fieldSensorReport:
		return slices.Contains(reportOrder, name)
	}
	return true
}
