package evm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/vm"

	"github.com/coco-consortium/coco/internal/kv"
)

// codeCacheSize is the memory that cached contract code may take, in bytes.
const codeCacheSize = 64 << 20

// codeCache holds code by its hash, and what the interpreter found out about it
// (where its jump destinations are). Both are functions of the hash alone, so a
// rollback of state does not concern them. It is safe for concurrent use.
type codeCache struct {
	codes *lru.SizeConstrainedCache[common.Hash, []byte]
	jumps vm.JumpDestCache
}

func newCodeCache() *codeCache {
	return &codeCache{
		codes: lru.NewSizeConstrainedCache[common.Hash, []byte](codeCacheSize),
		jumps: core.NewJumpDestCache(),
	}
}

// get gives the code of the given hash, from the cache or from the state; nil
// when the state does not have it. Code that is only assumed is not cached: any
// call may bring as much of it as it likes.
func (c *codeCache) get(r kv.Reader, table kv.TableID, hash common.Hash) []byte {
	if code, ok := c.codes.Get(hash); ok {
		return code
	}
	for o, ok := r.(*Overlay); ok; o, ok = r.(*Overlay) {
		if code, assumed := o.changed(table, hash[:]); assumed {
			return code
		}
		r = o.below
	}
	return c.read(r, table, hash)
}

func (c *codeCache) read(r kv.Reader, table kv.TableID, hash common.Hash) []byte {
	code, ok := r.Get(table, hash[:])
	if ok {
		c.codes.Add(hash, code)
	}
	return code
}

// deployed caches code that a transaction deploys.
func (c *codeCache) deployed(s Sink, hash common.Hash, code []byte) {
	if _, assumed := s.(*Overlay); !assumed {
		c.codes.Add(hash, code)
	}
}
