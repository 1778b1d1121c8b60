package epcis

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// parameter takes one parameter with its values.
func (p *queryParser) parameter(name string, raw []string) error {
	for _, step := range []func(string, []string) (bool, error){p.facet, p.control, p.match, p.stated, p.family} {
		if known, err := step(name, raw); known || err != nil {
			return err
		}
	}
	hint := spelling.Nearest(name, parameterNames(), spelling.Typed)
	if hint != "" {
		f := hub.AsFault(p.bad("unknown", "%s is no parameter of this query", "未知的查询参数 %s", name))
		return hinted(f, "did you mean "+hint+"?", "是否应为 "+hint+"？")
	}
	return p.bad("unknown", "%s is no parameter of this query", "未知的查询参数 %s", name)
}

// facet takes the parameters that stores narrow by.
func (p *queryParser) facet(name string, raw []string) (bool, error) {
	switch name {
	case "eventType":
		list, err := p.list(raw, wordSeparators)
		p.EventTypes = append(p.EventTypes, list...)
		return true, err
	case "GE_eventTime":
		return true, p.time(raw, &p.EventTime.From)
	case "LT_eventTime":
		return true, p.time(raw, &p.EventTime.To)
	case "GE_recordTime":
		return true, p.time(raw, &p.RecordTime.From)
	case "LT_recordTime":
		return true, p.time(raw, &p.RecordTime.To)
	case "EQ_action":
		return true, p.oneOf(raw, []string{"ADD", "OBSERVE", "DELETE"}, &p.Actions)
	case "EQ_bizStep":
		return true, p.words(raw, bizSteps, &p.BizSteps)
	case "EQ_disposition":
		return true, p.words(raw, dispositions, &p.Dispositions)
	case "EQ_readPoint":
		return true, p.ids(raw, &p.ReadPoint.IDs)
	case "WD_readPoint":
		return true, p.ids(raw, &p.ReadPoint.Within)
	case "EQ_bizLocation":
		return true, p.ids(raw, &p.BizLocation.IDs)
	case "WD_bizLocation":
		return true, p.ids(raw, &p.BizLocation.Within)
	case "EQ_transformationID":
		return true, p.ids(raw, &p.TransformationIDs)
	case "EQ_eventID":
		list, err := p.list(raw, uriSeparators)
		p.EventIDs = append(p.EventIDs, list...)
		return true, err
	}
	return false, nil
}

// control takes the parameters that say how much of the result is wanted, and in which order.
func (p *queryParser) control(name string, raw []string) (bool, error) {
	switch name {
	case "orderBy":
		v, err := p.single(raw)
		if err == nil && v != "eventTime" && v != "recordTime" && !strings.Contains(v, ":") {
			return true, p.bad("value", "orderBy is %q; allowed are eventTime, recordTime and names of extension fields",
				"orderBy 的值 %q 无效，允许 eventTime、recordTime 或扩展字段名", v)
		}
		p.OrderBy = v
		return true, err
	case "orderDirection":
		var direction []string
		if err := p.oneOf(raw, []string{"ASC", "DESC"}, &direction); err != nil {
			return true, err
		}
		p.Ascending = direction[0] == "ASC"
		return true, nil
	case "eventCountLimit":
		return true, p.count(raw, &p.EventCountLimit)
	case "maxEventCount":
		return true, p.count(raw, &p.MaxEventCount)
	case "perPage":
		return true, p.count(raw, &p.PerPage)
	case "nextPageToken":
		v, err := p.single(raw)
		p.NextPageToken = v
		return true, err
	}
	return false, nil
}

