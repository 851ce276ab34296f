package sdk

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// The limits of the contract (proto/formatter/v1/formatter.proto), in bytes.
const (
	maxName        = 64
	maxVersion     = 64
	maxGroupName   = 128
	maxTitle       = 200
	maxDescription = 4000
	maxSchedule    = 200
	maxFilename    = 255

	maxSettings           = 100
	maxSettingDescription = 1000
	maxDefault            = 4000
)

// Validate returns every mistake in the description of the plugin, joined, or
// nil. Serve calls it.
func (p Plugin) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}

	if err := checkName(p.Name, maxName, "-_."); err != nil {
		fault("Name %q: %w", p.Name, err)
	} else if strings.ContainsAny(p.Name[len(p.Name)-1:], "-_.") {
		fault("Name %q: the last character must be a letter or a digit", p.Name)
	}
	if p.Version == "" {
		fault(`Version: it is empty; use for example "1.0.0"`)
	} else if err := checkLine(p.Version, maxVersion); err != nil {
		fault("Version: %w", err)
	}
	if len(p.Groups) == 0 {
		fault("Groups: a plugin serves at least one group")
	}

	if len(p.Settings) > maxSettings {
		fault("Settings: there are %d; the limit is %d", len(p.Settings), maxSettings)
	}
	firstSetting := make(map[string]int)
	for i, s := range p.Settings {
		for _, err := range s.faults() {
			fault("Settings[%d] (%q): %w", i, s.Name, err)
		}
		if at, ok := firstSetting[s.Name]; ok {
			fault("Settings[%d] (%q): Settings[%d] has the same name", i, s.Name, at)
		} else {
			firstSetting[s.Name] = i
		}
	}

	first := make(map[string]int)
	for i, g := range p.Groups {
		for _, err := range g.faults() {
			fault("Groups[%d] (%q): %w", i, g.Name, err)
		}
		if at, ok := first[g.Name]; ok {
			fault("Groups[%d] (%q): Groups[%d] has the same name", i, g.Name, at)
		} else {
			first[g.Name] = i
		}
	}
	return errors.Join(faults...)
}

func (g Group) faults() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}

	if err := checkName(g.Name, maxGroupName, "._:-"); err != nil {
		fault("Name: %w", err)
	}
	if g.Method != Poll && g.Method != Send {
		fault("Method: it must be sdk.Poll or sdk.Send")
	}
	if err := checkLine(g.Title, maxTitle); err != nil {
		fault("Title: %w", err)
	}
	if err := checkText(g.Description, maxDescription); err != nil {
		fault("Description: %w", err)
	}
	if err := checkLine(g.Schedule, maxSchedule); err != nil {
		fault("Schedule: %w", err)
	}
	if g.Method == Poll && g.Schedule != "" {
		fault("Schedule: only a group with the method sdk.Send has one")
	}
	if g.Method == Poll && g.FormatHTTPRequest != nil {
		fault("FormatHTTPRequest: only a group with the method sdk.Send has one")
	}
	return faults
}

func (d Document) validate() error {
	if d.ContentType == "" {
		return errors.New(`the document has no content type; use for example "application/json"`)
	}
	if err := checkText(d.ContentType, MaxReasonBytes); err != nil {
		return fmt.Errorf("the content type %q of the document: %w", d.ContentType, err)
	}
	media, _, err := mime.ParseMediaType(d.ContentType)
	if err != nil {
		return fmt.Errorf("the content type %q of the document: %w", d.ContentType, err)
	}
	if kind, sub, ok := strings.Cut(media, "/"); !ok || kind == "" || sub == "" {
		return fmt.Errorf("the content type %q of the document: it is not of the form type/subtype", d.ContentType)
	}
	if strings.ContainsAny(d.Filename, `/\`) {
		return fmt.Errorf("the file name %q of the document has a slash in it", d.Filename)
	}
	if err := checkLine(d.Filename, maxFilename); err != nil {
		return fmt.Errorf("the file name %q of the document: %w", d.Filename, err)
	}
	return nil
}

func (r HTTPRequest) validate() error {
	if r.Method != "" && !httpguts.ValidHeaderFieldName(r.Method) { // both are tokens
		return fmt.Errorf("the HTTP method %q is not valid", r.Method)
	}
	if _, err := url.Parse(r.URL); err != nil {
		return fmt.Errorf("the URL reference is not valid: %w", err)
	}
	if err := checkLine(r.URL, 1<<16); err != nil {
		return fmt.Errorf("the URL reference %q: %w", r.URL, err)
	}
	return validateHeaders(r.Headers)
}

func validateHeaders(headers http.Header) error {
	for name, values := range headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("the header name %q is not valid", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) || !utf8.ValidString(value) {
				return fmt.Errorf("the value of the header %s is not valid", name)
			}
		}
	}
	return nil
}

// checkName wants ASCII letters and digits, and the characters of inside
// anywhere but at the start.
func checkName(name string, limit int, inside string) error {
	if name == "" {
		return errors.New("it is empty")
	}
	if len(name) > limit {
		return fmt.Errorf("it is %d bytes long; the limit is %d", len(name), limit)
	}
	for i, r := range name {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		switch {
		case alphanumeric:
		case !strings.ContainsRune(inside, r):
			return fmt.Errorf("the character %q is not allowed; use letters, digits and any of %q", r, inside)
		case i == 0:
			return errors.New("the first character must be a letter or a digit")
		}
	}
	return nil
}

func checkLine(text string, limit int) error {
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		return fmt.Errorf("there is a control character at byte %d", i)
	}
	return checkText(text, limit)
}

func checkText(text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("it is %d bytes long; the limit is %d", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return errors.New("it is not valid UTF-8")
	}
	return nil
}
