package chain

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// Matcher is what a filter names, put in order once: what a log then costs grows
// hardly with how much that is.
type Matcher struct {
	addresses []common.Address
	topics    [][]common.Hash
}

// Matcher makes one of the filter's addresses and topics, which it copies.
func (f *Filter) Matcher() *Matcher {
	m := &Matcher{addresses: ordered(f.Addresses, common.Address.Cmp)}
	for _, topics := range f.Topics {
		m.topics = append(m.topics, ordered(topics, common.Hash.Cmp))
	}
	return m
}

// Matches reports whether a log passes, whatever its block.
func (m *Matcher) Matches(l *types.Log) bool {
	if len(m.topics) > len(l.Topics) || !passes(m.addresses, l.Address, common.Address.Cmp) {
		return false
	}
	for i, topics := range m.topics {
		if !passes(topics, l.Topics[i], common.Hash.Cmp) {
			return false
		}
	}
	return true
}

func ordered[T comparable](list []T, compare func(T, T) int) []T {
	list = slices.Clone(list)
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// passes reports whether a value is in a list that is in order; an empty list
// lets everything pass.
func passes[T any](list []T, value T, compare func(T, T) int) bool {
	_, found := slices.BinarySearchFunc(list, value, compare)
	return found || len(list) == 0
}
