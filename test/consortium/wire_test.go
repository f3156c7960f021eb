package consortium

import (
	"os/exec"
	"testing"
)

// wire is the network between nodes, which go by their numbers from 1.
type wire interface {
	// place is where a node listens and what it tells the others.
	place(node int) place
	// command is how a program runs at a node's place.
	command(node int, program string, args ...string) *exec.Cmd
	// began says which process a node is now.
	began(node, pid int)
	// cut lets nothing pass from a node to another, until mend. What was on its way
	// comes when it is mended, as TCP has it.
	cut(from, to int)
	mend(from, to int)
	// slow bounds what reaches a node, in bytes a second; 0 ends that.
	slow(to, rate int)
}

// place is a node's addresses, HOST:PORT.
type place struct{ peer, advertise, client, operations string }

// onEachWire runs a test on every kind of network that the machine allows, and
// always on proxies.
func onEachWire(t *testing.T, test func(t *testing.T, w wire)) {
	t.Run("proxy", func(t *testing.T) {
		t.Parallel()
		test(t, newProxies(t))
	})
	if err := namespacesAllowed(); err != nil {
		t.Logf("faults are made by proxies alone, since this machine allows no network namespaces: %v", err)
		return
	}
	t.Run("namespaces", func(t *testing.T) {
		t.Parallel()
		test(t, newNamespaces(t))
	})
}
