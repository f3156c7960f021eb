package chain

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
)

// identity is which ledger a node belonged to when it was first asked: the chain
// id and the first block. Development networks share a chain id.
type identity struct {
	sync.Mutex
	chain   *big.Int
	genesis common.Hash
}

// Identify asks a node which ledger it is of and what software it runs. ErrForeign:
// it is another one than before.
func (c *Chain) Identify(ctx context.Context) (chain *big.Int, software string, err error) {
	calls := []client.Request{{Method: "eth_chainId"}, {Method: "web3_clientVersion"}}
	if err := c.Client.Retry(ctx, func(ctx context.Context) error { return c.Client.Batch(ctx, calls) }); err != nil {
		return nil, "", Explain(err)
	}
	if chain, err = Number(&calls[0]); err != nil {
		return nil, "", Explain(err)
	}
	if err := calls[1].Decode(&software); err != nil {
		return nil, "", Explain(err)
	}
	genesis, err := c.Client.HeadAt(ctx, 0)
	if err != nil {
		return nil, "", Explain(err)
	}
	c.known.Lock()
	defer c.known.Unlock()
	switch {
	case c.known.chain == nil:
		c.known.chain, c.known.genesis = chain, genesis.Hash
	case c.known.chain.Cmp(chain) != 0 || c.known.genesis != genesis.Hash:
		return nil, "", ledger.ErrForeign.From(fmt.Errorf("chain id %v, first block %s; before it was %v, %s",
			chain, genesis.Hash, c.known.chain, c.known.genesis))
	}
	return chain, software, nil
}

// ChainID is the chain id, asked for once.
func (c *Chain) ChainID(ctx context.Context) (*big.Int, error) {
	c.known.Lock()
	id := c.known.chain
	c.known.Unlock()
	if id != nil {
		return id, nil
	}
	id, _, err := c.Identify(ctx)
	return id, err
}