// matchParameters says where a MATCH_ parameter looks.
//
//nolint:gochecknoglobals // read-only table
var matchParameters = map[string]ThingQuery{
	"MATCH_epc":       {Roles: []hub.Role{hub.RoleEPC, hub.RoleChild}},
	"MATCH_parentID":  {Roles: []hub.Role{hub.RoleParent}},
	"MATCH_inputEPC":  {Roles: []hub.Role{hub.RoleInput}},
	"MATCH_outputEPC": {Roles: []hub.Role{hub.RoleOutput}},
	"MATCH_anyEPC": {
		Roles: []hub.Role{hub.RoleEPC, hub.RoleChild, hub.RoleParent, hub.RoleInput, hub.RoleOutput},
	},
	"MATCH_epcClass":       {Roles: []hub.Role{hub.RoleEPC, hub.RoleChild}, Class: true},
	"MATCH_inputEPCClass":  {Roles: []hub.Role{hub.RoleInput}, Class: true},
	"MATCH_outputEPCClass": {Roles: []hub.Role{hub.RoleOutput}, Class: true},
	"MATCH_anyEPCClass": {
		Roles: []hub.Role{hub.RoleEPC, hub.RoleChild, hub.RoleInput, hub.RoleOutput}, Class: true,
	},
}

func (p *queryParser) match(name string, raw []string) (bool, error) {
	q, ok := matchParameters[name]
	if !ok {
		return false, nil
	}
	list, err := p.list(raw, uriSeparators)
	q.Patterns = list
	p.Things = append(p.Things, q)
	return true, err
}

// add keeps a condition.
func (p *queryParser) add(test func(*Event) bool) {
	p.rest = append(p.rest, condition{p.name, test})
}

// stated takes the other parameters with fixed names.
func (p *queryParser) stated(name string, raw []string) (bool, error) {
	switch name {
	case "EXISTS_errorDeclaration":
		return true, p.exists(raw, "errorDeclaration")
	case "EXISTS_sensorElementList":
		return true, p.exists(raw, "sensorElementList")
	case "EQ_persistentDisposition_set":
		return true, p.eqWords(raw, dispositions, "persistentDisposition", "set")
	case "EQ_persistentDisposition_unset":
		return true, p.eqWords(raw, dispositions, "persistentDisposition", "unset")
	case "EQ_errorReason":
		return true, p.eqWords(raw, errorReasons, "errorDeclaration", "reason")
	case "EQ_correctiveEventID":
		return true, p.eqTexts(raw, "errorDeclaration", "correctiveEventIDs")
	case "GE_errorDeclarationTime", "GE_errorDeclaration_Time":
		return true, p.compareTimes(raw, opGE, []string{"errorDeclaration", "declarationTime"})
	case "LT_errorDeclarationTime", "LT_errorDeclaration_Time":
		return true, p.compareTimes(raw, opLT, []string{"errorDeclaration", "declarationTime"})
	case "EQ_type":
		return true, p.eqWords(raw, measurements, "sensorElementList", "sensorReport", "type")
	case "EQ_booleanValue":
		var value []string
		err := p.oneOf(raw, []string{"true", "false"}, &value)
		p.add(func(e *Event) bool {
			return slices.ContainsFunc(e.Lookup("sensorElementList", "sensorReport", "booleanValue"), func(v Value) bool {
				return slices.Contains(value, v.Text())
			})
		})
		return true, err
	}
	return p.sensorField(name, raw)
}

// sensorField takes EQ_ of the attributes of sensor elements, and GE_ and LT_ of their times.
func (p *queryParser) sensorField(name string, raw []string) (bool, error) {
	op, field, ok := cutOp(name)
	if !ok {
		return false, nil
	}
	paths := [][]string{
		{"sensorElementList", "sensorMetadata", field}, {"sensorElementList", "sensorReport", field},
	}
	switch field {
	case "deviceID", "dataProcessingMethod", "microorganism", "chemicalSubstance", "bizRules", "stringValue",
		"hexBinaryValue", "uriValue", "deviceMetadata", "rawData", "coordinateReferenceSystem", "component", "exception":
		if op != opEQ {
			return false, nil
		}
		return true, p.eqSensor(raw, field, paths)
	case "time", "startTime", "endTime":
		if op != opGE && op != opLT {
			return false, nil
		}
		return true, p.compareTimes(raw, op, paths...)
	}
	return false, nil
}

