package fleet

import (
	"context"
	"time"

	"github.com/coco-consortium/coco/internal/operations"
)

// Stage is how long a process was in one stage of its way into the network.
type Stage struct {
	Name    string  `json:"name"` // operations.Stage*
	Seconds float64 `json:"seconds"`
}

// askEvery is how often a process is asked for its stage.
const askEvery = 10 * time.Millisecond

// follow asks a process for its stage until the context ends, and gives the stages
// in the order in which it came to each first.
func follow(ctx context.Context, c *operations.Client) (stages []Stage) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return stages
		case <-tick.C:
		}
		s, err := c.Status(ctx)
		now := time.Now()
		if err == nil && s.CatchUp != nil {
			stages = spent(stages, s.CatchUp.Stage, now.Sub(last))
		}
		last = now
	}
}

// spent adds time to a stage.
func spent(stages []Stage, name string, d time.Duration) []Stage {
	for i := range stages {
		if stages[i].Name == name {
			stages[i].Seconds += d.Seconds()
			return stages
		}
	}
	return append(stages, Stage{name, d.Seconds()})
}
