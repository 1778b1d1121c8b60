package schemas

// Rules are the statements of the standard that no JSON Schema makes.
type Rules struct {
	// CheckDigits judges every identifier; nil checks none.
	CheckDigits func(id string) error
}
