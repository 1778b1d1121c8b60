package epcis

import (
	"strings"
	"sync"
)

// The content models of the XML Schemas of EPCIS 1.2 and 2.0, one line a type, which a tab continues:
//
//	Type = name:Type name?:Type name*:Type name+:Type other* local+ @attribute:type @required!:type @*
//
// Particles follow each other; a line that begins with '|' is a choice, with its own ?, * or none behind the bar. "other"
// and "local" are the wildcards ##other and ##local, "@*" lets any attribute stand. A name with "s:" is of the standard
// business document header, one with "q:" of the query schema. "&" before a particle lets it stand only behind the one
// before it. "#type" is simple content. A type in lower case is simple.
const modelsCommon = `
Local = local+ @*
LocalOnly = local+
Other = other+ @*
MasterData = VocabularyList:VocabularyList extension?:LocalOnly
VocabularyList = Vocabulary*:Vocabulary
Vocabulary = VocabularyElementList?:VocabularyElementList extension?:Local other* @type!:anyURI @*
VocabularyElementList = VocabularyElement+:VocabularyElement
VocabularyElement = attribute*:Attribute children?:IDList extension?:Local other* @id!:anyURI @*
Attribute = #any @id!:anyURI @*
IDList = id*:anyURI @*
HeaderExtension = EPCISMasterData?:MasterData extension?:Local @*
Body = EventList?:EventList extension?:Local other* @*
EPCList = epc*:EPC
EPC = #string
Quantity = epcClass:anyURI quantity?:Decimal &uom?:UOM
UOM = #string
Decimal = #decimal
QuantityList = quantityElement*:Quantity
Place = id:anyURI extension?:Local other*
Transaction = #anyURI @type:anyURI
TransactionList = bizTransaction+:Transaction
Party = #anyURI @type!:anyURI
SourceList = source+:Party
DestinationList = destination+:Party
ILMD = extension?:Local other* @*
EventIDs = correctiveEventID*:anyURI
QueryBody = | q:QueryResults:QueryResults q:GetQueryNames:Empty q:GetQueryNamesResult:ArrayOfString q:Subscribe:Subscribe
	q:SubscribeResult:Empty q:Unsubscribe:Unsubscribe q:UnsubscribeResult:Empty q:GetSubscriptionIDs:SubscriptionIDs
	q:GetSubscriptionIDsResult:ArrayOfString q:Poll:Poll q:GetStandardVersion:Empty q:GetStandardVersionResult:string
	q:GetVendorVersion:Empty q:GetVendorVersionResult:string q:DuplicateNameException:Exception
	q:InvalidURIException:Exception q:NoSuchNameException:Exception q:NoSuchSubscriptionException:Exception
	q:DuplicateSubscriptionException:Exception q:QueryParameterException:Exception
	q:QueryTooLargeException:TooLarge q:QueryTooComplexException:Exception q:SubscriptionControlsException:Exception
	q:SubscribeNotPermittedException:Exception q:SecurityException:Exception q:ValidationException:Exception
	q:ImplementationException:Failure
Poll = queryName:string params:Params
Subscribe = queryName:string params:Params dest:anyURI controls:QueryControls subscriptionID:string
Unsubscribe = subscriptionID:string
SubscriptionIDs = queryName:string
Params = param*:Param
Param = name:string value
ArrayOfString = string*:string
Empty =
QuerySchedule = second?:string minute?:string hour?:string dayOfMonth?:string month?:string dayOfWeek?:string
	extension?:Local other*
Exception = reason:string
TooLarge = reason:string queryName?:string subscriptionID?:string
Failure = reason:string severity:severity queryName?:string subscriptionID?:string
QueryResults = queryName:string subscriptionID?:string resultsBody:ResultsBody extension?:Local other*
ResultsBody = | EventList:EventList VocabularyList:VocabularyList
QueryDocument = EPCISHeader?:Header EPCISBody:QueryBody extension?:Local other* @schemaVersion!:decimal
	@creationDate!:dateTime @*
Document = EPCISHeader?:Header EPCISBody:Body extension?:Local other* @schemaVersion!:decimal @creationDate!:dateTime @*
Any = #any @*
SBDH = s:HeaderVersion:string s:Sender+:Partner s:Receiver+:Partner s:DocumentIdentification:Identification
	s:Manifest?:Manifest s:BusinessScope?:BusinessScope
Partner = s:Identifier:PartnerID s:ContactInformation*:Contact
PartnerID = #string @Authority:string
Contact = s:Contact:string s:EmailAddress?:string s:FaxNumber?:string s:TelephoneNumber?:string
	s:ContactTypeIdentifier?:string
Identification = s:Standard:string s:TypeVersion:string s:InstanceIdentifier:string s:Type:string
	s:MultipleType?:boolean s:CreationDateAndTime:dateTime
Manifest = s:NumberOfItems:integer s:ManifestItem+:ManifestItem
ManifestItem = s:MimeTypeQualifierCode:string s:UniformResourceIdentifier:anyURI s:Description?:string
	s:LanguageCode?:string
BusinessScope = s:Scope*:Scope
Scope = s:Type:string s:InstanceIdentifier:string s:Identifier?:string s:CorrelationInformation*:Any
	s:BusinessService*:Any
`

