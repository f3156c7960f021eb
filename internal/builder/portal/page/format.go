package page

import (
	"hash/fnv"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// short is a hash or an address with its middle left out.
func short(hex string) string {
	if len(hex) <= 14 {
		return hex
	}
	return hex[:8] + "…" + hex[len(hex)-4:]
}

// initials are the first letters of the first and last word of a name.
func initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	switch len(words) {
	case 0:
		return "?"
	case 1:
		_, n := utf8.DecodeRuneInString(words[0])
		_, m := utf8.DecodeRuneInString(words[0][n:])
		return words[0][:n+m]
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	last, _ := utf8.DecodeRuneInString(words[len(words)-1])
	return string(first) + string(last)
}

// hue is the class of a name's colour: always the same for the same name.
func hue(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return "h" + string(rune('0'+h.Sum32()%8))
}

// Date is a day and a time of day in UTC.
func (p *Printer) Date(t time.Time) string {
	t = t.UTC()
	return p.T("format.date", "d", t.Format("2"), "m", p.T("month."+t.Format("1")), "y", t.Format("2006"), "t", t.Format("15:04"))
}

// Exactly is a time to the second, in UTC.
func (p *Printer) Exactly(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// Ago is how long before now a time was: in words up to a week, then its date.
func (p *Printer) Ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d < -time.Minute || d >= 7*24*time.Hour:
		return p.Date(t)
	case d < time.Minute:
		return p.T("ago.now")
	case d < time.Hour:
		return p.T("ago.minutes", "n", int(d/time.Minute))
	case d < 24*time.Hour:
		return p.T("ago.hours", "n", int(d/time.Hour))
	default:
		return p.T("ago.days", "n", int(d/(24*time.Hour)))
	}
}

// icons are drawn on a grid of 20 with a line of 1.6.
var icons = map[string]string{
	"apps":     `<rect x="3" y="3" width="6" height="6" rx="1.5"/><rect x="11" y="3" width="6" height="6" rx="1.5"/><rect x="3" y="11" width="6" height="6" rx="1.5"/><rect x="11" y="11" width="6" height="6" rx="1.5"/>`,
	"people":   `<circle cx="7.5" cy="7" r="3"/><path d="M2.5 16.5c.4-2.9 2.400-4.300 5-4.300s4.600 1.400 5 4.300M13 4.300a2.800 2.800 0 0 1 0 5.400M14.600 12.500c1.700.500 2.700 1.800 3 4"/>`,
	"ledger":   `<path d="M10 2.500 16.500 6v8L10 17.500 3.500 14V6zM3.700 6.100 10 9.600l6.300-3.500M10 9.600v7.700"/>`,
	"plus":     `<path d="M10 4v12M4 10h12"/>`,
	"check":    `<path d="m4.500 10.500 3.600 3.600 7.400-8"/>`,
	"good":     `<circle cx="10" cy="10" r="7"/><path d="m7 10.300 2.200 2.200 4-4.600"/>`,
	"bad":      `<path d="M10 3 2.800 16h14.400zM10 8.200v3.600M10 13.900v.1"/>`,
	"wait":     `<circle cx="10" cy="10" r="7"/><path d="M10 6.200V10l2.600 1.600"/>`,
	"busy":     `<path d="M17 10a7 7 0 1 1-3.300-5.900"/><path d="M14 1.800v2.700h-2.700"/>`,
	"calm":     `<circle cx="10" cy="10" r="7"/><path d="M7 10h6"/>`,
	"info":     `<circle cx="10" cy="10" r="7"/><path d="M10 9.300v4.200M10 6.500v.1"/>`,
	"lock":     `<rect x="4.500" y="9" width="11" height="7.500" rx="1.500"/><path d="M7 9V6.500a3 3 0 0 1 6 0V9"/>`,
	"search":   `<circle cx="9" cy="9" r="5"/><path d="m13 13 3.500 3.500"/>`,
	"up":       `<path d="M10 15.500v-11M5.500 9 10 4.500 14.500 9"/>`,
	"down":     `<path d="M10 4.500v11M5.500 11l4.500 4.500 4.500-4.500"/>`,
	"sort":     `<path d="m6.500 8 3.500-3.500L13.500 8M6.500 12l3.500 3.500 3.500-3.500"/>`,
	"next":     `<path d="m8 5 5 5-5 5"/>`,
	"chevron":  `<path d="m6 8 4 4 4-4"/>`,
	"columns":  `<rect x="3" y="4" width="14" height="12" rx="1.500"/><path d="M8 4v12M12.700 4v12"/>`,
	"close":    `<path d="m5.500 5.500 9 9M14.500 5.500l-9 9"/>`,
	"file":     `<path d="M5.500 2.500h6l3.500 3.500v11.500H5.500zM11.500 2.500V6H15"/>`,
	"sum":      `<path d="M10 2.500 16 5v4.500c0 3.900-2.400 6.700-6 8-3.600-1.300-6-4.100-6-8V5zM7.300 10l2 2 3.500-4"/>`,
	"here":     `<circle cx="10" cy="10" r="6.500"/><circle cx="10" cy="10" r="2.500" fill="currentColor"/>`,
	"open":     `<circle cx="10" cy="10" r="6.500"/>`,
	"person":   `<circle cx="10" cy="7" r="3.200"/><path d="M4 17c.5-3.300 2.800-5 6-5s5.500 1.700 6 5"/>`,
	"edit":     `<path d="m4 13.500-.5 3 3-.500L16 6.500 13.500 4z"/>`,
	"history":  `<path d="M3.500 10a6.500 6.500 0 1 0 2.200-4.900L3.500 7.200M3.500 3.800v3.400h3.400M10 6.500V10l2.500 1.500"/>`,
	"external": `<path d="M8 4.500H4.500v11h11V12M11.500 4H16v4.500M16 4l-6.500 6.500"/>`,
}

// icon is a small drawing that says nothing a word beside it does not say.
func icon(name string, class ...string) template.HTML {
	return template.HTML(`<svg class="icon ` + template.HTMLEscapeString(strings.Join(class, " ")) +
		`" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`)
}
