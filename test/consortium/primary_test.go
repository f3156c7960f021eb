package consortium

import "testing"

// TestKillPrimary kills the primary under load, again and again. Another leads in
// a higher view; the killed one comes back as a new node.
func TestKillPrimary(t *testing.T) {
	t.Parallel()
	net := found(t, newProxies(t), 3)
	l := net.begin(t)
	for range 3 {
		l.more(t, 50)
		primary, view := net.leader()
		primary.kill()
		next, higher := net.leader()
		if next == primary || higher <= view {
			t.Errorf("node %d leads in view %d after node %d in view %d", next.number, higher, primary.number, view)
		}
		l.more(t, 20)
		primary.again(t)
	}
	l.more(t, 50)
	l.settle(t)
}
