package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coco-consortium/coco/internal/bench/fleet"
)

// Setup is a network of node processes to be measured.
type Setup struct {
	Name string // empty: by its size
	// Nodes is how many it has. Default 1.
	Nodes int
	// Backup also sends the load to a backup, which forwards it.
	Backup bool
	// Lines are further lines of every node.yaml, and Environment further variables.
	Lines       string
	Environment []string
}

// side is a network that was started.
type side struct {
	setup Setup
	fleet *fleet.Fleet
}

// nodes are what is measured of it.
func (s *side) nodes() []Node {
	n := Node{Name: s.setup.Name, Place: placeOf(s.fleet)}
	all := []Node{n}
	if s.setup.Backup && s.setup.Nodes > 1 {
		n.Name, n.Backup = n.Name+", by a backup", true
		all = append(all, n)
	}
	return all
}

// open starts networks beside each other in a temporary directory. stop ends them and
// removes what they stored.
func open(ctx context.Context, program string, setups ...Setup) (sides []*side, dir string, stop func() error, err error) {
	dir, err = os.MkdirTemp("", "coco-bench-")
	if err != nil {
		return nil, "", nil, ErrSetup.From(err)
	}
	stop = func() error {
		var errs []error
		for _, s := range sides {
			for _, n := range s.fleet.Nodes() { // what they stored is not needed any more
				errs = append(errs, n.Kill())
			}
		}
		return errors.Join(append(errs, os.RemoveAll(dir))...)
	}
	for i, setup := range setups {
		setup.Nodes = cmp.Or(setup.Nodes, 1)
		if setup.Name == "" {
			setup.Name = fmt.Sprintf("%d nodes", setup.Nodes)
			if setup.Nodes == 1 {
				setup.Name = "1 node"
			}
		}
		f := &fleet.Fleet{Program: program, Dir: filepath.Join(dir, fmt.Sprint(i+1)), Level: "info", Lines: setup.Lines, Environment: setup.Environment}
		if err := f.Found(ctx, setup.Nodes); err != nil {
			return nil, "", nil, errors.Join(err, stop())
		}
		sides = append(sides, &side{setup, f})
	}
	return sides, dir, stop, nil
}

// Processes starts networks of node processes, to be measured by turns: each through
// its primary, and through a backup too where that is wanted. stop ends them and
// removes what they stored.
func Processes(ctx context.Context, program string, setups ...Setup) (nodes []Node, stop func() error, err error) {
	sides, _, stop, err := open(ctx, program, setups...)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range sides {
		nodes = append(nodes, s.nodes()...)
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
		p := Place{View: primary.View(), Primary: Node{URL: primary.URL, PID: primary.PID(), Data: primary.Data}}
		for _, b := range backups {
			p.Backups = append(p.Backups, Node{URL: b.URL, PID: b.PID(), Data: b.Data})
		}
		return p, nil
	}
}
