package main

import (
	"fmt"
	"strings"
	"time"

	"tributary/client"
)

const (
	redraw   = 100 * time.Millisecond // of the line on a terminal
	reprint  = 10 * time.Second       // of a line elsewhere
	barWidth = 24
)

// progress returns what shows a transfer: a bar on a terminal, else a line each
// ten seconds, nothing with --quiet.
func (o *output) progress(what string) client.Progress {
	if o.quiet {
		return nil
	}
	start := time.Now()
	last := start
	if o.live {
		last = time.Time{}
	}
	return func(done, total int64) {
		now := time.Now()
		if o.live && (now.Sub(last) >= redraw || done == total) {
			last = now
			o.draw(transferLine(what, done, total, now.Sub(start), true))
		} else if !o.live && now.Sub(last) >= reprint {
			last = now
			fmt.Fprintln(o.stderr, clean(transferLine(what, done, total, now.Sub(start), false)))
		}
	}
}

// transferLine says how far a transfer is.
func transferLine(what string, done, total int64, took time.Duration, bar bool) string {
	rate := ""
	if seconds := took.Seconds(); seconds >= 0.5 {
		rate = "  " + size(int64(float64(done)/seconds)) + "/s"
		if total > done && done > 0 {
			left := time.Duration(float64(total-done) / float64(done) * float64(took))
			rate += "  " + left.Round(time.Second).String() + " left"
		}
	}
	if total <= 0 {
		return fmt.Sprintf("%s  %s%s", what, size(done), rate)
	}
	share := min(float64(done)/float64(total), 1)
	if !bar {
		return fmt.Sprintf("%s  %d%%  %s of %s%s", what, int(share*100), size(done), size(total), rate)
	}
	full := int(share * barWidth)
	return fmt.Sprintf("%s  [%s%s] %3d%%  %s%s", what, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), int(share*100), size(total), rate)
}

// draw puts a line on the terminal in place of the one before.
func (o *output) draw(line string) {
	if !o.live || o.quiet {
		return
	}
	o.drawn = true
	fmt.Fprintf(o.stderr, "\r\x1b[K%s", clean(line))
}

// clearLine takes the progress line away.
func (o *output) clearLine() {
	if o.drawn {
		o.drawn = false
		fmt.Fprint(o.stderr, "\r\x1b[K")
	}
}
