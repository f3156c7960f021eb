package sequencer

import (
	"github.com/coco-consortium/coco/internal/kv"
	"github.com/coco-consortium/coco/internal/ledger/envelope"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Apply publishes a block's write set without executing anything: what backups
// and a starting node do.
func Apply(store *kv.Store, b *envelope.Block) error {
	var writes []kv.Write
	for i := range b.Records {
		r := &b.Records[i]
		for _, list := range [][]format.Write{r.Public, r.Private.Writes} {
			w, err := Writes(store, list)
			if err != nil {
				return err
			}
			writes = append(writes, w...)
		}
	}
	return store.Apply(b.Header.Height, writes)
}
