package builder

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
	"github.com/coco-consortium/coco/internal/builder/ledger/ethereum"
	"github.com/coco-consortium/coco/internal/builder/offchain"
)

// Kinds of connection.
const (
	kindCoco     = "coco"
	kindEthereum = "ethereum"
)

// connect makes a driver for each configured ledger and the row that it has in
// the store: that of before, when it is the same ledger, else a new one. It gives
// the pinned service of each and the id of the first.
func (b *Builder) connect(ctx context.Context) (services map[int][]byte, first int, err error) {
	if len(b.config.Connections) == 0 {
		return nil, 0, ErrConfig.From(errors.New("no ledger is named: give --rpc or connections"))
	}
	known, err := b.store.Connections(ctx)
	if err != nil {
		return nil, 0, err
	}
	services = map[int][]byte{}
	for _, c := range b.config.Connections {
		driver, service, funding, err := dial(c)
		if err != nil {
			return nil, 0, err
		}
		id, err := b.connection(ctx, c, driver, funding, known)
		if err == nil && b.drivers[id] != nil {
			err = ErrConfig.From(fmt.Errorf("%s is the same ledger as another connection", c.RPC))
		}
		if err != nil {
			driver.Close()
			return nil, 0, err
		}
		b.drivers[id], services[id] = driver, service
		first = cmp.Or(first, id)
	}
	return services, first, nil
}

// connection finds or makes the row of a ledger. One that is down now is known by
// its address, if it was ever seen.
func (b *Builder) connection(ctx context.Context, c Connection, driver ledger.Driver, funding string, known []offchain.Connection) (int, error) {
	chain, genesis, err := identify(ctx, driver)
	if err != nil {
		for _, k := range known {
			if k.Endpoint == c.RPC {
				b.config.Logger.Warn("a ledger does not answer; it is tried again", "connection", k.ID, "err", err)
				return k.ID, nil
			}
		}
		return 0, err
	}
	for _, k := range known {
		if k.ChainID != chain || k.Genesis != genesis {
			continue
		}
		if k.Endpoint != c.RPC {
			_, err = b.store.Do(ctx, &offchain.ConnectionChanged{ID: k.ID, Endpoint: c.RPC})
		}
		return k.ID, err
	}
	a, err := b.store.Do(ctx, &offchain.ConnectionAdded{LedgerID: 1, Endpoint: c.RPC, Kind: cmp.Or(c.Kind, kindCoco), FundingAccount: funding,
		ChainID: chain, Genesis: genesis, First: c.From})
	return a.ID, err
}

// identify tells one ledger from another: by chain id and first block.
func identify(ctx context.Context, driver ledger.Driver) (chain uint64, genesis common.Hash, err error) {
	info, err := driver.Info(ctx)
	if err != nil {
		return 0, genesis, err
	}
	blocks, err := driver.Blocks(ctx, 0, 1)
	if err != nil {
		return 0, genesis, err
	}
	if len(blocks) == 0 || !info.ChainID.IsUint64() {
		return 0, genesis, ledger.ErrAnswer
	}
	return info.ChainID.Uint64(), blocks[0].Hash, nil
}

// dial makes the driver of a connection.
func dial(c Connection) (driver ledger.Driver, service []byte, funding string, err error) {
	o := client.Options{}
	if c.Service != "" {
		if service, err = os.ReadFile(c.Service); err != nil {
			return nil, nil, "", ErrConfig.From(err)
		}
		o.Service = service
	}
	switch cmp.Or(c.Kind, kindCoco) {
	case kindCoco:
		driver, err = coco.Open(c.RPC, o)
		return driver, service, "", err
	case kindEthereum:
		var funder *ecdsa.PrivateKey
		if c.Funding != "" {
			text, err := os.ReadFile(c.Funding)
			if err != nil {
				return nil, nil, "", ErrConfig.From(err)
			}
			if funder, err = crypto.HexToECDSA(strings.TrimPrefix(string(bytes.TrimSpace(text)), "0x")); err != nil {
				return nil, nil, "", ErrConfig.From(fmt.Errorf("%s holds no private key in hexadecimal", c.Funding))
			}
			funding = crypto.PubkeyToAddress(funder.PublicKey).Hex()
		}
		driver, err = ethereum.Open(c.RPC, ethereum.Options{Options: o, Funder: funder})
		return driver, nil, funding, err
	}
	return nil, nil, "", ErrConfig.From(fmt.Errorf("a connection's kind is %s or %s, not %q", kindCoco, kindEthereum, c.Kind))
}

// databaseName is the database without its password.
func databaseName(c *Config) string {
	if c.Database == "" {
		return "sqlite"
	}
	u, err := url.Parse(c.Database)
	if err != nil || u.Host == "" {
		return "postgres"
	}
	return u.Redacted()
}
