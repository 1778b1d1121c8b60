package trace

// Names are the words that a shopper reads.
type Names struct{ Zh, En string }

// StepNames returns the words for a business step (CBV 2.0 section 7.1), or the zero value for one that is not known.
func StepNames(bizStep string) Names {
	switch bizStep {
	case "accepting":
		return Names{"签收", "Signed for"}
	case "arriving":
		return Names{"到港", "Arrived"}
	case "assembling":
		return Names{"组装", "Assembled"}
	case "collecting":
		return Names{"收集", "Collected"}
	case "commissioning":
		return Names{"赋码", "Code assigned"}
	case "consigning":
		return Names{"托运", "Consigned"}
	case "creating_class_instance":
		return Names{"生产", "Produced"}
	case "cycle_counting", "stock_taking":
		return Names{"盘点", "Counted"}
	case "decommissioning":
		return Names{"停用", "Decommissioned"}
	case "departing":
		return Names{"出港", "Departed"}
	case "destroying":
		return Names{"销毁", "Destroyed"}
	case "dispensing":
		return Names{"发放", "Dispensed"}
	case "encoding":
		return Names{"写码", "Encoded"}
	case "entering_exiting":
		return Names{"出入", "Entered or left"}
	case "holding":
		return Names{"扣留", "Held"}
	case "inspecting", "sampling":
		return Names{"检验", "Inspected"}
	case "installing":
		return Names{"安装", "Installed"}
	case "killing":
		return Names{"标签失效", "Tag killed"}
	case "loading":
		return Names{"装车", "Loaded"}
	case "other":
		return Names{"其他", "Other"}
	case "packing":
		return Names{"打包", "Packed"}
	case "picking":
		return Names{"拣货", "Picked"}
	case "receiving":
		return Names{"收货", "Received"}
	case "removing":
		return Names{"移除", "Removed"}
	case "repackaging":
		return Names{"重新包装", "Repackaged"}
	case "repairing":
		return Names{"维修", "Repaired"}
	case "replacing":
		return Names{"更换", "Replaced"}
	case "reserving":
		return Names{"下单", "Ordered"}
	case "retail_selling":
		return Names{"售出", "Sold"}
	case "shipping":
		return Names{"发货", "Shipped"}
	case "staging_outbound":
		return Names{"待发", "Staged"}
	case "storing":
		return Names{"入库", "Stored"}
	case "transporting":
		return Names{"配送", "Out for delivery"}
	case "unloading":
		return Names{"卸货", "Unloaded"}
	case "unpacking":
		return Names{"拆包", "Unpacked"}
	case "void_shipping":
		return Names{"取消发货", "Shipping voided"}
	case Scanning:
		return Names{"扫码查询", "Scanned by a consumer"}
	}
	return Names{}
}
