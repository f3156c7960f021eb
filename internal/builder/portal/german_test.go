package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What goes wrong is said in the reader's language, or marked as another one.
func TestGerman(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.browsers["alice"], w.browsers["bob"]
	for _, b := range []*browser{alice, bob} {
		b.ask(http.MethodPost, "/settings", url.Values{"language": {"de"}, "to": {"/applications"}})
	}
	list := workflowURL(w.purchase.ID, w.purchase.WorkflowIDs[0])
	for _, c := range []struct {
		what   string
		status int
		ask    func() (int, string, *url.URL)
		says   string
	}{
		{"a wrong value", 422, func() (int, string, *url.URL) {
			return bob.send(list+"/new", "a0", "Eine Drehbank", "a1", "2", "a2", "zwölf")
		}, "Das ist keine ganze Zahl."},
		{"a number that is too large", 422, func() (int, string, *url.URL) {
			return bob.send(list+"/new", "a0", "Eine Drehbank", "a1", "2", "a2", strings.Repeat("9", 79))
		}, "Die Zahl passt nicht in den Typ"},
		{"a foreign form", 403, func() (int, string, *url.URL) {
			return bob.ask(http.MethodPost, list+"/new", url.Values{"csrf": {"wrong"}})
		}, "Das Formular kommt nicht von einer Seite dieses Portals"},
		{"what one may not", 403, func() (int, string, *url.URL) { return bob.ask(http.MethodGet, "/people", nil) }, "Welche Rollen Sie haben, steht auf der Seite der Anwendung"},
		{"an unknown order", 400, func() (int, string, *url.URL) { return bob.ask(http.MethodGet, list+"?sort=x", nil) }, "So lässt sich die Liste nicht ordnen."},
		{"a failed sign-in", 400, func() (int, string, *url.URL) {
			return bob.ask(http.MethodGet, "/sign-in/back?state=AAAA&code=x", nil)
		}, "Diese Anmeldung dauerte länger als zehn Minuten"},
		{"a person twice", 422, func() (int, string, *url.URL) {
			return alice.send("/people/new", "external", w.externalID("Bob Berger"))
		}, "Eine Person mit dieser externen Kennung gibt es schon."},
		{"findings in a file", 422, func() (int, string, *url.URL) {
			status, page := alice.upload("/applications/new", "bad.json", `{"ApplicationName":"X"}`, "x.sol", "contract X {}")
			return status, page, nil
		}, `<p class="says" lang="en">`},
	} {
		status, page, _ := c.ask()
		if status != c.status || !strings.Contains(page, c.says) || !strings.Contains(page, `<html lang="de"`) {
			t.Errorf("%s: %d, without %q: %s", c.what, status, c.says, page)
		}
	}
}