const models20 = modelsCommon + `
QueryControls = schedule?:QuerySchedule trigger?:anyURI initialRecordTime?:stamp reportIfEmpty:boolean extension?:Local
	other*
Header = s:StandardBusinessDocumentHeader?:SBDH extension?:HeaderExtension @*
EventList = |* ObjectEvent:ObjectEvent AggregationEvent:AggregationEvent TransformationEvent:TransformationEvent
	TransactionEvent:TransactionEvent AssociationEvent:AssociationEvent extension:Other @*
Event = eventTime:stamp recordTime?:stamp eventTimeZoneOffset:string eventID?:anyURI errorDeclaration?:Error
	certificationInfo?:anyURI baseExtension?:Other
Error = |* declarationTime:stamp reason:anyURI correctiveEventIDs:EventIDs extension:Local other @*
Persistent = unset*:anyURI set*:anyURI
Sensors = sensorElement+:SensorElement extension?:Local
SensorElement = sensorMetadata?:SensorMetadata sensorReport+:SensorReport extension?:Local other*
SensorMetadata = #string @time:stamp @deviceID:anyURI @deviceMetadata:anyURI @rawData:anyURI @startTime:stamp
	@endTime:stamp @bizRules:anyURI @dataProcessingMethod:anyURI @*
SensorReport = #string @type:anyURI @value:double @component:anyURI @stringValue:string @booleanValue:boolean
	@hexBinaryValue:hexBinary @uriValue:anyURI @uom:string @minValue:double @maxValue:double @sDev:double
	@chemicalSubstance:anyURI @microorganism:anyURI @deviceID:anyURI @deviceMetadata:anyURI @rawData:anyURI
	@time:stamp @meanValue:double @percRank:double @percValue:double @dataProcessingMethod:anyURI
	@coordinateReferenceSystem:anyURI @exception:anyURI @*
ObjectEvent = <Event> epcList?:EPCList action:action bizStep?:anyURI disposition?:anyURI readPoint?:Place
	bizLocation?:Place bizTransactionList?:TransactionList quantityList?:QuantityList sourceList?:SourceList
	destinationList?:DestinationList sensorElementList?:Sensors persistentDisposition?:Persistent ilmd?:ILMD
	extension?:Other other* @*
AggregationEvent = <Event> parentID?:anyURI childEPCs?:EPCList action:action bizStep?:anyURI disposition?:anyURI
	readPoint?:Place bizLocation?:Place bizTransactionList?:TransactionList childQuantityList?:QuantityList
	sourceList?:SourceList destinationList?:DestinationList sensorElementList?:Sensors
	persistentDisposition?:Persistent extension?:Other other* @*
TransactionEvent = <Event> bizTransactionList:TransactionList parentID?:anyURI epcList?:EPCList action:action
	bizStep?:anyURI disposition?:anyURI readPoint?:Place bizLocation?:Place quantityList?:QuantityList
	sourceList?:SourceList destinationList?:DestinationList sensorElementList?:Sensors
	persistentDisposition?:Persistent extension?:Other other* @*
TransformationEvent = <Event> inputEPCList?:EPCList inputQuantityList?:QuantityList outputEPCList?:EPCList
	outputQuantityList?:QuantityList transformationID?:anyURI bizStep?:anyURI disposition?:anyURI readPoint?:Place
	bizLocation?:Place bizTransactionList?:TransactionList sourceList?:SourceList destinationList?:DestinationList
	sensorElementList?:Sensors persistentDisposition?:Persistent ilmd?:ILMD extension?:Other other* @*
AssociationEvent = <Event> parentID:anyURI childEPCs?:EPCList childQuantityList?:QuantityList action:action
	bizStep?:anyURI disposition?:anyURI readPoint?:Place bizLocation?:Place bizTransactionList?:TransactionList
	sourceList?:SourceList destinationList?:DestinationList sensorElementList?:Sensors
	persistentDisposition?:Persistent extension?:Other other* @*
CaptureJob = captureErrorBehaviour:behaviour createdAt?:stamp finishedAt?:stamp errors?:Errors errorFile?:anyURI
	other* @running!:boolean @success!:boolean @captureID!:string @*
Errors = error+:Problem
Problem = type:anyURI title:string status?:int detail?:string instance?:anyURI other*
`

