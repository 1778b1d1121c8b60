package trace

// Names are the words that a shopper reads.
type Names struct{ Zh, En string }

// StepNames returns the words for a business step (CBV 2.0 section 7.1), or the zero value for one that is not known.
func StepNames(bizStep string) Names { return stepNames()[bizStep] }

// stepNames is the table.
func stepNames() map[string]Names {
	return map[string]Names{
		"accepting":               {"签收", "Signed for"},
		"arriving":                {"到港", "Arrived"},
		"assembling":              {"组装", "Assembled"},
		"collecting":              {"收集", "Collected"},
		"commissioning":           {"赋码", "Code assigned"},
		"consigning":              {"托运", "Consigned"},
		"creating_class_instance": {"生产", "Produced"},
		"cycle_counting":          {"盘点", "Counted"},
		"stock_taking":            {"盘点", "Counted"},
		"decommissioning":         {"停用", "Decommissioned"},
		"departing":               {"出港", "Departed"},
		"destroying":              {"销毁", "Destroyed"},
		"dispensing":              {"发放", "Dispensed"},
		"encoding":                {"写码", "Encoded"},
		"entering_exiting":        {"出入", "Entered or left"},
		"holding":                 {"扣留", "Held"},
		"inspecting":              {"检验", "Inspected"},
		"sampling":                {"检验", "Inspected"},
		"installing":              {"安装", "Installed"},
		"killing":                 {"标签失效", "Tag killed"},
		"loading":                 {"装车", "Loaded"},
		"other":                   {"其他", "Other"},
		"packing":                 {"打包", "Packed"},
		"picking":                 {"拣货", "Picked"},
		"receiving":               {"收货", "Received"},
		"removing":                {"移除", "Removed"},
		"repackaging":             {"重新包装", "Repackaged"},
		"repairing":               {"维修", "Repaired"},
		"replacing":               {"更换", "Replaced"},
		"reserving":               {"下单", "Ordered"},
		"retail_selling":          {"售出", "Sold"},
		"shipping":                {"发货", "Shipped"},
		"staging_outbound":        {"待发", "Staged"},
		"storing":                 {"入库", "Stored"},
		"transporting":            {"配送", "Out for delivery"},
		"unloading":               {"卸货", "Unloaded"},
		"unpacking":               {"拆包", "Unpacked"},
		"void_shipping":           {"取消发货", "Shipping voided"},
		Scanning:                  {"扫码查询", "Scanned by a consumer"},
	}
}
