// Package choice is what somebody chose on their device, or their browser says for
// them: the language of pages, and whether they are light or dark. It is no setting
// of the person, and it decides nothing else.
package choice

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Languages are those that pages are in, in the order of the switch; the first is
// for who wants none of them.
var Languages = []Language{{"en", "English"}, {"de", "Deutsch"}}

// Language is a tag (BCP 47) and the language's name in itself.
type Language struct{ Tag, Name string }

const (
	cookieLanguage = "coco-language"
	cookieTheme    = "coco-theme"
)

// LanguageOf is the language for a request: what was chosen, else the best of
// Accept-Language (RFC 9110, 12.5.4), else the first.
func LanguageOf(r *http.Request) string {
	if c, err := r.Cookie(cookieLanguage); err == nil && known(c.Value) {
		return c.Value
	}
	best, most := Languages[0].Tag, 0.0
	for i, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		if i == 20 {
			break
		}
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				q = f
			}
		}
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if q > most && known(tag) {
			best, most = tag, q
		}
	}
	return best
}

func known(tag string) bool {
	return slices.ContainsFunc(Languages, func(l Language) bool { return l.Tag == tag })
}

// ThemeOf is light or dark when that was chosen, and "" for what the system says.
func ThemeOf(r *http.Request) string {
	if c, err := r.Cookie(cookieTheme); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// Remember keeps a language, a theme or both on the device for a year; "" leaves
// one as it was, and the theme system forgets it.
func Remember(w http.ResponseWriter, r *http.Request, language, theme string) {
	keep := func(name, value string, age int) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	}
	const year = 365 * 24 * 3600
	if known(language) {
		keep(cookieLanguage, language, year)
	}
	switch theme {
	case "light", "dark":
		keep(cookieTheme, theme, year)
	case "system":
		keep(cookieTheme, "", -1)
	}
}