const models12 = modelsCommon + `
QueryControls = schedule?:QuerySchedule trigger?:anyURI initialRecordTime?:dateTime reportIfEmpty:boolean extension?:Local
	other*
Header = s:StandardBusinessDocumentHeader:SBDH extension?:HeaderExtension other* @*
EventList = |* ObjectEvent:ObjectEvent AggregationEvent:AggregationEvent QuantityEvent:QuantityEvent
	TransactionEvent:TransactionEvent extension:EventListExtension @*
EventListExtension = | TransformationEvent:TransformationEvent extension:Local
Event = eventTime:dateTime recordTime?:dateTime eventTimeZoneOffset:string baseExtension?:BaseExtension
BaseExtension = eventID?:anyURI errorDeclaration?:Error extension?:Local @*
Error = declarationTime:dateTime reason?:anyURI correctiveEventIDs?:EventIDs extension?:Local other* @*
ObjectEvent = <Event> epcList:EPCList action:action bizStep?:anyURI disposition?:anyURI readPoint?:Place
	bizLocation?:Place bizTransactionList?:TransactionList extension?:ObjectExtension other* @*
ObjectExtension = quantityList?:QuantityList sourceList?:SourceList destinationList?:DestinationList ilmd?:ILMD
	extension?:Local @*
AggregationEvent = <Event> parentID?:anyURI childEPCs:EPCList action:action bizStep?:anyURI disposition?:anyURI
	readPoint?:Place bizLocation?:Place bizTransactionList?:TransactionList extension?:AggregationExtension other* @*
AggregationExtension = childQuantityList?:QuantityList sourceList?:SourceList destinationList?:DestinationList
	extension?:Local @*
QuantityEvent = <Event> epcClass:anyURI quantity:int bizStep?:anyURI disposition?:anyURI readPoint?:Place
	bizLocation?:Place bizTransactionList?:TransactionList extension?:Local other* @*
TransactionEvent = <Event> bizTransactionList:TransactionList parentID?:anyURI epcList:EPCList action:action
	bizStep?:anyURI disposition?:anyURI readPoint?:Place bizLocation?:Place extension?:TransactionExtension other* @*
TransactionExtension = quantityList?:QuantityList sourceList?:SourceList destinationList?:DestinationList
	extension?:Local @*
TransformationEvent = <Event> inputEPCList?:EPCList inputQuantityList?:QuantityList outputEPCList?:EPCList
	outputQuantityList?:QuantityList transformationID?:anyURI bizStep?:anyURI disposition?:anyURI readPoint?:Place
	bizLocation?:Place bizTransactionList?:TransactionList sourceList?:SourceList destinationList?:DestinationList
	ilmd?:ILMD extension?:Local other* @*
`

