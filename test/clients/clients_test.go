// Package clients lets the Ethereum clients that people use, as their makers
// publish them, tell one story each to the real coco: deploy a token, transfer,
// wait, read, find events, be told of events, read the reason of a revert, send
// forty transactions of one account at once, and take a receipt home that is then
// verified without the node. The stories are the .mjs files beside this one; their
// versions are pinned in package-lock.json.
package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/npm"
)

func TestMain(m *testing.M) { binary.Main(m) }

// story lists the steps that every client must tell, in order.
var story = []string{
	"chain", "deploy", "transfer", "read", "events", "revert reason", "subscription",
	"forty in parallel", "send and wait in one call", "receipt",
}

func TestClients(t *testing.T) {
	npm.Install(t, ".")
	data := filepath.Join(t.TempDir(), "data")
	node := binary.Start(t, "--data", data)
	if len(node.Accounts) < 8 {
		t.Fatalf("%d accounts, not 8 or more", len(node.Accounts))
	}

	receipts := map[string]string{}
	for i, client := range []string{"ethers", "viem", "web3", "cast"} {
		receipts[client] = filepath.Join(t.TempDir(), client+".json")
		t.Run(client, func(t *testing.T) {
			tell(t, node, client, story, node.Accounts[2*i:2*i+2], receipts[client])
		})
	}
	if code := node.Stop(t); code != 0 {
		t.Errorf("the node ended with %d", code)
	}

	// What the clients took home holds without the node.
	for client, receipt := range receipts {
		t.Run(client+" verifies its receipt", func(t *testing.T) {
			r := binary.Run(t, t.TempDir(), "receipt", "verify", receipt, "--service", filepath.Join(data, "service.pem"))
			if r.Code != 0 {
				t.Errorf("coco receipt verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
	t.Run("the ledger verifies", func(t *testing.T) {
		if r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code != 0 {
			t.Errorf("coco ledger verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
		}
	})
}

// TestNonces lets clients do what users of geth do with nonces.
func TestNonces(t *testing.T) {
	npm.Install(t, ".")
	node := binary.Start(t, "--data", filepath.Join(t.TempDir(), "data"))
	tell(t, node, "nonces", []string{
		"a gap waits and is filled", "a waiting transaction is replaced for a tenth more", "a waiting transaction is cancelled",
		"a used nonce is too low, a distant one too high", "two senders of one account",
	}, node.Accounts[:2], "")
}

// tell runs a client's story and makes every step of it a test.
func tell(t *testing.T, node *binary.Node, client string, story []string, accounts []binary.Account, receipt string) {
	who, err := json.Marshal(accounts)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "node", client+".mjs")
	c.Env = append(os.Environ(), "COCO_RPC="+node.RPC, "COCO_WS="+node.WS, fmt.Sprintf("COCO_CHAIN_ID=%d", node.ChainID),
		"COCO_ACCOUNTS="+string(who), "COCO_RECEIPT="+receipt)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err = c.Run()
	var told []string
	for line := range strings.Lines(stdout.String()) {
		if step, ok := strings.CutPrefix(strings.TrimSpace(line), "ok "); ok {
			told = append(told, step)
		}
	}
	for i, step := range story {
		t.Run(step, func(t *testing.T) {
			switch {
			case slices.Contains(told, step):
			case i == len(told):
				t.Errorf("%v\n%s", err, stderr.String())
			default:
				t.Error("not reached")
			}
		})
	}
	if err != nil && len(told) == len(story) {
		t.Errorf("the story ended badly: %v\n%s", err, stderr.String())
	}
}

// TestContractsAreCompiled compares the compiled contracts with their source.
func TestContractsAreCompiled(t *testing.T) {
	dir := filepath.Join("..", "contracts")
	npm.Install(t, dir)
	c := exec.CommandContext(t.Context(), "node", "compile.mjs", "--check")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
