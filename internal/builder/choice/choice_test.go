package choice

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLanguageOf(t *testing.T) {
	for header, want := range map[string]string{
		"": "en", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de", "fr, en;q=0.2, de;q=0.7": "de", "fr": "en",
		"de;q=0, en;q=0.1": "en", "de;q=x": "de", ";;;,,,": "en", strings.Repeat("fr,", 30) + "de": "en",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", header)
		if have := LanguageOf(r); have != want {
			t.Errorf("%q: %s, not %s", header, have, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "de")
	r.AddCookie(&http.Cookie{Name: cookieLanguage, Value: "en"})
	if LanguageOf(r) != "en" {
		t.Error("what was chosen does not win")
	}
}

// What is remembered is what the next request brings; what nobody offers is not kept.
func TestRemember(t *testing.T) {
	for _, c := range []struct{ language, theme, wantLanguage, wantTheme string }{
		{"de", "", "de", ""}, {"", "dark", "en", "dark"}, {"de", "light", "de", "light"}, {"xx", "pink", "en", ""}, {"", "system", "en", ""},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/settings", nil)
		Remember(w, r, c.language, c.theme)
		next := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, cookie := range w.Result().Cookies() {
			if cookie.MaxAge > 0 {
				next.AddCookie(cookie)
			}
		}
		if l, th := LanguageOf(next), ThemeOf(next); l != c.wantLanguage || th != c.wantTheme {
			t.Errorf("%v: %q %q", c, l, th)
		}
	}
}