// particle is one place in a content model.
type particle struct {
	space, name, typ string
	min              int
	// many is true when it may repeat.
	many bool
	// follows is true when it may stand only behind the particle before it.
	follows bool
	// wildcard is "other", "local" or "".
	wildcard string
}

// attributeUse is what a type says of one attribute.
type attributeUse struct {
	typ      string
	required bool
}

// model is a complex type.
type model struct {
	particles []particle
	// choice takes the particles in any order: exactly one, or any number when repeats.
	choice, repeats bool
	// text is the simple type of the content; "any" is mixed content of every kind.
	text       string
	attributes map[string]attributeUse
	// anyAttribute lets attributes of every name stand.
	anyAttribute bool
	// ofQuery is true for the types of the query schema, whose namespace their wildcards exclude.
	ofQuery bool
}

// empty reports whether nothing at all may stand in an element, not even white space.
func (m *model) empty() bool { return m.text == "" && len(m.particles) == 0 }

const sbdhSpace = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"

// nillable is the one type whose elements may be empty when xsi:nil says so.
const nillable = "Decimal"

// querySpace stands for the namespace of the query schema of the document's version.
const querySpace = "q"

// The models are parsed when the first XML document is checked.
//
//nolint:gochecknoglobals // read-only tables
var (
	schema20 = sync.OnceValue(func() map[string]*model { return parseModels(models20) })
	schema12 = sync.OnceValue(func() map[string]*model { return parseModels(models12) })
)

func parseModels(text string) map[string]*model {
	models := map[string]*model{}
	lines := map[string]string{}
	// A line that begins with a tab continues the one before it.
	for line := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(text, "\n\t", " ")), "\n") {
		name, body, _ := strings.Cut(line, " =")
		lines[name] = body
	}
	for name, body := range lines {
		m := &model{attributes: map[string]attributeUse{}}
		m.ofQuery = strings.HasPrefix(name, "Query") || name == "ResultsBody"
		body = strings.Replace(body, "<Event>", lines["Event"], 1)
		for token := range strings.FieldsSeq(body) {
			m.token(token)
		}
		models[name] = m
	}
	return models
}

func (m *model) token(t string) {
	switch {
	case t[0] == '|':
		m.choice, m.repeats = true, t == "|*"
	case t == "@*":
		m.anyAttribute = true
	case t[0] == '@':
		name, typ, _ := strings.Cut(t[1:], ":")
		bare := strings.TrimSuffix(name, "!")
		m.attributes[bare] = attributeUse{typ: typ, required: bare != name}
	case t[0] == '#':
		m.text = t[1:]
	default:
		m.particles = append(m.particles, parseParticle(t))
	}
}

func parseParticle(t string) particle {
	p := particle{min: 1}
	if rest, ok := strings.CutPrefix(t, "&"); ok {
		p.follows, t = true, rest
	}
	switch t[:2] {
	case "s:":
		p.space, t = sbdhSpace, t[2:]
	case "q:":
		p.space, t = querySpace, t[2:]
	}
	p.name, p.typ, _ = strings.Cut(t, ":")
	switch p.name[len(p.name)-1] {
	case '?':
		p.min = 0
	case '*':
		p.min, p.many = 0, true
	case '+':
		p.many = true
	}
	p.name = strings.TrimRight(p.name, "?*+")
	if p.name == "other" || p.name == "local" {
		p.wildcard = p.name
	}
	return p
}
