package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const samplesPath = "../../examples/messages/student.ndjson"

func TestPlugin(t *testing.T) {
	sdktest.Run(t, plugin(), sdktest.Options{
		Samples: map[string][]json.RawMessage{"student": sdktest.ReadSamples(t, samplesPath)},
		Golden:  "testdata",
		Check: func(t *testing.T, _ sdk.Batch, d sdk.Document) {
			path := filepath.Join(t.TempDir(), d.Filename)
			if err := os.WriteFile(path, d.Body, 0o600); err != nil {
				t.Fatal(err)
			}
			validate(t, path)
		},
	})
}

// TestGoldenFiles validates what is committed, whatever the plugin writes now.
func TestGoldenFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/student-*.xml")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 3 {
		t.Fatalf("golden files: %q, want at least three", paths)
	}
	validate(t, paths...)
}

// validate wants the files to follow the schema.
func validate(t *testing.T, paths ...string) {
	t.Helper()
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Fatal("xmllint is needed to validate against the schema: install the Debian package libxml2-utils")
	}
	args := append([]string{"--noout", "--nonet", "--huge", "--schema", "student-records.xsd"}, paths...)
	if output, err := exec.CommandContext(t.Context(), xmllint, args...).CombinedOutput(); err != nil {
		const limit = 4000
		t.Errorf("the document does not follow the schema: %v\n%.*s", err, limit, output)
	}
}

func TestRejections(t *testing.T) {
	const valid = `{"action":"create","student":{"id":"S1234567","familyName":"Ek","dateOfBirth":"2001-05-17",` +
		`"email":"ek@example.org","programme":{"code":"CS","title":"Computing","startDate":"2026-09-21"},` +
		`"modules":[{"code":"CS1","credits":20,"mark":55.50}]}}`
	tests := map[string]struct {
		old, new string // what to replace in the valid message
		want     string
	}{
		"nothing wrong":          {"", "", ""},
		"no action":              {`"action":"create",`, ``, "action is missing"},
		"unknown action":         {`"create"`, `"delete"`, "action must be create, update or withdraw"},
		"withdraw without it":    {`"create"`, `"withdraw"`, "withdrawal is missing"},
		"withdrawal of a create": {`"create"`, `"create","withdrawal":{}`, "withdrawal is only for the action withdraw"},
		"no id":                  {`"id":"S1234567",`, ``, "student.id is missing"},
		"wrong id":               {`"S1234567"`, `"1234567"`, `student.id must be "S" and seven digits`},
		"id is a number":         {`"S1234567"`, `1234567`, "student.id must not be a JSON number"},
		"blank family name":      {`"Ek"`, `" "`, "student.familyName is missing"},
		"control character":      {`"Ek"`, `"E\u0001k"`, "student.familyName has the character U+0001 at byte 1, which XML 1.0 can't carry"},
		"noncharacter":           {`"Ek"`, `"Ek","givenNames":"\uffff"`, "student.givenNames has the character U+FFFF at byte 0, which XML 1.0 can't carry"},
		"no such day":            {`2001-05-17`, `2001-02-29`, "student.dateOfBirth must be a date of the form 2001-05-17"},
		"year zero":              {`2001-05-17`, `0000-01-01`, "student.dateOfBirth must be a date of the form 2001-05-17"},
		"no e-mail address":      {`ek@example.org`, `ek`, "student.email must be an e-mail address"},
		"null programme title":   {`"Computing"`, `null`, "student.programme.title is missing"},
		"credits as text":        {`:20,`, `:"20",`, "student.modules[0].credits must be a whole number from 0 to 999"},
		"credits fraction":       {`:20,`, `:20.5,`, "student.modules[0].credits must be a whole number from 0 to 999"},
		"mark too high":          {`55.50`, `100.5`, "student.modules[0].mark must be a number from 0 to 100 without an exponent"},
		"mark with exponent":     {`55.50`, `1e1`, "student.modules[0].mark must be a number from 0 to 100 without an exponent"},
		"an array":               {valid, `[]`, "the message must not be a JSON array"},
		"null":                   {valid, `null`, "action is missing; student.id is missing"},
		"not JSON":               {valid, `{`, "the message can't be read"},
	}
	c := sdktest.Start(t, plugin())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := valid
			if test.old != "" {
				text = strings.Replace(valid, test.old, test.new, 1)
			}
			d, err := c.WriteMessages(t.Context(), sdktest.Batch("student", json.RawMessage(text)))
			if test.want == "" {
				if err != nil || !strings.Contains(string(d.Body), "<mark>55.50</mark>") {
					t.Fatalf("WriteMessages = %s, %v, want a document with the mark's own digits", d.Body, err)
				}
				return
			}
			rejections := sdk.Rejections(err)
			if len(rejections) != 1 || !strings.Contains(rejections[0].Reason, test.want) {
				t.Fatalf("WriteMessages: %v, want a rejection with %q", err, test.want)
			}
		})
	}
}

func TestEveryFaultOfABatchIsNamed(t *testing.T) {
	c := sdktest.Start(t, plugin())
	good := sdktest.ReadSamples(t, samplesPath)[0]
	_, err := c.WriteMessages(t.Context(), sdktest.Batch("student", []byte(`{}`), good, []byte(`{"action":"create"}`)))
	got := sdk.Rejections(err)
	if len(got) != 2 || got[0].ID != 1 || got[1].ID != 3 {
		t.Fatalf("rejections = %v, want messages 1 and 3", got)
	}
	for _, field := range []string{"student.id", "student.familyName", "student.dateOfBirth", "student.email", "student.programme.code"} {
		if !strings.Contains(got[1].Reason, field) {
			t.Errorf("the reason %q does not name %s", got[1].Reason, field)
		}
	}
}
