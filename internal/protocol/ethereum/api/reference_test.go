package api

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// The reference lists the methods that there are, with what they may reveal, and
// those that are refused.
func TestReferenceListsEveryMethod(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/reference/json-rpc.md")
	if err != nil {
		t.Fatal(err)
	}
	listed, missing, ok := strings.Cut(string(text), "\n## Refused methods\n")
	if !ok {
		t.Fatal("no section of refused methods")
	}
	d := jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	New(Config{ChainID: 1}).Register(d)
	compareNames(t, "registered", rows(t, listed, 3), d.Methods())
	missing, _, _ = strings.Cut(missing, "\n## ")
	var names []string
	for _, r := range refused {
		names = append(names, r.name)
		if slices.Contains(d.Methods(), r.name) {
			t.Errorf("%s is both refused and there", r.name)
		}
	}
	compareNames(t, "refused", rows(t, missing, 2), names)
}

// rows gives the names of methods and, with * at the end, of namespaces in the
// first cells of a table.
func rows(t *testing.T, text string, cells int) (names []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| `[a-z0-9]+_.*$").FindAllString(text, -1) {
		if n := strings.Count(row, " |"); n != cells {
			t.Errorf("%d cells, want %d: %s", n, cells, row)
		}
		cell, _, _ := strings.Cut(row[2:], "|")
		for _, name := range regexp.MustCompile("`([a-z0-9]+_[A-Za-z0-9_]*)\\*?`").FindAllStringSubmatch(cell, -1) {
			names = append(names, name[1])
		}
	}
	return names
}

func compareNames(t *testing.T, what string, listed, got []string) {
	t.Helper()
	slices.Sort(listed)
	slices.Sort(got)
	for _, name := range listed {
		if !slices.Contains(got, name) {
			t.Errorf("%s is listed and not %s", name, what)
		}
	}
	for _, name := range got {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is %s and not listed", name, what)
		}
	}
	if len(listed) != len(slices.Compact(slices.Clone(listed))) {
		t.Errorf("something is listed twice: %v", listed)
	}
}
