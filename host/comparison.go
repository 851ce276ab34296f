package host

// Comparison is what two versions of a plugin made of the same messages, for
// people to look at before, or after, the one takes over from the other.
type Comparison struct {
	// From and To are the versions as they name themselves, and their digests.
	From       string `json:"from"`
	FromDigest string `json:"fromDigest"`
	To         string `json:"to"`
	ToDigest   string `json:"toDigest"`
	// Incomplete is set when there was not the time for all messages, or the
	// older version ended.
	Incomplete bool `json:"incomplete,omitempty"`
	// Groups has one element for each group that From formats.
	Groups []GroupComparison `json:"groups"`
}

// GroupComparison is the comparison of one group.
type GroupComparison struct {
	Group GroupName `json:"group"`
	// Messages is how many stored messages were formatted by both.
	Messages int `json:"messages"`
	// Changed counts the messages whose documents differ. It is 0, with a
	// Difference, if only documents of several messages do.
	Changed     int          `json:"changed"`
	Differences []Difference `json:"differences,omitempty"`
	// Broken says what the newer version can't format, or does not serve any
	// more, though the older one does; empty if there is nothing.
	Broken string `json:"broken,omitempty"`
}

// Difference is the difference between two documents.
type Difference struct {
	// ID is the one message in the documents; 0 if there were several.
	ID ID `json:"id,omitempty"`
	// Diff is a unified diff of the documents, JSON and XML laid out in lines,
	// cut at some kilobytes.
	Diff string `json:"diff"`
}

// Broken returns what the newer version can't do any more; empty if it can do
// all that it should.
func (c Comparison) Broken() string {
	for _, g := range c.Groups {
		if g.Broken != "" {
			return g.Broken
		}
	}
	return ""
}

// Changed reports whether any document differs.
func (c Comparison) Changed() bool {
	for _, g := range c.Groups {
		if len(g.Differences) > 0 {
			return true
		}
	}
	return false
}
