package admin

// confirmPage asks whether something is really to be done.
type confirmPage struct {
	frame
	Question, Text string
	// Action is where the answer is posted to, Button what it is called, and Back
	// where to go instead.
	Action, Button, Back string
	Danger               bool
}
