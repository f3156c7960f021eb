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
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/client"
	"github.com/coco-consortium/coco/internal/builder/ledger"
	"github.com/coco-consortium/coco/internal/builder/ledger/access"
	"github.com/coco-consortium/coco/internal/builder/ledger/coco"
	"github.com/coco-consortium/coco/internal/builder/ledger/ethereum"
)

// Kinds of connection.
const (
	kindCoco     = "coco"
	kindEthereum = "ethereum"
)

const (
	// startPatience is how long a start waits for the ledgers to say which they are.
	// One that does not joins when it does.
	startPatience = 2 * time.Second
	// nodePatience is how long a node is tried again before the next one is, or before
	// its connection waits; nodeTimeout for how long one of several may not answer.
	nodePatience = 500 * time.Millisecond
	nodeTimeout  = 10 * time.Second
)

// way is a connection of the configuration, and the way to its ledger.
type way struct {
	Connection
	ledger   *access.Ledger
	identity access.Identity // zero: it does not answer
	err      error           // why not
	service  []byte
	funding  string
}

// connect makes the way to each configured ledger and the row that it has in the
// store. It gives the pinned service of each and the id of the first.
func (b *Builder) connect(ctx context.Context) (services map[int][]byte, first int, err error) {
	ways, err := dial(b.config)
	if err != nil {
		return nil, 0, err
	}
	var group sync.WaitGroup
	for i := range ways {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, startPatience)
			defer cancel()
			ways[i].identity, ways[i].err = ways[i].ledger.Identify(ctx)
		})
	}
	group.Wait()
	services = map[int][]byte{}
	for i := range ways {
		id, err := b.join(ctx, &ways[i])
		if err != nil {
			for _, w := range ways[i:] {
				w.ledger.Close()
			}
			return nil, 0, err
		}
		b.drivers[id], services[id] = ways[i].ledger, ways[i].service
		first = cmp.Or(first, id)
	}
	return services, first, nil
}

// dial makes the ways of a configuration. It connects to none.
func dial(c Config) (ways []way, err error) {
	if len(c.Connections) == 0 {
		return nil, ErrConfig.From(errors.New("no ledger is named: give --rpc or connections"))
	}
	defer func() {
		if err != nil {
			for _, w := range ways {
				w.ledger.Close()
			}
		}
	}()
	for _, connection := range c.Connections {
		if len(connection.RPC) == 0 {
			return ways, ErrConfig.From(errors.New("a connection names no node: give its rpc"))
		}
		w := way{Connection: connection}
		o := client.Options{Patience: nodePatience}
		if len(w.RPC) > 1 {
			o.Timeout = nodeTimeout
		}
		open, err := w.opener(o)
		if err != nil {
			return ways, err
		}
		var nodes []access.Open
		for _, address := range w.RPC {
			nodes = append(nodes, func() (ledger.Driver, error) { return open(address) })
		}
		if w.ledger, err = access.New(access.Options{Nodes: nodes, Log: c.Logger}); err != nil {
			return ways, err
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// opener makes drivers of the connection's kind.
func (w *way) opener(o client.Options) (open func(address string) (ledger.Driver, error), err error) {
	if w.Service != "" {
		if o.Service, err = os.ReadFile(w.Service); err != nil {
			return nil, ErrConfig.From(err)
		}
	}
	switch cmp.Or(w.Kind, kindCoco) {
	case kindCoco:
		w.service = o.Service
		return func(address string) (ledger.Driver, error) { return coco.Open(address, o) }, nil
	case kindEthereum:
		var funder *ecdsa.PrivateKey
		if w.Funding != "" {
			text, err := os.ReadFile(w.Funding)
			if err != nil {
				return nil, ErrConfig.From(err)
			}
			if funder, err = crypto.HexToECDSA(strings.TrimPrefix(string(bytes.TrimSpace(text)), "0x")); err != nil {
				return nil, ErrConfig.From(fmt.Errorf("%s holds no private key in hexadecimal", w.Funding))
			}
			w.funding = crypto.PubkeyToAddress(funder.PublicKey).Hex()
		}
		return func(address string) (ledger.Driver, error) {
			return ethereum.Open(address, ethereum.Options{Options: o, Funder: funder, Confirmations: w.Confirmations})
		}, nil
	}
	return nil, ErrConfig.From(fmt.Errorf("a connection's kind is %s or %s, not %q", kindCoco, kindEthereum, w.Kind))
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
