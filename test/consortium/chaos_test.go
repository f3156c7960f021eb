package consortium

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestChaos does to a network, one after the other and at random, whatever these
// tests know to do.
func TestChaos(t *testing.T) {
	onEachWire(t, func(t *testing.T, w wire) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		net := found(t, w, 3)
		l := net.begin(t)
		for range 10 {
			l.more(t, 20+random.IntN(40))
			net.fault(t, random)
		}
		l.more(t, 30)
		l.settle(t)
	})
}

// fault does something to the network, lets it last, and undoes it.
func (net *network) fault(t *testing.T, random *rand.Rand) {
	t.Helper()
	nodes := net.running()
	victim := nodes[random.IntN(len(nodes))]
	if primary, _ := net.leader(); random.IntN(2) == 0 {
		victim = primary
	}
	rest := net.others(victim)
	other := rest[random.IntN(len(rest))]
	lasts := time.Duration(100+random.IntN(1500)) * time.Millisecond
	what := []string{"kill", "pause", "pause two", "isolate", "one way out", "one way in", "pair", "drain"}[random.IntN(8)]
	t.Logf("%s node %d for %s", what, victim.number, lasts)
	switch what {
	case "kill":
		victim.kill()
	case "pause":
		victim.pause()
	case "pause two":
		victim.pause()
		other.pause()
	case "isolate":
		net.isolate(victim)
	case "one way out":
		for _, n := range rest {
			net.cut(victim, n)
		}
	case "one way in":
		for _, n := range rest {
			net.cut(n, victim)
		}
	case "pair":
		net.both(victim, other)
	case "drain":
		net.drain(victim)
		victim.interrupt(t)
	}
	pause(t.Context(), lasts)
	net.heal()
	if !victim.serving() {
		victim.again(t)
	}
}
