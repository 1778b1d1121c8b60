package decode

import "github.com/suyuan-io/suyuan/hub"

// The two formats below are on their way.

func xlsxFormat() Format { return soon("xlsx") }

func fixedFormat() Format { return soon("fixed") }

func soon(name string) Format {
	return Format{Name: name, Detect: func([]byte) int { return 0 }, New: func([]byte) (Decoder, error) {
		return nil, refuse("decode.format", hub.Where{}, say("not built yet", "尚未支持"))
	}}
}
