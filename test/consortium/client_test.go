package consortium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// patience is how long a client waits for one answer before it turns to another
// node, and longer when there is no other to turn to. Neither decides whether a
// test passes.
const (
	patience = 2 * time.Second
	longer   = 20 * time.Second
)

// clients keeps a connection to every node.
type clients struct {
	mu  sync.Mutex
	all map[string]*rpc.Client
}

var dialled = clients{all: map[string]*rpc.Client{}}

func (c *clients) to(url string) *rpc.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.all[url]; have != nil {
		return have
	}
	made, err := rpc.DialOptions(context.Background(), url, rpc.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 5 * time.Second}}))
	if err != nil {
		panic(err) // the URL is ours
	}
	c.all[url] = made
	return made
}

// call asks a node and waits patiently.
func (n *node) call(ctx context.Context, result any, method string, args ...any) error {
	return n.ask(ctx, "", result, method, args...)
}

func (n *node) ask(ctx context.Context, how string, result any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, longer)
	defer cancel()
	return dialled.to("http://"+n.place.client+how).CallContext(ctx, result, method, args...)
}

// register reads a register of the last block, by whichever way of asking.
func (n *node) register(ctx context.Context, how string, contract common.Address, key uint64) (uint64, error) {
	var value hexutil.Bytes
	if err := n.ask(ctx, how, &value, "eth_getStorageAt", contract, hexutil.Bytes(word(key)), "latest"); err != nil {
		return 0, err
	}
	if len(value) != 32 {
		return 0, fmt.Errorf("a register of %d bytes", len(value))
	}
	e := entry{Topics: []common.Hash{{}}, Data: append(value, make([]byte, 32)...)}
	_, old, _ := e.swapped()
	return old, nil
}

// standing is what a node says of a transaction.
type standing struct {
	Status string `json:"status"`
	TxID   string `json:"txId"`
}

// codeOf is the code of a problem in a JSON-RPC error, or "".
func codeOf(err error) string {
	var with rpc.DataError
	if !errors.As(err, &with) {
		return ""
	}
	text, err := json.Marshal(with.ErrorData())
	if err != nil {
		return ""
	}
	var data struct{ Code string }
	json.Unmarshal(text, &data)
	return data.Code
}
