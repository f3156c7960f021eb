package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/network"
	"github.com/coco-consortium/coco/internal/operations"
)

// TestGivenUp: after Ctrl+C a command says what is left of it, once the network has
// taken back what it could.
func TestGivenUp(t *testing.T) {
	for left, want := range map[bool]string{false: "no node is left half joined", true: "coco: NETWORK_LEFT"} {
		o := calm()
		o.Nodes[0].Status.Nodes = append(o.Nodes[0].Status.Nodes, operations.Peer{Place: operations.Place{RaftID: 9}, State: operations.StateLearner})
		data := t.TempDir()
		l, err := operations.Listen(data)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Int32
		mux := http.NewServeMux()
		mux.HandleFunc("POST /network/replace", func(_ http.ResponseWriter, r *http.Request) {
			cancel() // Ctrl+C
			<-r.Context().Done()
		})
		mux.HandleFunc("GET /network", func(w http.ResponseWriter, _ *http.Request) {
			now := network.Overview{Nodes: o.Nodes, Busy: asked.Add(1) < 3}
			if !now.Busy && !left {
				now = calm()
			}
			json.NewEncoder(w).Encode(now)
		})
		s := operations.Server(mux)
		go s.Serve(l)
		code, out, errOut := command(ctx, "network", "replace", "2", "--data", data)
		if code != terminal.Failed || out != "" || !strings.Contains(errOut, want) || strings.Contains(errOut, "9") != left || asked.Load() != 3 {
			t.Errorf("exit code %d, asked %d times, %q, %q", code, asked.Load(), out, errOut)
		}
		s.Close()
		cancel()
	}
}
