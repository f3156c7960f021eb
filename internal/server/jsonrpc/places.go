package jsonrpc

import (
	"context"
	"time"

	"github.com/coco-consortium/coco/internal/problem"
)

// Places bound how many calls run at once: each has one of them while it runs.
type Places chan struct{}

// NewPlaces makes n places.
func NewPlaces(n int) Places { return make(Places, n) }

// placeWait is how long a call waits for a place before the node says that it is
// busy.
const placeWait = 2 * time.Second

func (p Places) enter(ctx context.Context) error {
	select {
	case p <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(placeWait)
	defer patience.Stop()
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return problem.Newf("BUSY", "try again in a moment, or ask another node",
			"the node is already executing %d calls that need a core", cap(p))
	}
}

// Wait takes a place as soon as there is one, for work that no client waits for.
func (p Places) Wait(ctx context.Context) error {
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave gives a place back.
func (p Places) Leave() { <-p }
