package simulation

import "time"

// network carries messages between machines. It loses, delays, reorders and
// repeats them; a way between two machines may be cut in one direction alone.
type network struct {
	world   *world
	cut     [][]bool // cut[from][to]
	loss    float64
	repeat  float64
	late    float64       // share of messages that take up to lateBy
	lateBy  time.Duration //
	slowest []time.Duration
}

func newNetwork(w *world, machines int) *network {
	n := &network{world: w, slowest: make([]time.Duration, machines)}
	for range machines {
		n.cut = append(n.cut, make([]bool, machines))
	}
	return n
}

// heal makes the network a good one.
func (n *network) heal() {
	for _, row := range n.cut {
		clear(row)
	}
	clear(n.slowest)
	n.loss, n.repeat, n.late, n.lateBy = 0, 0, 0, 0
}

// reaches reports whether a conversation is possible both ways.
func (n *network) reaches(a, b int) bool { return !n.cut[a][b] && !n.cut[b][a] }

// send carries a message: deliver is called when it arrives, never, or twice.
func (n *network) send(from, to int, deliver func()) {
	r := n.world.random
	copies := 1
	if r.Float64() < n.repeat {
		copies = 2
	}
	for range copies {
		wait := 50*time.Microsecond + time.Duration(r.Int64N(int64(400*time.Microsecond)))
		if n.late > 0 && r.Float64() < n.late {
			wait += time.Duration(r.Int64N(int64(n.lateBy) + 1))
		}
		if slow := n.slowest[from] + n.slowest[to]; slow > 0 {
			wait += time.Duration(r.Int64N(int64(slow)))
		}
		if n.cut[from][to] || r.Float64() < n.loss {
			n.world.stats.Lost++
			continue
		}
		n.world.after(wait, func() {
			if n.cut[from][to] {
				n.world.stats.Lost++
				return
			}
			deliver()
		})
	}
}
