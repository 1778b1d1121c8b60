package web

import (
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// country returns the name of an ISO 3166 code in a language, or the code.
func country(code, lang string) string {
	r, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	namer := display.Regions(language.SimplifiedChinese)
	if lang == "en" {
		namer = display.Regions(language.English)
	}
	if name := namer.Name(r); name != "" {
		return name
	}
	return code
}
