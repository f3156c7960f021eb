package operations

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
)

// TestDesk: before it serves a node takes no command but stop, and says so.
func TestDesk(t *testing.T) {
	arriving := &fake{ready: problem.New("NOT_READY", "not now", "wait"), status: Status{RaftID: 4}}
	stopped := 0
	d := NewDesk(arriving, Options{Stop: func() { stopped++ }, Development: true})
	post := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		return w
	}
	for _, path := range []string{"/drain", "/pause", "/retire?node=1", "/heal"} {
		if w := post(path); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "NOT_READY") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := post("/stop"); w.Code != http.StatusNoContent || stopped != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if d.Status().RaftID != 4 || d.Ready() == nil || len(arriving.told) > 0 {
		t.Errorf("%+v, told %v", d.Status(), arriving.told)
	}
	serving := &fake{status: Status{RaftID: 5}, live: errors.New("it is broken")}
	d.Serves(serving)
	if w := post("/drain"); w.Code != http.StatusNoContent || !slices.Equal(serving.told, []string{"drain"}) {
		t.Errorf("%d %s, told %v", w.Code, w.Body, serving.told)
	}
	if w := post("/stop"); w.Code != http.StatusNoContent || stopped != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if d.Status().RaftID != 5 || d.Ready() != nil || d.Live() == nil {
		t.Errorf("%+v", d.Status())
	}
}
