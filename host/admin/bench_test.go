package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// What a large site has.
const (
	largeMessages   = 1_000_000
	largeDeliveries = 60_000
	largeAudit      = 100_000
	largeReports    = 200
)

// large fills a site as a busy year would.
func large(b *testing.B) (s *site, delivery, report string) {
	s = start(b)
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	entries := func(journal string, n int, entry func(i int) (key string, value any)) {
		const step = 5000
		for from := 0; from < n; from += step {
			var all []host.JournalEntry
			for i := from; i < min(n, from+step); i++ {
				key, value := entry(i)
				text, err := json.Marshal(value)
				must(err)
				all = append(all, host.JournalEntry{Journal: journal, Entry: host.Entry{Key: key, Value: text}})
			}
			must(s.store.AppendEntries(ctx, all...))
		}
	}
	for at := 0; at < largeMessages; at += host.MaxAddition {
		a := host.Addition{Group: "plain", Key: fmt.Sprint("addition ", at)}
		for i := range host.MaxAddition {
			a.Data = append(a.Data, json.RawMessage(fmt.Sprintf(`{"student":%d,"name":"Ada Lovelace","course":"Analytical engines"}`, at+i)))
		}
		_, err := s.store.Append(ctx, a)
		must(err)
	}
	move := func(ranges string, to host.Status) {
		ids, err := host.ParseRanges(ranges)
		must(err)
		_, _, err = s.store.Move(ctx, "plain", ids, to)
		must(err)
	}
	move(fmt.Sprint("1-", 16*largeDeliveries), host.Read)
	for id := 10_000; id < largeMessages; id += 10_000 {
		move(fmt.Sprint(id), host.Held)
	}
	body := []byte(`{"version":0,"messages":[` + strings.Repeat(`{"id":1,"name":"Ada Lovelace"},`, 16) + `{}]}`)
	sum := sha256.Sum256(body)
	must(s.store.PutBody(ctx, "plain", sum, body))
	id := func(i int) string { return fmt.Sprintf("batch%06d-%x", i, sum[:4]) }
	entries("deliveries/plain", 2*largeDeliveries, func(i int) (string, any) {
		key := fmt.Sprintf("batch%06d", i/2)
		if i%2 == 1 {
			return key, map[string]any{"marked": host.Caller{Key: "k", Address: "192.0.2.1:80"}}
		}
		return key, map[string]any{"fetched": host.Delivery{
			ID: id(i / 2), Group: "plain", IDs: fmt.Sprintf("%d-%d", 8*i+1, 8*i+16), Count: 16, SHA256: hex.EncodeToString(sum[:]), Size: len(body),
			ContentType: "application/json", Filename: "plain.json", First: time.Now(), Last: time.Now(), Fetches: 1,
		}}
	})
	entries("audit", largeAudit, func(i int) (string, any) {
		return "plain", host.AuditEntry{Who: "ada", From: "192.0.2.1", Action: "message looked at", Group: "plain", Subject: fmt.Sprint(i)}
	})
	for i := range largeReports {
		r := host.ErrorReport{Kind: host.ErrorHeld, Plugin: fmt.Sprint("plugin", i), Title: "Messages were held.", Details: strings.Repeat("x", 1000)}
		for m := range host.ID(10) {
			r.Messages = append(r.Messages, host.Rejection{ID: m + 1, Reason: "There is no such student."})
		}
		report = s.report(b, r)
	}
	return s, id(largeDeliveries - 1), report
}

// BenchmarkPages asks for every page of a large site.
func BenchmarkPages(b *testing.B) {
	s, delivery, report := large(b)
	v := s.visit(b, "admin")
	const q = "/admin/queues/plain"
	for _, page := range []struct{ name, path string }{
		{"overview", "/admin/"},
		{"queue", q},
		{"queue-deep", q + "?before=500000"},
		{"queue-end", q + "?before=20"},
		{"unread", q + "?status=unread"},
		{"read", q + "?status=read"},
		{"held", q + "?status=held"},
		{"held-deep", q + "?status=held&before=200000"},
		{"ids", q + "?id=1-10,500-600,900000"},
		{"key", q + "?key=addition+500000"},
		{"since", q + "?since=" + time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04")},
		{"message", q + "/messages/500000"},
		{"move", q + "/move?action=hold&ids=1-1000000"},
		{"deliveries", q + "/deliveries"},
		{"deliveries-deep", q + "/deliveries?before=60000"},
		{"delivery", q + "/deliveries/" + delivery},
		{"delivery-again", q + "/deliveries/" + delivery + "?again=1"},
		{"download", q + "/deliveries/" + delivery + "/body"},
		{"connect", q + "/connect"},
		{"add", q + "/add"},
		{"plugins", "/admin/plugins"},
		{"errors", "/admin/errors"},
		{"error", "/admin/errors/" + report},
		{"audit", "/admin/audit"},
		{"audit-deep", "/admin/audit?before=50000"},
		{"users", "/admin/users"},
		{"account", "/admin/account"},
	} {
		b.Run(page.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				r := httptest.NewRequest("GET", page.path, nil)
				for name, value := range v.cookies {
					r.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				w := httptest.NewRecorder()
				s.admin.ServeHTTP(w, r)
				if size = w.Body.Len(); w.Code != http.StatusOK {
					b.Fatalf("%s = %d %.500s", page.path, w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}
