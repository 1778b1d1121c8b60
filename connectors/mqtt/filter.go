package mqtt

import "strings"

// validFilter reports whether a text is a topic filter, or a shared one (MQTT 5, sections 4.7 and 4.8.2).
func validFilter(filter string) bool {
	if filter == "" || len(filter) > 65535 || strings.ContainsRune(filter, 0) {
		return false
	}
	if strings.HasPrefix(filter, "$share/") {
		parts := strings.SplitN(filter, "/", 3)
		return len(parts) == 3 && parts[1] != "" && !strings.ContainsAny(parts[1], "+#") && validFilter(parts[2])
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if strings.Contains(level, "+") && level != "+" ||
			strings.Contains(level, "#") && (level != "#" || i != len(levels)-1) {
			return false
		}
	}
	return true
}

// matches reports whether a filter selects a topic (section 4.7.1).
func matches(filter, topic string) bool {
	if strings.HasPrefix(filter, "$share/") {
		if parts := strings.SplitN(filter, "/", 3); len(parts) == 3 {
			filter = parts[2]
		}
	}
	if strings.HasPrefix(topic, "$") != strings.HasPrefix(filter, "$") {
		return false // a wildcard does not select the broker's own topics
	}
	for {
		f, fs, fMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, ts, tMore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !fMore || !tMore {
			return fMore == tMore || fs == "#" // "a/#" selects "a"
		}
		filter, topic = fs, ts
	}
}
