package workspace

import (
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// order reads a name of an order: one of those that are known, or nothing. A
// leading "-", or " desc" behind it, turns it round.
func order(name string, known map[string]offchain.OrderBy) (offchain.Order, error) {
	var o offchain.Order
	word := strings.ToLower(strings.TrimSpace(name))
	if word == "" {
		return o, nil
	}
	if rest, ok := strings.CutPrefix(word, "-"); ok {
		word, o.Descending = rest, true
	}
	if rest, ok := strings.CutSuffix(word, " desc"); ok {
		word, o.Descending = rest, true
	}
	word = strings.TrimSuffix(word, " asc")
	by, ok := known[strings.TrimSpace(word)]
	if !ok {
		return o, problem.New("SORT_UNKNOWN", "the list cannot be sorted so", "use one of the orders of docs/reference/gateway.md")
	}
	o.By = by
	return o, nil
}

// listed is a list as the store gives it.
func listed[T any](l offchain.List[T], err error) (List[T], error) {
	return List[T]{Items: l.Rows, Total: l.Total, AtLeast: l.AtLeast, Next: l.More}, err
}
