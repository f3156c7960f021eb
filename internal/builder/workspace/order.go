package workspace

import (
	"strings"

	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/problem"
)

// order reads a name of an order: one of those that are known, or nothing. Either a
// leading "-" or the word desc behind it turns it round.
func order(name string, known map[string]offchain.OrderBy) (offchain.Order, error) {
	var o offchain.Order
	words := strings.Fields(strings.ToLower(name))
	if len(words) == 0 {
		return o, nil
	}
	word, turned := strings.CutPrefix(words[0], "-")
	way := strings.Join(words[1:], " ")
	by, ok := known[word]
	if !ok || way != "" && (turned || way != "asc" && way != "desc") {
		return o, problem.New("SORT_UNKNOWN", "the list cannot be sorted so", "use one of the orders of docs/reference/gateway.md")
	}
	return offchain.Order{By: by, Descending: turned || way == "desc"}, nil
}

// listed is a list as the store gives it.
func listed[T any](l offchain.List[T], err error) (List[T], error) {
	return List[T]{Items: l.Rows, Total: l.Total, AtLeast: l.AtLeast, Next: l.More}, err
}
