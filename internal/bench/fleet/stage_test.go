package fleet

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/coco-consortium/coco/internal/operations"
)

// TestFollow: the stages of a process stand in the order in which it came to them,
// each once, and a moment without an answer is no stage.
func TestFollow(t *testing.T) {
	data := t.TempDir()
	l, err := operations.Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	says := []string{"admission", "entries", "", "snapshot", "entries", "replay"}
	s := operations.Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(says) == 0 {
			cancel()
			return
		}
		var status operations.Status
		if says[0] != "" {
			status.CatchUp = &operations.CatchUp{Stage: says[0]}
		}
		says = says[1:]
		json.NewEncoder(w).Encode(status)
	}))
	go s.Serve(l)
	defer s.Close()
	c := operations.Dial(data)
	defer c.Close()
	var names []string
	for _, stage := range follow(ctx, c) {
		if names = append(names, stage.Name); stage.Seconds <= 0 {
			t.Errorf("%+v", stage)
		}
	}
	if want := []string{"admission", "entries", "snapshot", "replay"}; !slices.Equal(names, want) {
		t.Errorf("%v, not %v", names, want)
	}
}
