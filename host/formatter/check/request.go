package check

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/restante/restante/host"
)

// request checks that the plugin says of a batch how its document is to be sent, the
// same each time and in both processes, as an attempt that is repeated must be.
func (r *grouped) request(ctx context.Context) {
	r.check(r.name, "HTTP request", func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		o, b, _ := r.first.writeAccepted(ctx, batch(r.name, filled(r.samples, sameMessages, sameBytes)))
		if o.Err != nil || len(o.Rejections) > 0 {
			l.is(Skipped, "there is no document to send", "")
			return
		}
		var first host.HTTPRequest
		for run, s := range []**subject{&r.first, &r.first, &r.second} {
			begun := time.Now()
			request, err := (*s).process.FormatHTTPRequest(ctx, b, o.Document)
			switch {
			case err != nil:
				r.failed(ctx, l, s, err)
				return
			case run == 0:
				first = request
				l.Seen = fmt.Sprintf("%s, %s", requestText(request), milliseconds(time.Since(begun)))
			case !reflect.DeepEqual(request, first):
				l.is(Failed, "another request "+(*s).where(r.checker), "FormatHTTPRequest must say the same of the same batch: take everything from it and its document")
				l.Details = quoted([]string{clip(fmt.Sprintf("%+v", first), 300), clip(fmt.Sprintf("%+v", request), 300)})
				return
			}
		}
	})
}

// requestText describes a request.
func requestText(q host.HTTPRequest) string {
	text := "the method of the configuration"
	if q.Method != "" {
		text = q.Method
	}
	if q.URL != "" {
		text += " to " + clip(q.URL, 100)
	}
	return text + ", " + count(len(q.Headers), "header")
}
