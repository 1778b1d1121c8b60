package exec

// ReadMessage parses a line and returns the evidence in it in its canonical form, or nil.
func ReadMessage(line []byte) ([]byte, error) {
	m, err := parseMessage(line)
	if err != nil || m.T != "evidence" {
		return nil, err
	}
	return m.evidence()
}
