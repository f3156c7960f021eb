package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// Processes starts a network of n node processes and beside it one node alone, to
// be measured by turns: through the network's primary, and through a backup too if
// that is wanted. stop ends them and removes what they stored.
func Processes(ctx context.Context, program string, n int, backup bool) (nodes []Node, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "coco-bench-")
	if err != nil {
		return nil, nil, ErrSetup.From(err)
	}
	var fleets []*fleet.Fleet
	stop = func() error {
		var errs []error
		for _, f := range fleets {
			errs = append(errs, f.Stop())
		}
		return errors.Join(append(errs, os.RemoveAll(dir))...)
	}
	for _, size := range []int{n, 1} {
		f, err := fleet.Found(ctx, program, filepath.Join(dir, fmt.Sprintf("of%d", size)), size)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		fleets = append(fleets, f)
		side := Node{Name: fmt.Sprintf("%d nodes", size), Place: placeOf(f)}
		if size == 1 {
			side.Name = "1 node"
		}
		nodes = append(nodes, side)
		if backup && size > 1 {
			side.Name, side.Backup = side.Name+", by a backup", true
			nodes = append(nodes, side)
		}
	}
	return nodes, stop, nil
}

// placeOf asks a network who leads.
func placeOf(f *fleet.Fleet) func(context.Context) (Place, error) {
	return func(ctx context.Context) (Place, error) {
		primary, backups, err := f.Place(ctx)
		if err != nil {
			return Place{}, err
		}
		p := Place{View: primary.View(), Primary: Node{URL: primary.URL, PID: primary.PID()}}
		for _, b := range backups {
			p.Backups = append(p.Backups, Node{URL: b.URL, PID: b.PID()})
		}
		return p, nil
	}
}
