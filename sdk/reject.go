package sdk

import (
	"cmp"
	"slices"
	"strconv"
)

// MaxReasonBytes is the most of a rejection's reason that is kept: 4,000 bytes.
const MaxReasonBytes = 4000

// Rejection says that one message can't be formatted. It is an error.
type Rejection struct {
	// ID is the id of a message of the batch.
	ID uint64

	// Reason tells the operator why, and best what to do: "student.id is
	// missing". What is over MaxReasonBytes is cut.
	Reason string
}

// Error returns the id and the reason.
func (r *Rejection) Error() string {
	return "message " + strconv.FormatUint(r.ID, 10) + ": " + r.Reason
}

// Reject returns the error that says that the message with this id can't be
// formatted. It is a [*Rejection]. The daemon names the message to the operator
// and serves nothing of the batch until it is held back.
//
// WriteMessages may return it as it is, wrapped with %w, or several of them
// joined with [errors.Join]; it is best to look at the whole batch and reject
// everything that is wrong in one go. Where an error holds rejections,
// everything else in it is ignored.
func Reject(id uint64, reason string) error {
	return &Rejection{ID: id, Reason: reason}
}

// Rejections returns all rejections in err, however they are wrapped and
// joined, one for each message and sorted by id. Several reasons for the same
// message are joined with "; ". It returns nil if there are none.
func Rejections(err error) []Rejection {
	var found []Rejection
	walkErrors(err, func(r *Rejection) { found = append(found, *r) })
	slices.SortStableFunc(found, func(a, b Rejection) int { return cmp.Compare(a.ID, b.ID) })

	var merged []Rejection
	for _, r := range found {
		if last := len(merged) - 1; last >= 0 && merged[last].ID == r.ID {
			merged[last].Reason += "; " + r.Reason
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// walkErrors calls found for each rejection in the tree of err. errors.AsType
// stops at the first one, and so would lose all but one of a joined error.
func walkErrors(err error, found func(*Rejection)) {
	switch e := err.(type) {
	case nil:
	case *Rejection:
		if e != nil {
			found(e)
		}
	case interface{ Unwrap() error }:
		walkErrors(e.Unwrap(), found)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			walkErrors(inner, found)
		}
	}
}
