package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
	"unicode"

	"appstore/api/client"
)

// problemLine is file:line:column: message (fix), as editors understand it.
func problemLine(file string, p client.Problem) string {
	var b strings.Builder
	if file != "" {
		b.WriteString(file + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if p.Pointer != "" {
		b.WriteString(p.Pointer + ": ")
	}
	b.WriteString(p.Message)
	fix, form, more := strings.Cut(p.Fix, "\n")
	if fix != "" {
		b.WriteString(" (" + fix + ")")
	}
	line := plain(b.String())
	if more { // a form that is shown stands as it is to be written
		for part := range strings.SplitSeq(form, "\n") {
			line += "\n    " + plain(part)
		}
	}
	return line
}

// plain makes a text harmless for a terminal: a server's texts are other
// people's, and control characters could move its cursor.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}

// shorten cuts s at n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), " ,.;:") + "…"
}

// table writes aligned columns.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain(cell)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	t.Flush()
}

// size writes a number of bytes for people.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if f /= 1000; f < 1000 {
			break
		}
	}
	if f < 10 {
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// progressEvery is how often a line of progress changes.
const progressEvery = 100 * time.Millisecond

// progress is one line at the bottom of a terminal that says how far long work
// has come. On anything else it is silent. The zero value is silent, too.
type progress struct {
	w    io.Writer
	mu   sync.Mutex
	last time.Time
	long bool // a line is there
}

func (a *app) progress() *progress {
	f, ok := a.err.(*os.File)
	if !ok {
		return &progress{}
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || a.env("TERM") == "dumb" {
		return &progress{}
	}
	return &progress{w: f, last: time.Now()}
}

// show replaces the line, unless it did so a moment ago.
func (p *progress) show(format string, args ...any) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.last) >= progressEvery {
		p.last, p.long = now, true
		fmt.Fprintf(p.w, "\r\x1b[K%s", shorten(plain(fmt.Sprintf(format, args...)), 79))
	}
}

// done removes the line.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.long {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.long = false
	}
}

// bytes is a callback for an upload or download of what.
func (p *progress) bytes(what string) func(done, total int64) {
	if p.w == nil {
		return nil
	}
	return func(done, total int64) {
		p.show("%s  %s of %s", what, size(done), size(total))
	}
}
