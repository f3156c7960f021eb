package network

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
)

// numbersOf are the nodes of a network.
func numbersOf(n *Network) (list []int) {
	for _, s := range n.Overview().Nodes {
		list = append(list, s.Number)
	}
	return list
}

// TestGivenUp gives each command up that has a node join: what the table has of it
// is retired, and the same command does it the next time.
func TestGivenUp(t *testing.T) {
	for name, command := range map[string]func(*Network, context.Context) error{
		"add":     func(n *Network, ctx context.Context) error { _, err := n.Add(ctx); return err },
		"replace": func(n *Network, ctx context.Context) error { _, err := n.Replace(ctx, 2); return err },
		"start":   func(n *Network, ctx context.Context) error { return n.StartNode(ctx, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			w, data := newWorld(), t.TempDir()
			n := start(t, w, data, 3)
			if name == "start" {
				if err := n.StopNode(t.Context(), 3); err != nil {
					t.Fatal(err)
				}
			}
			before := numbersOf(n)
			ctx, cancel := context.WithCancel(t.Context())
			w.slow = func(ctx context.Context) error {
				if !n.Overview().Busy {
					t.Error("nobody sees that a command is under way")
				}
				cancel()
				<-ctx.Done()
				return ctx.Err()
			}
			w.history = nil
			if err := command(n, ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			joined := map[string]string{"add": "join 4, retire 4", "replace": "join 4, retire 4", "start": "join 3, retire 4"}[name]
			if got := strings.Join(w.history, ", "); got != joined {
				t.Errorf("%s, not %s", got, joined)
			}
			if got := numbersOf(n); !slices.Equal(got, before) || n.Overview().Busy {
				t.Errorf("the nodes are %v, not %v", got, before)
			}
			w.slow = nil
			if err := command(n, t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGivenUpByItsClient: whoever gave the command is gone, and it may take longer
// than a request otherwise does.
func TestGivenUpByItsClient(t *testing.T) {
	w := newWorld()
	n := start(t, w, t.TempDir(), 3)
	s := httptest.NewUnstartedServer(n.handler())
	s.Config.ReadTimeout, s.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	s.Start()
	defer s.Close()
	post := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/network/replace?node=2", nil)
		if err != nil {
			return err
		}
		res, err := s.Client().Do(r)
		if err == nil {
			err = errors.Join(res.Body.Close(), map[bool]error{true: nil, false: errors.New(res.Status)}[res.StatusCode == http.StatusNoContent])
		}
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.slow = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if err := post(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for end := time.Now().Add(time.Minute); n.Overview().Busy; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is not given up")
		}
	}
	if got := numbersOf(n); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the nodes are %v", got)
	}
	w.slow = func(ctx context.Context) error { // four times as long as the server's patience
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
			return nil
		}
	}
	if err := post(t.Context()); err != nil {
		t.Error(err)
	}
	if got := numbersOf(n); !slices.Equal(got, []int{1, 3, 4}) {
		t.Errorf("the nodes are %v", got)
	}
}

// TestLeft: what cannot be taken back is named, and a replacement that failed when
// the new node was a voter already is gone on with.
func TestLeft(t *testing.T) {
	w := newWorld()
	n := start(t, w, t.TempDir(), 3)
	full := errors.New("the disk is full")
	w.slow, w.refuses = func(context.Context) error { return full }, errors.New("nobody leads")
	if _, err := n.Add(t.Context()); !errors.Is(err, ErrLeft) || !errors.Is(err, full) || !strings.Contains(err.Error(), "[4]") {
		t.Error(err)
	}
	w.slow = nil
	if added, err := n.Replace(t.Context(), 2); added != 4 || !errors.Is(err, w.refuses) {
		t.Error(added, err)
	}
	w.refuses, w.history = nil, nil
	if added, err := n.Replace(t.Context(), 2); added != 4 || err != nil {
		t.Error(added, err)
	}
	if got := strings.Join(w.history, ", "); got != "retire 2" {
		t.Error(got)
	}
	if got := numbersOf(n); !slices.Equal(got, []int{1, 3, 4}) {
		t.Errorf("the nodes are %v", got)
	}
	for _, p := range n.running()[0].node.Status().Nodes {
		if p.RaftID == 2 && p.State != operations.StateRetired {
			t.Errorf("the old node is %s", p.State)
		}
	}
}
