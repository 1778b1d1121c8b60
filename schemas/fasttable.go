package schemas

// newFastPath builds the tables of the fast path. Vocabularies come from the embedded schema, so that each list of words
// exists once.
func newFastPath(cbv map[string]any) *fastPath {
	f := &fastPath{}
	bizStep, disposition := vocabularyOf(cbv, "bizStep"), vocabularyOf(cbv, "disposition")
	dispositions := atLeastOneOf(distinct(disposition))
	persistent := object(closed, field("set", dispositions), field("unset", dispositions)).
		atLeast(1)
	place := object(free, required("id", isIdentifier))
	party := vocabularyOf(cbv, "sourceDestinationType")
	errorDeclaration := object(open,
		required("declarationTime", isTimeValue),
		field("reason", vocabularyOf(cbv, "errorReason")),
		field("correctiveEventIDs", list(isURIValue)))
	quantities := list(quantityElement())
	transactions := list(object(closed,
		field("type", vocabularyOf(cbv, "bizTransactionType")), required("bizTransaction", isURIValue)).value)

	f.event = object(open,
		field("@context", isContext),
		field("type", (*scanner).eventType),
		field("eventID", isURIValue),
		field("eventTime", isTimeValue),
		field("eventTimeZoneOffset", isOffset),
		field("recordTime", isTimeValue),
		field("certificationInfo", either(isURIValue, list(isURIValue))),
		field("errorDeclaration", errorDeclaration.value),
		field("action", (*scanner).action),
		field("bizStep", bizStep),
		field("disposition", disposition),
		field("persistentDisposition", persistent.value),
		field("readPoint", place.value),
		field("bizLocation", place.value),
		field("bizTransactionList", filling(fieldBizTransactions, transactions)),
		field("sourceList", list(object(closed, required("type", party), required("source", isIdentifier)).value)),
		field("destinationList", list(object(closed, required("type", party), required("destination", isIdentifier)).value)),
		field("sensorElementList", filling(fieldSensors, list(sensorElement(cbv).value))),
		field("epcList", filling(fieldEPCs, distinct(isIdentifier))),
		field("quantityList", filling(fieldQuantities, quantities)),
		field("parentID", isIdentifier),
		field("childEPCs", filling(fieldChildren, list(isIdentifier))),
		field("childQuantityList", filling(fieldChildQuantities, quantities)),
		field("inputEPCList", filling(fieldInputs, distinct(isIdentifier))),
		field("inputQuantityList", filling(fieldInputQuantities, quantities)),
		field("outputEPCList", filling(fieldOutputs, distinct(isIdentifier))),
		field("outputQuantityList", filling(fieldOutputQuantities, quantities)),
		field("transformationID", isURIValue),
		field("ilmd", object(open).value))

	f.document = f.documentTable()
	return f
}

// quantityElement consumes a quantity element and notes when a rule could refuse it.
func quantityElement() func(*scanner) bool {
	const quantity, uom fieldSet = 1 << 1, 1 << 2
	element := object(closed,
		required("epcClass", isIdentifier),
		field("quantity", func(s *scanner) bool {
			s.next()
			start := s.pos
			ok := isNumberValue(s)
			s.counts = ok && isDigits(s.data[start:s.pos]) && s.data[start] != '0'
			return ok
		}),
		field("uom", isUnit))
	return func(s *scanner) bool {
		seen, ok := element.check(s)
		if seen&uom == 0 && seen&quantity != 0 && !s.counts || seen&uom != 0 && seen&quantity == 0 {
			s.look = true
		}
		return ok
	}
}

func sensorElement(cbv map[string]any) *fastObject {
	metadata := object(open,
		field("time", isTimeValue), field("startTime", isTimeValue), field("endTime", isTimeValue),
		field("deviceID", isURIValue), field("deviceMetadata", isURIValue), field("rawData", isURIValue),
		field("dataProcessingMethod", isURIValue), field("bizRules", isURIValue))
	report := object(open,
		required("type", vocabularyOf(cbv, "measurementType")),
		field("exception", vocabularyOf(cbv, "sensorAlertType")),
		field("deviceID", isURIValue), field("deviceMetadata", isURIValue), field("rawData", isURIValue),
		field("dataProcessingMethod", isURIValue), field("bizRules", isURIValue),
		field("time", isTimeValue),
		field("microorganism", isURIValue), field("chemicalSubstance", isURIValue),
		field("coordinateReferenceSystem", isURIValue),
		field("value", isNumberValue),
		field("component", vocabularyOf(cbv, "component")),
		field("stringValue", isStringValue), field("booleanValue", isBooleanValue),
		field("hexBinaryValue", isHexValue), field("uriValue", isURIValue),
		field("minValue", isNumberValue), field("maxValue", isNumberValue), field("meanValue", isNumberValue),
		field("sDev", isNumberValue), field("percRank", isNumberValue), field("percValue", isNumberValue),
		field("uom", isStringValue))
	return object(open, field("sensorMetadata", metadata.value), required("sensorReport", atLeastOneOf(list(report.value))))
}

// documentTable serves both kinds of documents; what only one of them has is decided in documentComplete.
func (f *fastPath) documentTable() *fastObject {
	event := func(s *scanner) bool { _, ok := f.checkEvent(s); return ok }
	events := list(event)
	element := object(free,
		required("id", isURIValue),
		field("attributes", list(object(free, required("id", isURIValue), field("attribute", isAttribute)).value)),
		field("children", list(isURIValue)))
	vocabularies := list(object(free, required("type", isURIValue), field("vocabularyElementList", list(element.value))).value)
	header := object(open, field("epcisMasterData", object(free, field("vocabularyList", vocabularies)).value))
	results := object(open,
		required("queryName", isStringValue), field("subscriptionID", isStringValue),
		required("resultsBody", object(open, required("eventList", events), field("vocabularyList", vocabularies)).value))
	body := object(open,
		field("eventList", func(s *scanner) bool { s.body = captureDocument; return events(s) }),
		field("queryResults", func(s *scanner) bool { s.body = queryDocument; return results.value(s) })).exactly(1)
	return object(open,
		field("@context", isContext),
		field("type", (*scanner).documentType),
		field("id", isURIValue),
		field("schemaVersion", isVersion),
		field("creationDate", isTimeValue),
		field("instanceIdentifier", isStringValue),
		field("sender", isStringValue),
		field("receiver", isStringValue),
		field("epcisHeader", header.value),
		field("epcisBody", body.value))
}
