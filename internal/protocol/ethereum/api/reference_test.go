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

// The reference lists the methods that there are.
func TestReferenceListsEveryMethod(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/reference/json-rpc.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `[a-z0-9]+_.*$").FindAllString(string(text), -1) {
		cell, _, _ := strings.Cut(row[2:], "|")
		for _, name := range regexp.MustCompile("`([a-z0-9]+_[A-Za-z0-9]+)`").FindAllStringSubmatch(cell, -1) {
			listed = append(listed, name[1])
		}
	}
	slices.Sort(listed)
	d := jsonrpc.New(jsonrpc.Limits{}, nil, slog.New(slog.DiscardHandler))
	New(Config{ChainID: 1}).Register(d)
	if registered := d.Methods(); !slices.Equal(listed, registered) {
		t.Errorf("listed     %v\nregistered %v", listed, registered)
	}
}
