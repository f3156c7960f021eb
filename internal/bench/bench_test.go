package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/coco-consortium/coco/internal/bench"
	"github.com/coco-consortium/coco/internal/bench/bare"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startBare serves the bare server in this process.
func startBare(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- bare.Serve(ctx, l, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// TestEthereum runs every kind of load against two real servers.
func TestEthereum(t *testing.T) {
	var loads []bench.Load
	for _, text := range []string{
		"erc20 http transactions=200",
		"erc20 http batch=30 transactions=400 connections=3",
		"eth ws transactions=200 connections=2",
		"eth ws batch=7 transactions=100",
		"erc20 ws rate=2000 transactions=300",
		"erc20 http batch=10 rate=5000 transactions=300",
		"erc20 http sync transactions=100",
	} {
		l, err := bench.ParseLoad(text)
		if err != nil {
			t.Fatal(err)
		}
		loads = append(loads, l)
	}
	var progress bytes.Buffer
	report, err := bench.Ethereum(t.Context(), bench.Options{
		Nodes:    []bench.Node{{URL: startBare(t)}, {URL: startBare(t), Name: "other"}},
		Loads:    loads,
		Accounts: 20,
		Rounds:   2,
		Progress: &progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != len(loads) {
		t.Fatalf("%d rows for %d loads", len(report.Rows), len(loads))
	}
	for i, row := range report.Rows {
		for _, side := range row.Sides {
			if len(side.Runs) != 2 {
				t.Errorf("%s at %s: %d runs", row.Load, side.Node, len(side.Runs))
			}
			for _, run := range side.Runs {
				want := loads[i].Transactions
				if run.Sent != want || run.Accepted != want || run.Committed != want || len(run.Errors) > 0 {
					t.Errorf("%s at %s: %d sent, %d accepted, %d committed of %d, errors %v", row.Load, side.Node, run.Sent, run.Accepted, run.Committed, want, run.Errors)
				}
				if run.P50 <= 0 || run.P50 > run.P90 || run.P90 > run.P99 || run.P99 > run.Max || run.CommittedPerSecond <= 0 {
					t.Errorf("%s at %s: figures out of order: %+v", row.Load, side.Node, run)
				}
				if (run.Blocks > 0) == row.Load.Sync {
					t.Errorf("%s at %s: %d blocks", row.Load, side.Node, run.Blocks)
				}
			}
		}
	}
	for _, n := range report.Nodes {
		if n.PID != os.Getpid() {
			t.Errorf("%s is process %d, found %d", n.Name, os.Getpid(), n.PID)
		}
	}

	var text, line bytes.Buffer
	if err := errors.Join(report.Text(&text), report.JSON(&line)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"erc20 http batch=30", "bare / other", "committed/s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &text)
		}
	}
	var again bench.Report
	if err := json.Unmarshal(line.Bytes(), &again); err != nil || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("the JSON is not one line that reads back: %v", err)
	} else if again.Rows[1].Load != report.Rows[1].Load {
		t.Errorf("a load reads back as %v", again.Rows[1].Load)
	}
}

func TestProblemsAreNamed(t *testing.T) {
	url := startBare(t)
	load, err := bench.ParseLoad("eth http transactions=1")
	if err != nil {
		t.Fatal(err)
	}
	poor := strings.Repeat("0", 63) + "7"
	for _, c := range []struct {
		node bench.Node
		want error
	}{
		{bench.Node{URL: "http://127.0.0.1:1"}, bench.ErrNode},
		{bench.Node{URL: "ftp://127.0.0.1"}, bench.ErrNode},
		{bench.Node{URL: "::"}, bench.ErrNode},
		{bench.Node{URL: url, WebSocket: "ws://127.0.0.1:1"}, bench.ErrNode},
		{bench.Node{URL: url, Key: poor}, bench.ErrFunds},
		{bench.Node{URL: url, Key: "no key"}, bench.ErrFunds},
	} {
		_, err := bench.Ethereum(t.Context(), bench.Options{Nodes: []bench.Node{c.node}, Loads: []bench.Load{load}, Accounts: 2, Rounds: 1})
		if !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.node, err, c.want)
		}
	}
	_, err = bench.Ethereum(t.Context(), bench.Options{Nodes: []bench.Node{{URL: url}}, Loads: []bench.Load{{Contract: "nft"}}})
	if !errors.Is(err, bench.ErrLoad) {
		t.Errorf("an unknown load: %v", err)
	}
}

func TestSpawn(t *testing.T) {
	n, stop, err := bench.Spawn(t.Context(), "/bin/sh", "-c", `echo '{"rpc":"http://127.0.0.1:9"}'; exec sleep 600`)
	if err != nil {
		t.Fatal(err)
	}
	if n.URL != "http://127.0.0.1:9" || n.PID == 0 {
		t.Errorf("spawned %+v", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, _, err := bench.Spawn(t.Context(), "/bin/sh", "-c", "echo nothing"); !errors.Is(err, bench.ErrNode) {
		t.Errorf("a program without an address: %v", err)
	}
}
