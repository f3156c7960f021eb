package chain

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// A matcher says of a log what going through the filter's lists says.
func TestMatcher(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hash := func() (h common.Hash) {
		binary.BigEndian.PutUint64(h[r.IntN(2)*24:], r.Uint64N(12))
		return h
	}
	list := func(n int) (hashes []common.Hash) {
		for range r.IntN(n) {
			hashes = append(hashes, hash())
		}
		return hashes
	}
	matched := 0
	for range 20_000 {
		f := Filter{}
		for _, h := range list(20) {
			f.Addresses = append(f.Addresses, common.BytesToAddress(h[:]))
		}
		for range r.IntN(4) {
			f.Topics = append(f.Topics, list(20))
		}
		h := hash()
		l := &types.Log{Address: common.BytesToAddress(h[:]), Topics: list(5)}
		want := len(f.Topics) <= len(l.Topics) && (len(f.Addresses) == 0 || slices.Contains(f.Addresses, l.Address))
		for i := 0; want && i < len(f.Topics); i++ {
			want = len(f.Topics[i]) == 0 || slices.Contains(f.Topics[i], l.Topics[i])
		}
		if got := f.Matcher().Matches(l); got != want {
			t.Fatalf("%+v matches %+v: %v", f, l, got)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 || matched > 19_000 {
		t.Errorf("%d of 20000 match, which shows little", matched)
	}
}
