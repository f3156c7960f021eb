package api

import (
	"sync"

	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
)

// encodings is a block's head and logs in JSON, each made when the first
// subscriber needs it and shared by all.
type encodings struct {
	block    *ethereum.Block
	headText once
	logTexts [][]once // as in the receipts
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
	e := &encodings{block: b}
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
