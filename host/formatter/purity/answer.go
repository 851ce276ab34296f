package purity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// Answer is the answer of a process to one batch: a document, rejections or an
// error.
type Answer struct {
	Document   host.Document
	Rejections []host.Rejection
	Err        error
	// PID is the process's, At when it was asked, and Took how long it took.
	PID  int
	At   time.Time
	Took time.Duration
}

// Ask has a process format a batch.
func Ask(ctx context.Context, p *process.Process, b host.Batch) Answer {
	a := Answer{PID: p.PID(), At: time.Now()}
	a.Document, a.Rejections, a.Err = p.WriteMessages(ctx, b)
	a.Took = time.Since(a.At)
	if errors.Is(a.Err, process.ErrEnded) {
		a.Err = fmt.Errorf("%w: %s", a.Err, p.Exit())
	}
	return a
}

// Same tells whether two answers are alike to the byte.
func (a Answer) Same(b Answer) bool {
	if a.Err != nil || b.Err != nil {
		return a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
	}
	return reflect.DeepEqual(a.Rejections, b.Rejections) && a.Document.Equal(b.Document)
}

func (a Answer) digest() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %v\n%s", a.Document.ContentType, a.Document.Filename, a.Rejections, a.Document.Body))
}

// Series is all answers to one batch, none of them an error, in the order in which
// they came.
type Series []Answer

// Finding is what is wrong with a series.
type Finding struct {
	// Different is how many different answers there are in Runs runs, of
	// Processes processes.
	Different, Runs, Processes int
	// Steady tells that each process agrees with itself, as far as it was asked
	// more than once.
	Steady bool
	// Cause is a guess at why, and what to do about it; or empty.
	Cause string
	// Details show the first bytes that differ.
	Details []string
}

// Find compares all answers with the first, and returns nil if they are the same.
func (s Series) Find() *Finding {
	kinds, first := map[[sha256.Size]byte]bool{}, map[int]Answer{}
	steady, differs := true, 0
	for i, a := range s {
		kinds[a.digest()] = true
		if differs == 0 && !a.Same(s[0]) {
			differs = i
		}
		if known, ok := first[a.PID]; !ok {
			first[a.PID] = a
		} else if !known.Same(a) {
			steady = false
		}
	}
	if differs == 0 {
		return nil
	}
	return &Finding{
		Different: len(kinds), Runs: len(s), Processes: len(first), Steady: steady,
		Cause: Cause(s[0], s[differs]),
		Details: Difference(s[0], s[differs],
			fmt.Sprintf("run 1 (process %d)", s[0].PID), fmt.Sprintf("run %d (process %d)", differs+1, s[differs].PID)),
	}
}

// String says in one line what was found.
func (f *Finding) String() string {
	text := fmt.Sprintf("%d different answers in %d runs over %d processes", f.Different, f.Runs, f.Processes)
	if f.Steady && f.Runs > f.Processes {
		text += "; each process agrees with itself"
	}
	return text
}
