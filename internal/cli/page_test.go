package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/verify"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	alice  = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
	bob    = common.HexToAddress("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
	garden = common.HexToAddress("0x5FbDB2315678afecb367f032d93F642f64180aa3")
)

// paid is the page of a committed transfer of tokens.
func paid() *page {
	transfer := hexutil.MustDecode("0xa9059cbb00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c80000000000000000000000000000000000000000000000000000000000000019")
	return &page{
		Name: "2.17", Status: "committed", TxID: "2.17",
		Transaction: &transaction{Hash: common.HexToHash("0x01"), From: alice, To: &garden, Nonce: 3, Value: "1500000000000000000", Gas: 60_000, Input: transfer},
		Outcome: &outcome{Succeeded: true, Block: 12, BlockHash: common.HexToHash("0x02"), Index: 1, GasUsed: 51_398,
			Time: time.Date(2026, 5, 4, 3, 2, 1, 5, time.UTC),
			Events: []event{
				{Address: garden, Data: common.BigToHash(common.Big32).Bytes(), Topics: []common.Hash{
					common.HexToHash("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"), common.BytesToHash(alice[:]), common.BytesToHash(bob[:])}},
				{Address: bob, Topics: []common.Hash{common.HexToHash("0x03")}, Data: bytes.Repeat([]byte{7}, 100)},
			}},
		Proof: &pageProof{Trusted: "service.pem", Events: true, proofReport: proofReport{Valid: true, ReceiptReport: &verify.ReceiptReport{
			Service: "00112233445566778899aabbccddeeff", Mode: format.ModeSimulated, Transaction: "2.17", TreeSize: 18, Node: 2}}},
	}
}

func TestPages(t *testing.T) {
	i, err := interfaces([]string{"../../test/contracts/Token.json"})
	if err != nil {
		t.Fatal(err)
	}
	failed := paid()
	failed.Outcome.Succeeded, failed.Outcome.Events = false, nil
	failed.Outcome.Failure = "execution reverted"
	// Error(string) with what would clear a terminal and turn the writing around.
	failed.Outcome.RevertData = hexutil.MustDecode("0x08c379a0" + strings.Repeat("0", 62) + "20" + strings.Repeat("0", 62) + "07" + "1b5b324ae280ae" + strings.Repeat("0", 50))
	failed.Proof.Valid, failed.Proof.Reason, failed.Proof.Trusted = false, "RECEIPT_INVALID: the receipt does not hold", "node"
	exhausted := paid()
	exhausted.Outcome.Succeeded, exhausted.Outcome.Failure, exhausted.Outcome.Events = false, "out of gas", nil
	exhausted.Transaction.To, exhausted.Transaction.Input = nil, bytes.Repeat([]byte{0x60}, 500)
	pending := paid()
	pending.Status, pending.TxID, pending.Outcome, pending.Proof = "pending", "", nil, nil
	for name, p := range map[string]*page{
		"paid": paid(), "failed": failed, "exhausted": exhausted, "pending": pending,
		"refused": {Status: "refused", Reason: "nonce too low"},
		"unknown": {Status: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			p.decode(i)
			var out bytes.Buffer
			if err := p.print(&out); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", out.Bytes())
		})
	}
	var none contract.Interfaces
	p := paid()
	p.decode(none)
	var out bytes.Buffer
	if err := p.print(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "raw.txt", out.Bytes())
}

// golden compares with a file of testdata; -update writes it.
func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s:\n%s\nnot\n%s", name, have, want)
	}
}
