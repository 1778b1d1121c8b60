package epcisconformance_test

import (
	"fmt"
	"strings"
)

// rich is an event with something for every parameter to find.
func rich(c *client, name string) map[string]any {
	return c.event(map[string]any{
		"eventID": c.id(name), "eventTime": "2024-08-08T08:08:08Z", "action": "ADD", "bizStep": "commissioning", "disposition": "active",
		"persistentDisposition": map[string]any{"set": []string{"completeness_verified"}, "unset": []string{"completeness_inferred"}},
		"epcList":               []string{c.epc(name)},
		"quantityList":          []any{map[string]any{"epcClass": "urn:epc:class:lgtin:0614141.107346." + c.run + name, "quantity": 12.5, "uom": "KGM"}},
		"readPoint":             map[string]any{"id": c.place(name + "-read")},
		"bizLocation":           map[string]any{"id": c.place(name + "-biz")},
		"bizTransactionList":    []any{map[string]any{"type": "po", "bizTransaction": "urn:x:po:" + c.run}},
		"sourceList":            []any{map[string]any{"type": "owning_party", "source": "urn:epc:id:pgln:0614141.00001"}},
		"destinationList":       []any{map[string]any{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00002"}},
		"errorDeclaration": map[string]any{
			"declarationTime": "2024-08-09T08:00:00Z", "reason": "incorrect_data", "correctiveEventIDs": []string{c.id(name + "-better")}, "example:why": "typo",
		},
		"ilmd":           map[string]any{"example:lot": "L-" + c.run, "example:box": map[string]any{"example:height": 7}},
		"example:grade":  "A-" + c.run,
		"example:weight": 42,
		"example:packed": map[string]any{"example:by": "robot", "example:at": "2024-08-08T07:00:00Z"},
		"sensorElementList": []any{map[string]any{
			"sensorMetadata": map[string]any{"startTime": "2024-08-08T06:00:00Z", "endTime": "2024-08-08T07:00:00Z", "bizRules": "https://rules.example.com/1", "example:meta": "m"},
			"sensorReport": []any{map[string]any{
				"type": "Temperature", "value": 5.5, "minValue": 4, "maxValue": 7, "meanValue": 5, "sDev": 0.5, "uom": "CEL", "deviceID": "urn:x:device:1",
				"dataProcessingMethod": "https://method.example.com/1", "microorganism": "https://www.ncbi.nlm.nih.gov/taxonomy/1126011",
				"chemicalSubstance": "https://identifiers.org/inchikey:CZMRCDWAGMRECN-UGDNZRGBSA-N", "stringValue": "SomeString", "booleanValue": true,
				"hexBinaryValue": "f0f0f0", "uriValue": "https://id.gs1.org/8004/401234599999", "percRank": 50, "percValue": 12.7, "example:report": "r",
			}},
			"example:element": "e",
		}},
	})
}

func fixedNames(c *client) error {
	if err := c.captured(rich(c, "q3")); err != nil {
		return err
	}
	declaration := strings.NewReplacer(" ", "").Replace("GE_errorDeclarationTime=2024-08-09T08:00:00Z")
	return c.each("q3", []string{
		"eventType=ObjectEvent", "GE_eventTime=2024-08-08T08:08:08Z", "LT_eventTime=2024-08-08T08:08:09Z", "GE_recordTime=2020-01-01T00:00:00Z",
		"LT_recordTime=2120-01-01T00:00:00Z", "EQ_action=ADD", "EQ_bizStep=commissioning", "EQ_bizStep=" + esc("https://ref.gs1.org/cbv/BizStep-commissioning"),
		"EQ_disposition=active", "EQ_persistentDisposition_set=completeness_verified", "EQ_persistentDisposition_unset=completeness_inferred",
		"EQ_readPoint=" + esc(c.place("q3-read")), "WD_readPoint=" + esc(c.place("q3-read")), "EQ_bizLocation=" + esc(c.place("q3-biz")),
		"WD_bizLocation=" + esc(c.place("q3-biz")), "MATCH_epc=" + esc(c.epc("q3")), "MATCH_anyEPC=" + esc(c.epc("q3")),
		"MATCH_epcClass=" + esc("urn:epc:class:lgtin:0614141.107346."+c.run+"q3"), "MATCH_anyEPCClass=" + esc("urn:epc:class:lgtin:0614141.107346."+c.run+"q3"),
		"EQ_quantity=12.5", "GT_quantity=12", "GE_quantity=12.5", "LT_quantity=13", "LE_quantity=12.5", "EXISTS_errorDeclaration=true", declaration,
		"LT_errorDeclarationTime=2024-08-09T08:00:01Z", "EQ_errorReason=incorrect_data", "EQ_correctiveEventID=" + esc(c.id("q3-better")),
		"orderBy=eventTime", "orderBy=recordTime&orderDirection=ASC", "orderBy=" + esc("example:weight"), "orderBy=eventTime&eventCountLimit=5", "maxEventCount=5",
		"GE_startTime=2024-08-08T06:00:00Z", "LT_startTime=2024-08-08T06:00:01Z", "GE_endTime=2024-08-08T07:00:00Z", "LT_endTime=2024-08-08T07:00:01Z",
		"EQ_type=Temperature", "EQ_deviceID=" + esc("urn:x:device:1"), "EQ_dataProcessingMethod=" + esc("https://method.example.com/1"),
		"EQ_microorganism=" + esc("https://www.ncbi.nlm.nih.gov/taxonomy/1126011"), "EQ_chemicalSubstance=" + esc("https://identifiers.org/inchikey:CZMRCDWAGMRECN-UGDNZRGBSA-N"),
		"EQ_bizRules=" + esc("https://rules.example.com/1"), "EQ_stringValue=SomeString", "EQ_hexBinaryValue=f0f0f0",
		"EQ_uriValue=" + esc("https://id.gs1.org/8004/401234599999"), "EQ_booleanValue=true",
	}, []string{
		"eventType=AggregationEvent", "GE_eventTime=2024-08-08T08:08:09Z", "LT_eventTime=2024-08-08T08:08:08Z", "GE_recordTime=2120-01-01T00:00:00Z",
		"LT_recordTime=2020-01-01T00:00:00Z", "EQ_action=DELETE", "EQ_bizStep=shipping", "EQ_disposition=inactive", "EQ_persistentDisposition_set=completeness_inferred",
		"EQ_persistentDisposition_unset=completeness_verified", "EQ_readPoint=" + esc(c.place("q3-biz")), "EQ_bizLocation=" + esc(c.place("q3-read")), "EQ_transformationID=urn:x:1",
		"MATCH_parentID=" + esc(c.epc("q3")), "MATCH_inputEPC=" + esc(c.epc("q3")), "MATCH_outputEPC=" + esc(c.epc("q3")), "EQ_quantity=12", "GT_quantity=12.5", "LT_quantity=12.5",
		"LT_errorDeclarationTime=2024-08-09T08:00:00Z", "EQ_errorReason=did_not_occur", "EQ_correctiveEventID=urn:x:1", "GE_startTime=2024-08-08T06:00:01Z", "LT_endTime=2024-08-08T07:00:00Z",
		"EQ_type=Speed", "EQ_deviceID=urn:x:2", "EQ_stringValue=Other", "EQ_hexBinaryValue=00", "EQ_booleanValue=false", "EQ_microorganism=urn:x:1",
	})
}

func families(c *client) error {
	if err := c.captured(rich(c, "q4")); err != nil {
		return err
	}
	return c.each("q4", []string{
		"EQ_bizTransaction_po=" + esc("urn:x:po:"+c.run), "EQ_source_owning_party=" + esc("urn:epc:id:pgln:0614141.00001"), "EQ_destination_owning_party=" + esc("urn:epc:id:pgln:0614141.00002"),
		"EQ_example:grade=A-" + c.run, "EQ_example:weight=42", "GT_example:weight=41", "GE_example:weight=42", "LT_example:weight=43", "LE_example:weight=42",
		"EQ_ILMD_example:lot=L-" + c.run, "EQ_INNER_example:by=robot", "GE_INNER_example:at=2024-08-08T07:00:00Z", "EQ_INNER_ILMD_example:height=7", "GT_INNER_ILMD_example:height=6",
		"EQ_ERROR_DECLARATION_example:why=typo", "EXISTS_example:grade=true", "EXISTS_ILMD_example:lot=true", "EXISTS_INNER_example:by=true", "EXISTS_INNER_ILMD_example:height=true",
		"EXISTS_ERROR_DECLARATION_example:why=true", "HASATTR_example:packed=" + esc("example:by"), "EQATTR_example:packed_example:by=robot",
		"EQ_value_CEL=5.5", "GT_value_CEL=5", "GE_value_CEL=5.5", "LT_value_CEL=6", "LE_value_CEL=5.5", "EQ_minValue_CEL=4", "EQ_maxValue_CEL=7", "EQ_meanValue_CEL=5", "EQ_sDev_CEL=0.5",
		"GE_value_KEL=278.65", "EQ_SENSORELEMENT_example:element=e", "EQ_SENSORMETADATA_example:meta=m", "EQ_SENSORREPORT_example:report=r",
		"EQ_quantity_KGM=12.5", "EQ_quantity_GRM=12500",
	}, []string{
		"EQ_bizTransaction_po=urn:x:2", "EQ_bizTransaction_inv=" + esc("urn:x:po:"+c.run), "EQ_source_owning_party=" + esc("urn:epc:id:pgln:0614141.00002"),
		"EQ_example:grade=B", "GT_example:weight=42", "EQ_ILMD_example:lot=other", "EQ_example:lot=L-" + c.run, "EQ_INNER_example:grade=A-" + c.run, "EQ_INNER_ILMD_example:lot=L-" + c.run,
		"EXISTS_example:none=true", "EXISTS_ILMD_example:grade=true", "HASATTR_example:packed=" + esc("example:none"), "EQATTR_example:packed_example:by=human",
		"GT_value_CEL=5.5", "EQ_minValue_CEL=5.5", "EQ_value_MTR=5.5", "EQ_SENSORELEMENT_example:meta=m", "EQ_ERROR_DECLARATION_example:why=other",
	})
}

// each checks that every query of find finds the event of that name, and none of miss does.
func (c *client) each(name string, find, miss []string) error {
	only := "&EQ_eventID=" + esc(c.id(name))
	var errs []error
	for _, q := range find {
		errs = append(errs, c.finds(q+only, name))
	}
	for _, q := range miss {
		errs = append(errs, c.finds(q+only))
	}
	if err := first(errs...); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}
