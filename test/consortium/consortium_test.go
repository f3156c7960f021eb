// Package consortium tests a network as its members run it: every node a process
// of the real binary with a directory, an address and a log of its own. Under
// load it kills, stops and cuts off nodes, replaces and recovers them, and then
// asks of what every client saw, of the ledgers' files and of all nodes whether
// one ledger explains it: nothing lost, nothing twice, nothing invented.
//
// Faults between nodes are made by network namespaces, where the machine allows
// it, and everywhere by a proxy at the addresses that nodes tell each other.
package consortium

import (
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

func TestMain(m *testing.M) { binary.Main(m) }
