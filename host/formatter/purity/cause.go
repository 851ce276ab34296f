package purity

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// OtherZone is the time zone of the process that others are compared with: not a
// whole number of hours from any other.
const OtherZone = "Asia/Kathmandu"

// Cause guesses from two answers to the same batch why they differ, or returns
// "" if there is nothing to go by.
func Cause(a, b Answer) string {
	x, y := answerText(a), answerText(b)
	at := firstDifference(x, y)
	p, q := wordAt(x, at), wordAt(y, at)
	switch {
	case isNow(p, a.At) && isNow(q, b.At):
		return "it looks like the current time or a date: use the time of the message"
	case inOtherZone(p, q):
		return "it looks like the time zone of the computer: write times in UTC, or in the zone that the message names"
	case isNumber(p, a.PID) && isNumber(q, b.PID):
		return "it looks like a process id"
	case hasHostName(p) || hasHostName(q):
		return "it looks like the host name"
	case sameBytesInAll(x, y):
		return "it looks like the order of a map: sort what comes out of it"
	case isClose(p, q):
		return "it looks like a counter: keep nothing between calls"
	case looksRandom(p) && looksRandom(q):
		return "it looks random"
	}
	return ""
}

// answerText is all of an answer that is compared.
func answerText(o Answer) []byte {
	return slices.Concat([]byte(o.Document.ContentType+"\n"+o.Document.Filename+"\n"), []byte(strings.Join(reasons(o.Rejections), "\n")), o.Document.Body)
}

func reasons(rejected []host.Rejection) []string {
	lines := make([]string, len(rejected))
	for i, r := range rejected {
		lines[i] = fmt.Sprintf("message %d rejected: %s", r.ID, r.Reason)
	}
	return lines
}

// wordAt returns the word or number that is at an offset.
func wordAt(text []byte, at int) string {
	inside := func(i int) bool {
		c := text[i]
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(":.-+_", c) >= 0
	}
	from, to := at, at
	for from > 0 && at-from < 64 && inside(from-1) {
		from--
	}
	for to < len(text) && to-at < 64 && inside(to) {
		to++
	}
	return string(text[from:to])
}

// isNow tells whether a word has the date or the time of day of a moment in it,
// in a zone that a process may be in, or is the moment as a number since 1970.
func isNow(word string, at time.Time) bool {
	if n, err := strconv.ParseFloat(word, 64); err == nil {
		for _, unit := range []float64{1, 1e3, 1e6, 1e9} {
			if math.Abs(n/unit-float64(at.Unix())) < 3600 {
				return true
			}
		}
	}
	zones := []*time.Location{time.UTC, time.Local}
	if other, err := time.LoadLocation(OtherZone); err == nil {
		zones = append(zones, other)
	}
	for _, zone := range zones {
		for _, minute := range []time.Duration{0, time.Minute} {
			t := at.Add(minute).In(zone)
			for _, layout := range []string{"2006", "Jan", "January", "Mon", "Monday"} {
				if word == t.Format(layout) {
					return true
				}
			}
			for _, layout := range []string{"15:04", "20060102T1504", "200601021504", "2006-01-02"} {
				if strings.Contains(word, t.Format(layout)) {
					return true
				}
			}
		}
	}
	return false
}

// inOtherZone tells whether two words are the same time of day in UTC and in
// OtherZone, or offsets from UTC.
func inOtherZone(p, q string) bool {
	if offset.MatchString(p) && offset.MatchString(q) {
		return true
	}
	x, y := timeOfDay.FindString(p), timeOfDay.FindString(q)
	a, errA := time.Parse("15:04", x)
	b, errB := time.Parse("15:04", y)
	if errA != nil || errB != nil {
		return false
	}
	minutes := int(b.Sub(a).Minutes()+2*24*60) % (24 * 60)
	// It was another offset before 1986.
	return minutes == 5*60+45 || minutes == 5*60+30 || minutes == 24*60-(5*60+45) || minutes == 24*60-(5*60+30)
}

var (
	offset    = regexp.MustCompile(`^[+-][0-9]{2}:?[0-9]{2}$`)
	timeOfDay = regexp.MustCompile(`\b[0-9]{2}:[0-9]{2}`)
)

func isNumber(word string, n int) bool { return numbers.FindString(word) == strconv.Itoa(n) }

var numbers = regexp.MustCompile(`[0-9]+`)

// hostName returns this computer's name, or "" if it is too common a word.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || len(name) < 4 || strings.HasPrefix(name, "localhost") {
		return ""
	}
	return name
}

func hasHostName(word string) bool {
	name := hostName()
	return name != "" && strings.Contains(word, name)
}

// sameBytesInAll tells whether two texts are made of the same bytes in another
// order.
func sameBytesInAll(x, y []byte) bool {
	if len(x) != len(y) {
		return false
	}
	var counts [256]int
	for i := range x {
		counts[x[i]]++
		counts[y[i]]--
	}
	return counts == [256]int{}
}

// isClose tells whether both words are the same but for one number, which
// differs by a little.
func isClose(p, q string) bool {
	if rest := numbers.ReplaceAllString(p, "#"); rest != numbers.ReplaceAllString(q, "#") || strings.Count(rest, "#") != 1 {
		return false
	}
	m, errM := strconv.ParseInt(numbers.FindString(p), 10, 64)
	n, errN := strconv.ParseInt(numbers.FindString(q), 10, 64)
	return errM == nil && errN == nil && max(m, n)-min(m, n) <= 1000
}

func looksRandom(word string) bool { return len(strings.Trim(word, ":.-+_")) >= 6 }

// Suspect says what in a document can't be from the batch, though all runs
// here and now agree on it.
func Suspect(o Answer, b host.Batch) string {
	foreign := func(text string) bool {
		if text == "" || !bytes.Contains(o.Document.Body, []byte(text)) {
			return false
		}
		return !slices.ContainsFunc(b.Messages, func(m host.Message) bool { return bytes.Contains(m.Data, []byte(text)) })
	}
	for _, layout := range []string{"2006-01-02", "20060102", "02.01.2006", "02/01/2006", "01/02/2006", "2 Jan 2006", "02 Jan 2006", "Jan 2, 2006"} {
		if foreign(o.At.UTC().Format(layout)) {
			return "today's date is in the document, but in no message"
		}
	}
	if foreign(hostName()) {
		return "the name of this computer is in the document, but in no message"
	}
	return ""
}
