package indexer

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/offchain"
	"github.com/coco-consortium/coco/internal/builder/offchain/binding"
	"github.com/coco-consortium/coco/internal/builder/sample"
	"github.com/coco-consortium/coco/internal/builder/workflow"
)

// wordy answers every call with what text says of the contract, or with a number.
type wordy struct {
	ledger.Driver
	text map[common.Address]string
	word string // data of the call that is answered with text
}

func (w wordy) Read(_ context.Context, _ ledger.Ref, calls []ledger.Call) ([]ledger.Result, error) {
	kind, err := abi.NewType("string", "", nil)
	if err != nil {
		return nil, err
	}
	results := make([]ledger.Result, len(calls))
	for i, c := range calls {
		results[i].Data = common.BigToHash(big.NewInt(0)).Bytes()
		if string(c.Data) == w.word {
			if results[i].Data, err = (abi.Arguments{{Type: kind}}).Pack(w.text[c.To]); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// bound is the first sample's contract, and the place of its property of text.
func bound(t *testing.T) (b *binding.Bound, text int) {
	t.Helper()
	s := sample.All[0]
	app, report := workflow.Parse("sample.json", s.Configuration)
	if !report.OK() {
		t.Fatal(report.Errors)
	}
	w := &app.Workflows[0]
	for _, c := range sample.Output(s.Code).Contracts {
		if c.Name != w.Name {
			continue
		}
		of, err := workflow.Bind(app, w.Name, &c)
		if err != nil {
			t.Fatal(err)
		}
		b = &binding.Bound{Binding: of, Workflow: &offchain.Workflow{}}
	}
	text = -1
	for i, p := range w.Properties {
		b.Workflow.Properties = append(b.Workflow.Properties, offchain.Property{ID: i + 1, Name: p.Name})
		if p.Type.Name == "string" {
			text = i
		}
	}
	if text < 0 {
		t.Fatal("the sample has no text")
	}
	return b, text
}

// talkative is a plan of blocks, each of which touched contracts whose text is as
// long as a value may be.
func talkative(b *binding.Bound, blocks, contracts int, long string) (*plan, map[common.Address]string) {
	p, texts := &plan{}, map[common.Address]string{}
	p.facts.Blocks = make([]blockFacts, blocks)
	for n := range blocks {
		t := touches{ref: ledger.Ref{Number: uint64(n)}}
		for c := range contracts {
			x := &target{address: common.BigToAddress(big.NewInt(int64(1 + n*contracts + c))), Bound: b}
			texts[x.address] = long
			t.add(x)
		}
		p.touched = append(p.touched, t)
	}
	return p, texts
}

// A range of blocks with more text than an entry takes is refused, so that it is
// taken in parts; a block alone is taken, and what is too much keeps its older value.
func TestTextIsBounded(t *testing.T) {
	b, text := bound(t)
	const length = 32 << 10
	long := strings.Repeat("w", length)
	driver := wordy{word: string(b.Binding.Reads()[text])}
	log := slog.New(slog.DiscardHandler)

	full := rangeText / length
	for _, c := range []struct {
		name              string
		blocks, contracts int
		refused, unread   bool
	}{
		{name: "what a range may have", blocks: 4, contracts: full/4 - 8},
		{name: "more than a range may have", blocks: 5, contracts: full / 4, refused: true},
		{name: "more than a block may have", blocks: 1, contracts: blockText/length + 7, unread: true},
	} {
		p, texts := talkative(b, c.blocks, c.contracts, long)
		driver.text = texts
		if err := p.snapshots(t.Context(), driver, log); errors.Is(err, errRange) != c.refused || err != nil && !c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, block := range p.facts.Blocks {
			unread := 0
			for _, s := range block.Sets {
				unread += len(s.Unread)
			}
			if n := size(block.Sets); n > blockText || c.unread != (unread > 0) || c.unread && n < blockText-2*length {
				t.Errorf("%s: a block adds %d bytes, %d values keep their older one", c.name, n, unread)
			}
		}
	}
}