// eqSensor takes EQ_ of an attribute of sensor elements. A text may hold any character, so only '|' separates, and not
// even that in stringValue.
func (p *queryParser) eqSensor(raw []string, field string, paths [][]string) error {
	separators := uriSeparators
	if field == "stringValue" {
		separators = ""
	}
	list, err := p.list(raw, separators)
	if err != nil {
		return err
	}
	words := sensorFields[field].words
	same := func(a, b string) bool { return canonicalID(a) == canonicalID(b) }
	switch {
	case words != nil:
		same = func(a, b string) bool { return words.word(a) == words.word(b) }
	case field == "hexBinaryValue":
		same = strings.EqualFold
	}
	p.add(func(e *Event) bool { return anyText(e, list, same, paths...) })
	return nil
}

func (p *queryParser) exists(raw []string, field string) error {
	switch strings.ToLower(strings.Join(raw, "")) {
	case "false", "0":
		return nil
	case "true", "1", "", "null":
		p.add(func(e *Event) bool { return len(e.root.member(field).items()) > 0 })
		return nil
	}
	return p.bad("value", "%s is true or false", "参数 %s 只能为 true 或 false", p.name)
}

func (p *queryParser) eqWords(raw []string, words *vocabulary, path ...string) error {
	list, err := p.list(raw, wordSeparators)
	p.add(func(e *Event) bool {
		return anyText(e, list, func(a, b string) bool { return words.word(a) == words.word(b) }, path)
	})
	return err
}

func (p *queryParser) eqTexts(raw []string, path ...string) error {
	list, err := p.list(raw, uriSeparators)
	p.add(func(e *Event) bool { return anyText(e, list, func(a, b string) bool { return a == b }, path) })
	return err
}

// compareTimes takes a comparison with the times at any of the paths.
func (p *queryParser) compareTimes(raw []string, op op, paths ...[]string) error {
	var span Span
	at := &span.From
	if op == opLT {
		at = &span.To
	}
	err := p.time(raw, at)
	p.add(func(e *Event) bool {
		for _, path := range paths {
			for _, v := range e.Lookup(path...) {
				if t, err := ParseTime(v.Text()); err == nil && span.contains(t) {
					return true
				}
			}
		}
		return false
	})
	return err
}

// anyText reports whether a text at one of the paths is the same as one of the list.
func anyText(e *Event, list []string, same func(a, b string) bool, paths ...[]string) bool {
	for _, path := range paths {
		for _, v := range e.Lookup(path...) {
			if slices.ContainsFunc(list, func(want string) bool { return same(v.Text(), want) }) {
				return true
			}
		}
	}
	return false
}

// parameterNames are the parameters with fixed names, for suggestions.
func parameterNames() []string {
	names := strings.Fields(`eventType GE_eventTime LT_eventTime GE_recordTime LT_recordTime EQ_action EQ_bizStep
		EQ_disposition EQ_persistentDisposition_set EQ_persistentDisposition_unset EQ_readPoint WD_readPoint EQ_bizLocation
		WD_bizLocation EQ_transformationID EQ_quantity GT_quantity GE_quantity LT_quantity LE_quantity EQ_eventID
		EXISTS_errorDeclaration GE_errorDeclarationTime LT_errorDeclarationTime EQ_errorReason EQ_correctiveEventID orderBy
		orderDirection eventCountLimit maxEventCount EXISTS_sensorElementList GE_time LT_time GE_startTime LT_startTime
		GE_endTime LT_endTime EQ_type EQ_deviceID EQ_dataProcessingMethod EQ_microorganism EQ_chemicalSubstance EQ_bizRules
		EQ_stringValue EQ_booleanValue EQ_hexBinaryValue EQ_uriValue EQ_bizTransaction_ EQ_source_ EQ_destination_ perPage
		nextPageToken`)
	for name := range matchParameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
