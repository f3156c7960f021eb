package process

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/test/binary"
)

// TestWebOrigins asks a node as browsers do for pages, with and without what
// --allow-origin and --allow-host open.
func TestWebOrigins(t *testing.T) {
	const page, name = "http://app.example:5173", "node.example"
	closed := binary.Start(t, "--ephemeral")
	open := binary.Start(t, "--ephemeral", "--allow-origin", page, "--allow-host", name)
	any := binary.Start(t, "--ephemeral", "--allow-origin", "*", "--allow-host", "*")
	for _, c := range []struct {
		node         *binary.Node
		origin, host string
		status       int
		reads        bool // the browser lets the page read the answer
	}{
		{closed, page, "localhost", 200, false},
		{closed, "", name, 403, false},
		{open, page, "localhost", 200, true},
		{open, page, name, 200, true},
		{open, "http://app.example", "localhost", 200, false},
		{open, "https://app.example:5173", "localhost", 200, false},
		{open, page, "evil.example", 403, false},
		{any, "https://evil.example", "evil.example", 200, true},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.node.RPC, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = c.host
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Origin", c.origin)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		reads := response.Header.Get("Access-Control-Allow-Origin") == c.origin && c.origin != ""
		if response.StatusCode != c.status || reads != c.reads {
			t.Errorf("a page of %q at %q: status %d, read %v", c.origin, c.host, response.StatusCode, reads)
		}
		if c.status != 200 {
			continue
		}
		socket, response, err := websocket.Dial(t.Context(), c.node.WS, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {c.origin}}})
		if (err == nil) != c.reads {
			t.Errorf("a WebSocket of a page of %q: %v, %v", c.origin, response, err)
		}
		if err == nil {
			socket.CloseNow()
		}
	}
}

// TestWhatMetaMaskAsks calls what docs/how-to/metamask.md says that MetaMask asks.
func TestWhatMetaMaskAsks(t *testing.T) {
	n := binary.Start(t, "--ephemeral")
	client := n.Dial(t)
	s := senders(t, n, client)[0]
	paid := s.must(t, client, &common.Address{1}, 1, nil)
	raw, _ := s.sign(&common.Address{1}, 1, nil)
	message := map[string]any{"from": s.address, "to": common.Address{1}, "value": "0x1"}
	for _, ask := range []struct {
		method string
		params []any
	}{
		{"eth_chainId", nil}, {"net_version", nil}, {"eth_blockNumber", nil}, {"eth_gasPrice", nil},
		{"eth_getBlockByNumber", []any{"latest", false}},
		{"eth_getBalance", []any{s.address, "latest"}},
		{"eth_call", []any{message, "latest"}},
		{"eth_getCode", []any{s.address, "latest"}},
		{"eth_feeHistory", []any{"0x5", "latest", []int{10, 50, 95}}},
		{"eth_estimateGas", []any{message}},
		{"eth_getTransactionCount", []any{s.address, "pending"}},
		{"eth_sendRawTransaction", []any{raw}},
		{"eth_getTransactionByHash", []any{paid.TransactionHash}},
		{"eth_getTransactionReceipt", []any{paid.TransactionHash}},
	} {
		var result any
		if err := client.CallContext(t.Context(), &result, ask.method, ask.params...); err != nil || result == nil {
			t.Errorf("%s: %v, %v", ask.method, result, err)
		}
	}
}
