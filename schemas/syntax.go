package schemas

// syntax is one way in which bytes fail to be JSON, and what to do about it. An empty code is json.syntax.
type syntax struct {
	code, en, zh, hint, hintZh string
}

//nolint:gochecknoglobals // read-only table of messages
var (
	syntaxEmpty = syntax{
		en: "there is nothing here: the input is empty", zh: "内容为空",
		hint: "send one JSON value in UTF-8", hintZh: "请发送一个 UTF-8 编码的 JSON 值",
	}
	syntaxCut = syntax{
		en: "the input ends too early", zh: "内容不完整，提前结束",
		hint: "a closing brace, bracket or quote is missing, or the transfer was cut", hintZh: "缺少右括号或引号，或传输被截断",
	}
	syntaxAfterEnd = syntax{
		en: "there is more after the end of the JSON value", zh: "JSON 值结束后还有多余内容",
		hint: "send one value at a time; several events go into one document's eventList", hintZh: "一次只发送一个值；多个事件请放入同一文档的 eventList",
	}
	syntaxTrailingComma = syntax{
		en: "there is a comma after the last element", zh: "最后一个元素后面多了逗号",
		hint: "remove this comma", hintZh: "请删除这个逗号",
	}
	syntaxMissingComma = syntax{
		en: "a comma is missing before this", zh: "此处之前缺少逗号",
		hint: "put a comma between two elements", hintZh: "两个元素之间要加逗号",
	}
	syntaxComment = syntax{
		en: "JSON has no comments", zh: "JSON 中不能写注释",
		hint: "remove the comment", hintZh: "请删除注释",
	}
	syntaxSingleQuote = syntax{
		en: "JSON strings stand in double quotes", zh: "JSON 字符串要用双引号",
		hint: "write \" in place of '", hintZh: "请把 ' 换成 \"",
	}
	syntaxQuoteLike = syntax{
		en: "a value cannot begin with this character", zh: "值不能以这个字符开头",
		hint:   "check for typographic or full-width punctuation, such as “ ” ： ，, and write \" : , instead",
		hintZh: "请检查是否用了中文标点，例如 “ ” ： ，，应改为 \" : ,",
	}
	syntaxBareWord = syntax{
		en: "text must stand in double quotes", zh: "文本要加双引号",
		hint:   "write \"…\"; without quotes JSON knows only numbers, true, false and null",
		hintZh: "请写成 \"…\"；不加引号的只能是数字、true、false 和 null",
	}
	syntaxName = syntax{
		en: "a field name in double quotes is expected here", zh: "此处应为带双引号的字段名",
		hint: "write {\"name\": value}", hintZh: "请写成 {\"字段名\": 值}",
	}
	syntaxColon = syntax{
		en: "a colon is expected after the field name", zh: "字段名后面应为冒号",
		hint: "write \"name\": value", hintZh: "请写成 \"字段名\": 值",
	}
	syntaxControl = syntax{
		en: "a string contains a raw line break or control character", zh: "字符串中含有未转义的换行或控制字符",
		hint: "write \\n, \\t or \\u00XX, or close the string before the line ends", hintZh: "请写作 \\n、\\t 或 \\u00XX，或在行末之前关闭引号",
	}
	syntaxUnclosedString = syntax{
		en: "this string is never closed", zh: "字符串没有结束引号",
		hint: "add the closing double quote", hintZh: "请补上结束的双引号",
	}
	syntaxEscape = syntax{
		en: "JSON has no such escape sequence", zh: "JSON 中没有这种转义",
		hint: "write \\\\ for a backslash; JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX", hintZh: "反斜杠写作 \\\\；JSON 只有 \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
	}
	syntaxNumber = syntax{
		en: "this is not a JSON number", zh: "这不是 JSON 数字",
		hint:   "numbers have no leading zeros, plus sign, spaces or units; identifiers such as GTINs stand in double quotes",
		hintZh: "数字不能有前导零、加号、空格或单位；GTIN 等编码要加双引号",
	}
	numberTooLong = syntax{
		code: "json.number-too-long", en: "this number has more than 1000 digits", zh: "数字超过 1000 位",
		hint: "write identifiers in double quotes", hintZh: "编码请加双引号",
	}
	numberTooLarge = syntax{
		code: "json.number-too-large", en: "this number is larger than a 64-bit floating point number can be", zh: "数字超出 64 位浮点数的范围",
		hint: "write identifiers in double quotes", hintZh: "编码请加双引号",
	}
	tooDeep = syntax{
		code: "json.too-deep", en: "values are nested deeper than 128 levels", zh: "嵌套超过 128 层",
	}
	notUTF8 = syntax{
		code: "json.not-utf8", en: "these bytes are not UTF-8", zh: "这些字节不是 UTF-8",
		hint: "save or send the file in UTF-8; it may be GB18030", hintZh: "请以 UTF-8 保存或发送；文件可能是 GB18030（GBK）编码",
	}
)
