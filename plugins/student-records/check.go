package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// number is the text of a JSON value that should be a number, as the producer
// wrote it. It is empty if there is none. (json.Number would take a string for
// a number, and a plain error from here would not name the field.)
type number string

// UnmarshalJSON keeps any value, and leaves it to the patterns to refuse it.
func (n *number) UnmarshalJSON(text []byte) error {
	*n = ""
	if string(text) != "null" {
		*n = number(text)
	}
	return nil
}

// parseChange reads a message. The error names every field that is at fault.
func parseChange(data json.RawMessage) (change, error) {
	var c change
	if err := json.Unmarshal(data, &c); err != nil {
		if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			field := typed.Field
			if field == "" {
				field = "the message"
			}
			return change{}, fmt.Errorf("%s must not be a JSON %s", field, typed.Value)
		}
		return change{}, fmt.Errorf("the message can't be read: %w", err)
	}

	var f faults
	f.action(c)
	f.student(c.Student)
	if len(f) > 0 {
		return change{}, errors.New(strings.Join(f, "; "))
	}
	return c, nil
}

// faults collects what is wrong with one message.
type faults []string

func (f *faults) action(c change) {
	switch c.Action {
	case "":
		f.add("action", "is missing")
	case "create", "update":
		if c.Withdrawal != nil {
			f.add("withdrawal", "is only for the action withdraw")
		}
	case "withdraw":
		if c.Withdrawal == nil {
			f.add("withdrawal", "is missing")
			return
		}
		f.date("withdrawal.date", c.Withdrawal.Date)
		f.required("withdrawal.reason", c.Withdrawal.Reason)
	default:
		f.add("action", "must be create, update or withdraw")
	}
}

func (f *faults) student(s student) {
	f.pattern("student.id", s.ID, studentID, `"S" and seven digits`)
	f.required("student.familyName", s.FamilyName)
	f.optional("student.givenNames", s.GivenNames)
	f.optional("student.preferredName", s.PreferredName)
	f.date("student.dateOfBirth", s.DateOfBirth)
	f.pattern("student.email", s.Email, email, "an e-mail address")

	f.pattern("student.programme.code", s.Programme.Code, code, codeRule)
	f.required("student.programme.title", s.Programme.Title)
	f.date("student.programme.startDate", s.Programme.StartDate)

	for i, m := range s.Modules {
		at := fmt.Sprintf("student.modules[%d].", i)
		f.pattern(at+"code", m.Code, code, codeRule)
		f.optional(at+"title", m.Title)
		f.pattern(at+"credits", string(m.Credits), credits, "a whole number from 0 to 999")
		if m.Mark != "" {
			f.pattern(at+"mark", string(m.Mark), mark, "a number from 0 to 100 without an exponent")
		}
	}
}

// The patterns are those of student-records.xsd.
var (
	studentID = regexp.MustCompile(`^S[0-9]{7}$`)
	code      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	email     = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	credits   = regexp.MustCompile(`^[0-9]{1,3}$`)
	mark      = regexp.MustCompile(`^([0-9]{1,2}(\.[0-9]+)?|100(\.0+)?)$`)
)

const codeRule = `1 to 32 letters, digits, ".", "_" and "-"`

func (f *faults) add(field, what string) { *f = append(*f, field+" "+what) }

func (f *faults) required(field, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(field, "is missing")
		return
	}
	f.optional(field, value)
}

func (f *faults) optional(field, value string) {
	for i, r := range value {
		if !isXMLChar(r) {
			f.add(field, fmt.Sprintf("has the character U+%04X at byte %d, which XML 1.0 can't carry", r, i))
			return
		}
	}
}

func (f *faults) pattern(field, value string, allowed *regexp.Regexp, rule string) {
	switch {
	case value == "":
		f.add(field, "is missing")
	case !allowed.MatchString(value):
		f.add(field, "must be "+rule)
	default:
		f.optional(field, value)
	}
}

func (f *faults) date(field, value string) {
	if value == "" {
		f.add(field, "is missing")
		return
	}
	// The schema's xs:date has no year 0000.
	if _, err := time.Parse(time.DateOnly, value); err != nil || strings.HasPrefix(value, "0000") {
		f.add(field, "must be a date of the form 2001-05-17")
	}
}

// isXMLText reports whether XML 1.0 can carry a text.
func isXMLText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !isXMLChar(r) })
}

// isXMLChar is the production Char of XML 1.0, section 2.2. encoding/xml would
// write U+FFFD for anything else.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= 0x20 && r <= 0xD7FF ||
		r >= 0xE000 && r <= 0xFFFD ||
		r >= 0x10000 && r <= 0x10FFFF
}
