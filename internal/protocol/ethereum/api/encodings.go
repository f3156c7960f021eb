package api

import (
	"sync"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
)

// encodings is a block's head, logs and receipts in JSON, each made when the first
// subscriber needs it and shared by all.
type encodings struct {
	block        *ethereum.Block
	headText     once
	logTexts     [][]once // as in the receipts
	receiptTexts []once
	receiptsText once // all in one list
}

// once is a text that is made once.
type once struct {
	sync.Once
	text []byte
}

func (o *once) get(make func() []byte) []byte {
	o.Do(func() { o.text = make() })
	return o.text
}

func encodingsOf(b *chain.News) *encodings { return b.Shared(newEncodings).(*encodings) }

func newEncodings(b *ethereum.Block) any {
	e := &encodings{block: b, receiptTexts: make([]once, len(b.Receipts))}
	e.logTexts = make([][]once, len(b.Receipts))
	for i, r := range b.Receipts {
		e.logTexts[i] = make([]once, len(r.Logs))
	}
	return e
}

func (e *encodings) head() []byte {
	return e.headText.get(func() []byte { return headShape{e.block}.AppendJSON(nil) })
}

// log is a log of the receipt at an index.
func (e *encodings) log(receipt, log int) []byte {
	return e.logTexts[receipt][log].get(func() []byte { return appendLog(nil, e.block.Receipts[receipt].Logs[log]) })
}

// receipt is the receipt at an index.
func (e *encodings) receipt(i int) []byte {
	return e.receiptTexts[i].get(func() []byte { return receiptShape{e.block, i}.AppendJSON(nil) })
}

// receipts is the list of all receipts.
func (e *encodings) receipts() []byte {
	return e.receiptsText.get(func() []byte {
		return appendList(nil, len(e.receiptTexts), func(dst []byte, i int) []byte { return receiptShape{e.block, i}.AppendJSON(dst) })
	})
}
