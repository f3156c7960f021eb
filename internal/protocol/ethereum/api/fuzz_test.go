package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/coco-consortium/coco/internal/disk/crash"
	"github.com/coco-consortium/coco/internal/history"
	"github.com/coco-consortium/coco/internal/protocol/ethereum"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/chain"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/ethereumtest"
	"github.com/coco-consortium/coco/internal/protocol/ethereum/pool"
	"github.com/coco-consortium/coco/internal/sequencer"
	"github.com/coco-consortium/coco/internal/server/jsonrpc"
)

// FuzzMethods puts parameters from outside into every method: none crashes, and
// every answer is JSON.
func FuzzMethods(f *testing.F) {
	l := ethereumtest.New(f)
	index, err := history.Open("index", history.Options{FS: crash.New(), Key: func(uint64) ([32]byte, error) { return [32]byte{1}, nil }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { index.Close() })
	c, err := chain.Open(f.Context(), l, index, 0)
	if err != nil {
		f.Fatal(err)
	}
	d := jsonrpc.New(jsonrpc.Limits{CallTime: time.Second}, nil, slog.New(slog.DiscardHandler))
	New(Config{
		ChainID: ethereum.DevelopmentChainID, Chain: c, Store: l.Store, Past: history.NewPast(l.Store), Machine: l.Machine, Service: &world{txs: map[sequencer.TxID]bool{}}, Now: time.Now,
		Pool: pool.New(pool.Config{
			Now:     time.Now,
			Account: func(common.Address) (uint64, uint256.Int) { return 0, uint256.Int{} },
			Submit:  func(*sequencer.Request) (pool.Ticket, error) { return nil, sequencer.ErrBusy },
		}),
	}).Register(d)
	names := d.Methods()
	for _, params := range []string{
		`[]`, `["0x"]`, `["latest",true]`, `["0x1","0x0"]`, `[null,null]`,
		`["0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","pending"]`,
		`["0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","0x0",{"blockHash":"0x0000000000000000000000000000000000000000000000000000000000000000"}]`,
		`[{"to":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","data":"0x","value":"0x1","gas":"0x5208","accessList":[]},"latest"]`,
		`[{"input":"0x5b600056","gas":"0x5300","authorizationList":[{"chainId":"0x1"}]}]`,
		`[{"fromBlock":"earliest","toBlock":"0x0","address":["0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"],"topics":[null,[null],["0x0000000000000000000000000000000000000000000000000000000000000000"]]}]`,
		`["0x2","latest",[1,99.5]]`, `["logs",{"topics":[]}]`, `["2.7","cose"]`, `["0x02f8","0x10"]`,
	} {
		for i := range names {
			f.Add(uint8(i), []byte(params))
		}
	}
	f.Fuzz(func(t *testing.T, method uint8, params []byte) {
		request := append([]byte(`{"jsonrpc":"2.0","id":1,"method":"`+names[int(method)%len(names)]+`","params":`), params...)
		request = append(request, '}')
		response := d.Serve(t.Context(), request, nil)
		if !json.Valid(response) {
			t.Fatalf("%s\n%s", request, response)
		}
		if bytes.Contains(response, []byte("crashed")) {
			t.Fatalf("%s crashes", request)
		}
	})
}
