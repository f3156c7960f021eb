package bench_test

import (
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/bench"
)

// TestHistory asks two real servers, which must agree about how many logs there
// are.
func TestHistory(t *testing.T) {
	report, err := bench.History(t.Context(), bench.HistoryOptions{
		Nodes: []bench.Node{{URL: startBare(t)}, {URL: startBare(t), Name: "other"}}, Logs: 2_000, Rounds: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []int{1, 100, 0, 20}
	for i, row := range report.Rows {
		for _, a := range row.Answers {
			if a.Error != "" || i < len(want) && a.Logs != want[i] || i >= len(want) && a.Logs == 0 || a.P50 <= 0 || a.P90 < a.P50 {
				t.Errorf("%s: %+v", row.Question, a)
			}
		}
	}
	var text strings.Builder
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"one in 100, by a topic", "2000 logs", "other"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%s\nlacks %s", text.String(), part)
		}
	}
}

// TestHeads lets every subscriber see every block.
func TestHeads(t *testing.T) {
	report, err := bench.Heads(t.Context(), bench.HeadsOptions{
		Nodes: []bench.Node{{URL: startBare(t)}, {URL: startBare(t), Name: "other"}}, Subscribers: 30, Rate: 50, Rounds: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range report.Sides {
		if s.Blocks == 0 || s.Missing != 0 || s.Delivered != s.Blocks*30 || s.Max < s.P50 {
			t.Errorf("%+v", s)
		}
	}
}
