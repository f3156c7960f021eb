package portal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/portal/page"
	"github.com/coco-consortium/coco/internal/builder/workspace"
)

func TestJoined(t *testing.T) {
	for text, want := range map[string]string{
		"": "A whole number.", "The price agreed on": "The price agreed on. A whole number.", "The price. ": "The price. A whole number.",
		"Which price?": "Which price? A whole number.", "価格。": "価格。 A whole number.", "Größe": "Größe. A whole number.",
	} {
		if have := joined(text, "A whole number."); have != want {
			t.Errorf("%q: %q", text, have)
		}
	}
}

// Why something waits is said where it waits, in the reader's language.
func TestWaits(t *testing.T) {
	pages, err := page.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Portal{pages: pages, Options: Options{Clock: time.Now}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "de")
	me := &workspace.Person{}
	x := &visit{Printer: pages.Printer(r), p: p, r: r, person: me}
	workflow := &offchain.Workflow{}
	making := &workspace.ContractDetail{Workflow: workflow, Contract: offchain.Contract{ID: 7, CreatedAt: time.Now()}, Actions: []offchain.Action{{Status: offchain.StatusAsked}}}
	acting := &workspace.ContractDetail{Workflow: workflow, Contract: offchain.Contract{ID: 7, Status: offchain.StatusCommitted}, Actions: []offchain.Action{{Status: offchain.StatusSent}}}
	for _, c := range []struct{ code, message, tone, text, lang string }{
		{"", "", "busy", "", ""},
		{"LEDGER_UNAVAILABLE", "the ledger cannot be reached", "wait", "Es wartet: Der Ledger ist nicht zu erreichen", ""},
		{"NEWER_CODE", "the moon is in the way", "wait", "Es wartet: The moon is in the way.", "en"},
	} {
		for _, d := range []*workspace.ContractDetail{making, acting} {
			d.Actions[0].ErrorCode, d.Actions[0].ErrorMessage = c.code, c.message
		}
		for _, n := range []*page.Notice{x.contractNotice(making), x.progress(acting)} {
			if n.Tone != c.tone || !strings.HasPrefix(n.Text, c.text) || n.Lang != c.lang || c.text == "" && n.Text != "" {
				t.Errorf("%s: %+v", c.code, n)
			}
		}
	}
}
