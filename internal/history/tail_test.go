package history

import "testing"

// TestTailLimit: what a limited question takes from the tail does not grow with it.
func TestTailLimit(t *testing.T) {
	term := []byte("hot")
	for _, reverse := range []bool{false, true} {
		var taken [2]float64
		for i, blocks := range []uint64{100, 10_000} {
			tl := newTail(nil)
			for height := range blocks {
				tl.add(height, 0, []Entry{{Term: term, Position: 1, Value: []byte{1}}, {Term: term, Value: make([]byte, 100)}}, nil)
			}
			v := tl.view(term)
			taken[i] = testing.AllocsPerRun(3, func() {
				found := v.find(10, blocks, 3, reverse)
				first, second := Found{Height: 10}, Found{Height: 10, Position: 1}
				if reverse {
					first, second = Found{Height: blocks - 1, Position: 1}, Found{Height: blocks - 1}
				}
				if len(found) != 3 || found[0].Height != first.Height || found[0].Position != first.Position ||
					found[1].Height != second.Height || found[1].Position != second.Position {
					t.Errorf("reverse %v: %v", reverse, found)
				}
			})
		}
		if taken[1] != taken[0] {
			t.Errorf("reverse %v: %v allocations of 100 blocks, %v of 10000", reverse, taken[0], taken[1])
		}
	}
}
