package admin

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// Sizes of the chart, in pixels.
const (
	chartHours  = 24
	chartBar    = 4
	chartWidth  = chartHours * (chartBar + 1)
	chartHeight = 24
)

// chart draws the messages that were added and delivered in the last day, hour by
// hour, as two rows of bars: added upwards, delivered downwards.
func chart(a host.Activity) template.HTML {
	now := time.Now().UTC().Truncate(time.Hour)
	var added, delivered [chartHours]uint64
	var most uint64
	for _, h := range a.Hours {
		i := chartHours - 1 - int(now.Sub(h.Start)/time.Hour)
		if i < 0 || i >= chartHours {
			continue
		}
		added[i], delivered[i] = h.Added, h.Delivered
		most = max(most, h.Added, h.Delivered)
	}
	sumAdded, sumDelivered := lastDay(a)
	label := fmt.Sprintf("%s added, %s delivered in the last day", number(sumAdded), number(sumDelivered))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" role="img" aria-label="%s" width="%d" height="%d" viewBox="0 0 %d %d"><title>%s</title>`,
		label, chartWidth, chartHeight, chartWidth, chartHeight, label)
	const half = chartHeight / 2
	fmt.Fprintf(&b, `<rect class="axis" x="0" y="%d" width="%d" height="1"/>`, half, chartWidth)
	bar := func(class string, i int, n uint64, up bool) {
		if n == 0 {
			return
		}
		h := max(1, int(n*(half-1)/most))
		y := half + 1
		if up {
			y = half - h
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`, class, i*(chartBar+1), y, chartBar, h)
	}
	for i := range chartHours {
		bar("added", i, added[i], true)
		bar("delivered", i, delivered[i], false)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// lastDay adds up what was added and delivered.
func lastDay(a host.Activity) (added, delivered uint64) {
	from := time.Now().UTC().Truncate(time.Hour).Add(-(chartHours - 1) * time.Hour)
	for _, h := range a.Hours {
		if !h.Start.Before(from) {
			added += h.Added
			delivered += h.Delivered
		}
	}
	return added, delivered
}
