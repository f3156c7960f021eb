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
)

// TestScripts runs testdata/*.txtar. Beside testscript's own commands there are
//
//	exits CODE ARG...  runs coco with ARGs to its end with CODE
//	node start DIR     starts a node on DIR; its addresses are $RPC and $WS
//	node stop|kill     ends it
//	transfer NAME      commits a transfer; its hash is $NAME
//	flip FILE PART     flips a bit at PART (such as 0.5) of what is written in FILE
//	cut FILE BYTES     takes the last BYTES off what is written in FILE
//
// FILE may be a pattern that only one file matches.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
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
			"exits": exits, "node": runNode, "transfer": transfer, "flip": flip, "cut": cut,
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
		cmd := exec.Command(binary.Path(), "start", "--json", "--rpc", "127.0.0.1:0", "--data", ts.MkAbs(args[1]))
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
	hash, err := pay(p.node)
	ts.Check(err)
	ts.Setenv(args[0], hash.Hex())
}

// pay commits a transfer of the node's first account.
func pay(n *binary.Node) (common.Hash, error) {
	ctx := context.Background()
	client, err := rpc.DialContext(ctx, n.RPC)
	if err != nil {
		return common.Hash{}, err
	}
	defer client.Close()
	key, err := crypto.HexToECDSA(n.Accounts[0].PrivateKey[2:])
	if err != nil {
		return common.Hash{}, err
	}
	s := &sender{key: key, address: crypto.PubkeyToAddress(key.PublicKey), chain: new(big.Int).SetUint64(n.ChainID)}
	var nonce hexutil.Uint64
	if err := client.CallContext(ctx, &nonce, "eth_getTransactionCount", s.address, "latest"); err != nil {
		return common.Hash{}, err
	}
	s.nonce = uint64(nonce)
	r, err := s.commit(ctx, client, &common.Address{1}, 1, nil)
	if err != nil {
		return common.Hash{}, err
	}
	return r.TransactionHash, nil
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
