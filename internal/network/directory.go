package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/node"
	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of a network's directory.
var (
	ErrFewer = problem.New("NODES_FEWER", "the network has more nodes than that",
		"leave --nodes out to start all of them; coco network replace puts new nodes in the place of old ones")
	ErrUnreadable = problem.New("NETWORK_INCOMPLETE", "so many of the network's ledgers cannot be read that what was committed might be lost",
		"put the directories back as the nodes left them; to go on with what there is, remove those that are beyond repair")
	ErrDirectory = problem.New("NETWORK_FILE", "network.json cannot be used",
		"put back the network.json that belongs to the directory; it lists the numbers of its nodes")
)

const (
	fileNetwork = "network.json"
	dirNodes    = "nodes"
	// maxNodes bounds a network in one process; more would measure the machine.
	maxNodes = 16
)

// register is network.json: which nodes a network has. A directory without one
// has node 1 and those below DATA/nodes.
type register struct {
	Nodes   []int `json:"nodes"`             // numbers, in order
	Retired []int `json:"retired,omitempty"` // were replaced: not started again
}

// next is a number that no node ever had.
func (r register) next() int { return slices.Max(append(slices.Concat(r.Nodes, r.Retired), 0)) + 1 }

// dataOf is the directory of a node.
func dataOf(data string, number int) string {
	if number == 1 {
		return data
	}
	return filepath.Join(data, dirNodes, strconv.Itoa(number))
}

// readRegister reads which nodes there are; none in a directory of no network.
func readRegister(data string) (r register, err error) {
	text, err := disk.ReadFile(disk.OS(data), fileNetwork, 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return findNodes(data)
	}
	if errors.Is(err, syscall.ENOTDIR) {
		return r, node.ErrUnwritable.From(err)
	}
	if err != nil {
		return r, ErrDirectory.From(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, ErrDirectory.From(err)
	}
	all := slices.Concat(r.Nodes, r.Retired)
	slices.Sort(all)
	if len(r.Nodes) == 0 || len(all) > 1<<10 || all[0] < 1 || len(slices.Compact(slices.Clone(all))) != len(all) {
		return r, ErrDirectory.From(fmt.Errorf("it lists the nodes %v and the retired ones %v", r.Nodes, r.Retired))
	}
	slices.Sort(r.Nodes)
	return r, nil
}

// findNodes looks which directories of nodes there are.
func findNodes(data string) (r register, err error) {
	if _, err := os.Stat(filepath.Join(data, "node", "ledger")); err == nil {
		r.Nodes = append(r.Nodes, 1)
	}
	names, err := os.ReadDir(filepath.Join(data, dirNodes))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, ErrDirectory.From(err)
	}
	for _, name := range names {
		if n, err := strconv.Atoi(name.Name()); err == nil && n > 1 {
			r.Nodes = append(r.Nodes, n)
		}
	}
	slices.Sort(r.Nodes)
	return r, nil
}

// without is the register without a node.
func (r register) without(number int) register {
	r.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), func(o int) bool { return o == number })
	return r
}

func (r register) write(data string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(disk.OS(data), fileNetwork, append(text, '\n')); err != nil {
		return ErrDirectory.From(err)
	}
	return nil
}

// want settles how many nodes a start has: all there are, or more. 0 asks for
// all, and for one where there is none.
func (r register) want(nodes int) (register, error) {
	if nodes > maxNodes {
		return r, problem.Newf("NODES_MANY", "start at most so many; each is a whole node", "a network in one process has at most %d nodes", maxNodes)
	}
	if nodes != 0 && nodes < len(r.Nodes) {
		return r, ErrFewer.From(fmt.Errorf("%d nodes are in the directory, %d were asked for", len(r.Nodes), nodes))
	}
	for len(r.Nodes) < max(nodes, 1) {
		r.Nodes = append(slices.Clip(r.Nodes), r.next())
	}
	return r, nil
}
