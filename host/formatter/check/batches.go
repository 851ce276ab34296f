package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// The sizes of batches. A daemon asks for 1,000 messages at the most.
const (
	manyMessages  = 1000
	largeBytes    = 16 << 20 // unless Config.LargeBytes says so
	largeMessages = 50_000   // however small they are
	sameMessages  = 100      // of the batch that is formatted over and over
	sameBytes     = 2 << 20
	oddMessages   = 2000
)

// batch makes a batch of a group, always the same for the same messages. The
// times are long past, so that today's date is not in them.
func batch(g host.GroupName, data []json.RawMessage) host.Batch {
	b := host.Batch{Group: g, Token: "restante-check-token", Messages: make([]host.Message, len(data))}
	first := time.Date(2019, time.February, 15, 10, 32, 1, 0, time.UTC)
	for i, d := range data {
		b.Messages[i] = host.Message{ID: host.ID(i + 1), Time: first.Add(time.Duration(i) * time.Minute), Data: d}
	}
	return b
}

// filled returns the samples over and over, up to count messages or size bytes
// in all, whichever comes first; one message at least.
func filled(samples []json.RawMessage, count, size int) []json.RawMessage {
	var data []json.RawMessage
	for total := 0; len(data) < count; {
		next := samples[len(data)%len(samples)]
		if total += len(next); total > size && len(data) > 0 {
			break
		}
		data = append(data, next)
	}
	return data
}

// generated returns messages for a group without samples: objects of the kinds
// that producers send.
func generated(n, note int) []json.RawMessage {
	names := []string{"Ann Archer", "Zoë Ångström", "李 雷", "محمد علي", "O'Brien & Sons <Ltd>", ""}
	data := make([]json.RawMessage, n)
	for i := range data {
		name, err := json.Marshal(names[i%len(names)])
		if err != nil {
			panic(err) // a string always marshals
		}
		data[i] = fmt.Appendf(nil, `{"id":"G%04d","action":"update","name":%s,"number":%d,"amount":%d.50,"active":%t,`+
			`"changed":"2019-02-15T10:32:01Z","tags":["a","b"],"nested":{"first":1,"second":null},"note":"%s"}`,
			i+1, name, i*7, i%100, i%2 == 0, strings.Repeat("x", note))
	}
	return data
}

// oddTexts are strings that a JSON message may carry and that formats tend to
// get wrong.
func oddTexts() []string {
	return []string{
		"",
		" leading and trailing ",
		"Zoe\u0308 A\u030angstro\u0308m, decomposed",
		"combining: a\u0300\u0301\u0302\u0303\u0304\u0327",
		"张伟 さくら 김민준 สวัสดี",
		"right to left: محمد שָׁלוֹם \u202eoverride\u202c",
		"astral: 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𠜎 \U0010FFFD",
		"👩🏽‍🎓 🏳️‍🌈 🇳🇿 👨‍👩‍👧‍👦",
		`<b>&amp; ]]> <!-- "quoted" 'single' \ /`,
		"comma, semicolon; tab\tequals=1+1 | pipe",
		"line\nfeed, carriage\r\nreturn",
		"\u2028line\u2029paragraph\u0085next",
		"nul \x00 bell \a escape \x1b",
		"\ufeffbyte order mark, \ufffd, \ufffe, \uffff",
		strings.Repeat("Größe 🙂 ", 10_000),
	}
}

// odd returns messages that are like the samples but for one string value each,
// which is replaced by one of the odd texts.
func odd(samples []json.RawMessage) []json.RawMessage {
	var all []json.RawMessage
	total := 0
	for i, text := range oddTexts() {
		replacement, err := json.Marshal(text)
		if err != nil {
			panic(err) // a string always marshals
		}
		sample := samples[i%len(samples)]
		for _, at := range stringValues(sample) {
			next := slices.Concat(sample[:at[0]], replacement, sample[at[1]:])
			if total += len(next); total > largeBytes || len(all) == oddMessages {
				return all
			}
			all = append(all, next)
		}
	}
	return all
}

// stringValues returns where the string values of a valid JSON text begin and
// end. A string that a colon follows is a name.
func stringValues(text []byte) (found [][2]int) {
	for at := 0; at < len(text); {
		if text[at] != '"' {
			at++
			continue
		}
		end := at + 1
		for ; text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
		end++
		if rest := bytes.TrimLeft(text[end:], " \t\r\n"); len(rest) == 0 || rest[0] != ':' {
			found = append(found, [2]int{at, end})
		}
		at = end
	}
	return found
}
