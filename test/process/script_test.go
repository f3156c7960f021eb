package process

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
)

// TestScripts runs testdata/*.txtar. Beside testscript's own commands there are
//
//	exits CODE ARG...  runs coco with ARGs to its end with CODE
//	node start DIR     starts a node on DIR; its addresses are $RPC and $WS
//	node stop|kill     ends it
//	transfer NAME      commits a transfer; its hash is $NAME
//	token              creates a token; its address is $TOKEN, the creation's hash $CREATED
//	invoke NAME METHOD ARG...  commits a call of the token, whatever comes of it; its hash is $NAME
//	flip FILE PART     flips a bit at PART (such as 0.5) of what is written in FILE
//	cut FILE BYTES     takes the last BYTES off what is written in FILE
//
// FILE may be a pattern that only one file matches.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			abi, err := filepath.Abs(filepath.Join("..", "contracts", "Token.json"))
			if err != nil {
				return err
			}
			env.Setenv("ABI", abi) // of the token
			env.Setenv("PATH", filepath.Dir(binary.Path())+string(os.PathListSeparator)+env.Getenv("PATH"))
			p := &play{}
			env.Values[playKey{}] = p
			env.Defer(func() {
				if p.node != nil {
					p.node.End(syscall.SIGKILL)
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "node": runNode, "transfer": transfer, "token": token, "invoke": invoke, "flip": flip, "cut": cut,
		},
	})
}

// play is what a script's own commands remember.
type play struct{ node *binary.Node }

type playKey struct{}

func current(ts *testscript.TestScript) *play { return ts.Value(playKey{}).(*play) }

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec("coco", args[1:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("coco ended with %d, not %d", got, want)
	}
}

func runNode(ts *testscript.TestScript, neg bool, args []string) {
	p := current(ts)
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: node start DIR|stop|kill")
	case args[0] == "start" && len(args) == 2:
		cmd := exec.Command(binary.Path(), "start", "--json", "--portal", "off", "--rpc", "127.0.0.1:0", "--data", ts.MkAbs(args[1]))
		n, err := binary.Launch(cmd)
		ts.Check(err)
		p.node = n
		ts.Setenv("RPC", n.RPC)
		ts.Setenv("WS", n.WS)
	case p.node == nil:
		ts.Fatalf("no node runs")
	case args[0] == "stop":
		code, err := p.node.End(syscall.SIGINT)
		ts.Check(err)
		if code != 0 {
			ts.Fatalf("the node ended with %d:\n%s", code, p.node.Stderr())
		}
	case args[0] == "kill":
		_, err := p.node.End(syscall.SIGKILL)
		ts.Check(err)
	default:
		ts.Fatalf("usage: node start DIR|stop|kill")
	}
}

func transfer(ts *testscript.TestScript, neg bool, args []string) {
	p := current(ts)
	if neg || len(args) != 1 || p.node == nil {
		ts.Fatalf("usage: transfer NAME, with a node")
	}
	r, err := commit(p.node, &common.Address{1}, nil)
	ts.Check(err)
	ts.Setenv(args[0], r.TransactionHash.Hex())
}

func token(ts *testscript.TestScript, neg bool, args []string) {
	p := current(ts)
	if neg || len(args) != 0 || p.node == nil {
		ts.Fatalf("usage: token, with a node")
	}
	r, err := commit(p.node, nil, contracts.Token.Deploy("Garden", "GDN", big.NewInt(1000)))
	ts.Check(err)
	ts.Setenv("TOKEN", r.ContractAddress.Hex())
	ts.Setenv("CREATED", r.TransactionHash.Hex())
}

func invoke(ts *testscript.TestScript, neg bool, args []string) {
	p := current(ts)
	if neg || len(args) < 2 || p.node == nil {
		ts.Fatalf("usage: invoke NAME METHOD ARG..., with a node and a token")
	}
	var values []any
	for _, text := range args[2:] {
		if common.IsHexAddress(text) {
			values = append(values, common.HexToAddress(text))
			continue
		}
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			ts.Fatalf("%s is neither an address nor a number", text)
		}
		values = append(values, n)
	}
	to := common.HexToAddress(ts.Getenv("TOKEN"))
	r, err := commit(p.node, &to, contracts.Token.Call(args[1], values...))
	ts.Check(err)
	ts.Setenv(args[0], r.TransactionHash.Hex())
}

// commit sends a transaction of the node's first account and waits until it is
// committed, whether it succeeds or fails.
func commit(n *binary.Node, to *common.Address, data []byte) (*receipt, error) {
	ctx := context.Background()
	client, err := rpc.DialContext(ctx, n.RPC)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	key, err := crypto.HexToECDSA(n.Accounts[0].PrivateKey[2:])
	if err != nil {
		return nil, err
	}
	s := &sender{key: key, address: crypto.PubkeyToAddress(key.PublicKey), chain: new(big.Int).SetUint64(n.ChainID)}
	var nonce hexutil.Uint64
	if err := client.CallContext(ctx, &nonce, "eth_getTransactionCount", s.address, "latest"); err != nil {
		return nil, err
	}
	s.nonce = uint64(nonce)
	raw, _ := s.sign(to, 0, data)
	var r receipt
	return &r, client.CallContext(ctx, &r, "eth_sendRawTransactionSync", raw)
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE PART")
	}
	name := only(ts, args[0])
	part, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	content, err := os.ReadFile(name)
	ts.Check(err)
	content[int(part*float64(written(content)))] ^= 1
	ts.Check(os.WriteFile(name, content, 0o600))
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	name := only(ts, args[0])
	bytes, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	content, err := os.ReadFile(name)
	ts.Check(err)
	ts.Check(os.Truncate(name, int64(written(content))-bytes))
}

// only is the one file that matches a pattern.
func only(ts *testscript.TestScript, pattern string) string {
	names, err := filepath.Glob(ts.MkAbs(pattern))
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("%s matches %d files", pattern, len(names))
	}
	ts.Check(err)
	return names[0]
}
