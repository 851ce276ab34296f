package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlugin(t *testing.T) {
	sdktest.Run(t, plugin(), sdktest.Options{
		Samples: map[string][]json.RawMessage{"csv": sdktest.ReadSamples(t, "testdata/samples.ndjson")},
		Golden:  "testdata",
		Check: func(t *testing.T, b sdk.Batch, d sdk.Document) {
			rows := parse(t, d.Body)
			if len(rows) != len(b.Messages)+1 {
				t.Fatalf("%d rows for %d messages", len(rows), len(b.Messages))
			}
			seen := make(map[string]bool)
			for _, column := range rows[0] {
				if seen[column] {
					t.Errorf("the column %q is there twice", column)
				}
				seen[column] = true
			}
			for i, row := range rows {
				if len(row) != len(rows[0]) {
					t.Fatalf("row %d has %d cells, want %d", i, len(row), len(rows[0]))
				}
			}
		},
	})
}

func TestTable(t *testing.T) {
	tests := map[string]struct {
		messages []string
		want     [][]string // without the cells of datetime
	}{
		"no messages": {nil, [][]string{{"id"}}},
		"order of first appearance": {
			[]string{`{"b":1,"a":2}`, `{"c":3,"a":4}`},
			[][]string{{"id", "b", "a", "c"}, {"1", "1", "2", ""}, {"2", "", "4", "3"}},
		},
		"number text": {
			[]string{`{"n":1.10,"m":12345678901234567890.1,"e":-1E+400}`},
			[][]string{{"id", "n", "m", "e"}, {"1", "1.10", "12345678901234567890.1", "-1E+400"}},
		},
		"nested values are compact": {
			[]string{"{\"o\": { \"z\" : 1.0,\n \"a\": [ ] } , \"t\":true,\"n\":null}"},
			[][]string{{"id", "o", "t", "n"}, {"1", `{"z":1.0,"a":[]}`, "true", ""}},
		},
		"no object": {
			[]string{`"text"`, `[1, 2]`, `4.50`, `null`, `{"data":"shared"}`},
			[][]string{{"id", "data"}, {"1", "text"}, {"2", "[1,2]"}, {"3", "4.50"}, {"4", ""}, {"5", "shared"}},
		},
		"clashing names": {
			[]string{`{"id":"x","datetime":"y","data.id":"z","data.data.id":"w"}`},
			[][]string{
				{"id", "data.id", "data.datetime", "data.data.id", "data.data.data.id"},
				{"1", "x", "y", "z", "w"},
			},
		},
		"property twice": {
			[]string{`{"a":1,"b":2,"a":3}`},
			[][]string{{"id", "a", "b"}, {"1", "3", "2"}},
		},
		"characters that need quotes": {
			[]string{`{"a,b":"say \"hi\"","c\nd":"x\ny\r\nz"," e ":" f ","":"=1+1"}`},
			[][]string{{"id", "a,b", "c\nd", " e ", ""}, {"1", `say "hi"`, "x\ny\r\nz", " f ", "=1+1"}},
		},
	}
	c := sdktest.Start(t, plugin())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var data []json.RawMessage
			for _, m := range test.messages {
				data = append(data, json.RawMessage(m))
			}
			d, err := c.WriteMessages(t.Context(), sdktest.Batch("csv", data...))
			if err != nil {
				t.Fatal(err)
			}
			if d.ContentType != "text/csv; charset=utf-8; header=present" {
				t.Errorf("content type %q", d.ContentType)
			}
			rows := parse(t, d.Body)
			for i, row := range rows {
				rows[i] = append(row[:1:1], row[2:]...)
			}
			if !reflect.DeepEqual(rows, test.want) {
				t.Errorf("rows = %q, want %q", rows, test.want)
			}
		})
	}
}

func TestDataIsNotJSON(t *testing.T) {
	c := sdktest.Start(t, plugin())
	_, err := c.WriteMessages(t.Context(), sdktest.Batch("csv", []byte(`{}`), []byte(`{"a":1`), []byte(``)))
	got := sdk.Rejections(err)
	if len(got) != 2 || got[0].ID != 2 || got[1].ID != 3 {
		t.Errorf("rejections = %v, want messages 2 and 3", got)
	}
}

