package host

// Contains reports whether a search for a text finds JSON.
func Contains(data []byte, text string) bool { return newNeedle(text).in(data) }