func FuzzRow(f *testing.F) {
	f.Add("a", "b")
	f.Add(`"`, "\r\n")
	f.Add(" ", ",")
	f.Fuzz(func(t *testing.T, a, b string) {
		var body bytes.Buffer
		writeRow(&body, ",", []string{"1", a, b})
		if got, want := parse(t, body.Bytes()), [][]string{{"1", a, b}}; !reflect.DeepEqual(got, want) {
			t.Errorf("parse(%q) = %q, want %q", body.Bytes(), got, want)
		}
	})
}

// parse reads strict RFC 4180: each record ends with CRLF, and quotes stand
// around a whole field or not at all. encoding/csv changes CRLF inside fields.
func parse(t *testing.T, text []byte) [][]string {
	t.Helper()
	var rows [][]string
	var row []string
	for len(text) > 0 {
		var field []byte
		if text[0] == '"' {
			text = text[1:]
			for {
				end := bytes.IndexByte(text, '"')
				if end < 0 {
					t.Fatal("a quoted field has no end")
				}
				field = append(field, text[:end]...)
				text = text[end+1:]
				if !bytes.HasPrefix(text, []byte(`"`)) {
					break
				}
				field = append(field, '"')
				text = text[1:]
			}
		} else {
			end := bytes.IndexAny(text, "\",\r\n")
			if end < 0 {
				t.Fatal("the last line has no CRLF")
			}
			field, text = text[:end], text[end:]
		}
		row = append(row, string(field))
		switch {
		case bytes.HasPrefix(text, []byte(",")):
			text = text[1:]
		case bytes.HasPrefix(text, []byte("\r\n")):
			text = text[2:]
			rows, row = append(rows, row), nil
		default:
			t.Fatalf("after a field comes %.10q", text)
		}
	}
	if row != nil {
		t.Fatal("the last line has no CRLF")
	}
	return rows
}

// FuzzProperties compares the cutting of text with the standard library.
func FuzzProperties(f *testing.F) {
	for _, text := range []string{`{}`, ` { "a" : [ 1 , {"b":"\" }"} ] , "c\u00e4" : -1.5e3 ,"d":null}`, `[1, 2]`, ` "x\\" `, ` true `} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		properties, err := propertiesOf(data)
		if valid := json.Valid(data); valid != (err == nil) {
			t.Fatalf("propertiesOf(%q) = %v, but valid is %v", data, err, valid)
		}
		if err != nil || bytes.TrimSpace(data)[0] != '{' {
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		_, _ = d.Token()
		for _, p := range properties {
			name, err := d.Token()
			if err != nil || columnOf(name.(string)) != p.column {
				t.Fatalf("propertiesOf(%q) has the column %q, want %v, %v", data, p.column, name, err)
			}
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
			want := string(value)
			switch value[0] {
			case 'n':
				want = ""
			case '"':
				_ = json.Unmarshal(value, &want)
			case '{', '[':
				var b bytes.Buffer
				_ = json.Compact(&b, value)
				want = b.String()
			}
			if p.cell != want {
				t.Fatalf("propertiesOf(%q) has %q under %q, want %q", data, p.cell, p.column, want)
			}
		}
		if d.More() {
			t.Fatalf("propertiesOf(%q) has only %d properties", data, len(properties))
		}
	})
}

func TestDelimiter(t *testing.T) {
	for _, bad := range []string{"", ";;", `"`, "\n"} {
		if err := sdktest.Start(t, plugin()).Configure(t.Context(), map[string]any{delimiter: bad}); err == nil {
			t.Errorf("the delimiter %q is accepted", bad)
		}
	}
	c := sdktest.Start(t, plugin())
	if err := c.Configure(t.Context(), map[string]any{delimiter: ";"}); err != nil {
		t.Fatal(err)
	}
	d, err := c.WriteMessages(t.Context(), sdktest.Batch("csv", []byte(`{"a":"x;y","b":"x,y"}`)))
	if _, row, _ := bytes.Cut(d.Body, []byte("\r\n")); err != nil || !bytes.HasSuffix(row, []byte(`;"x;y";x,y`+"\r\n")) {
		t.Errorf("WriteMessages = %q, %v", d.Body, err)
	}
}
