package builder

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/binary"
)

// alone is a builder that is a process of its own, in front of ledgers.
type alone struct {
	*installation
	config string
}

// newAlone starts a builder with the given lines of builder.yaml and the samples.
func newAlone(t testing.TB, lines string) *alone {
	dir := t.TempDir()
	b := &alone{&installation{t: t, data: filepath.Join(dir, "builder"), tokens: map[string]string{}}, filepath.Join(dir, "builder.yaml")}
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata: %s\ndevLogin: true\n%s", b.data, lines)
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.begin()
	return b
}

// begin starts the process, or goes on with what is there.
func (b *alone) begin() {
	b.t.Helper()
	b.node = binary.StartCommand(b.t, exec.Command(binary.Path(), "builder", "--config", b.config, "--samples", "--json", "--verbose"))
	if err := json.Unmarshal([]byte(b.node.Line), &b.place); err != nil {
		b.t.Fatal(err)
	}
	for _, u := range b.place.Users {
		b.token(u.Name)
	}
}

// token gets somebody a token of the development login.
func (b *alone) token(name string) {
	b.t.Helper()
	args := []string{"token", "--user", name, "--data", b.data}
	if name == alice {
		args = append(args, "--admin")
	}
	out, err := exec.Command(binary.Path(), args...).Output()
	if err != nil {
		b.t.Fatal(err)
	}
	b.tokens[name] = string(bytes.TrimSpace(out))
}

// geth is a development node that can be stopped and started again.
type geth struct {
	program, dir, port, url string
	more                    string // interfaces that it serves besides
	flags                   []string
	process                 *exec.Cmd
}

func newGeth(t testing.TB, more string, flags ...string) *geth {
	t.Helper()
	g := &geth{program: ledgertest.GethProgram(t), dir: t.TempDir(), port: ledgertest.FreePort(t), more: more, flags: flags}
	g.url = "http://127.0.0.1:" + g.port
	g.start(t)
	t.Cleanup(func() { g.stop() })
	return g
}

func rpcCall(t testing.TB, url string, result any, method string, args ...any) error {
	c, err := rpc.DialContext(t.Context(), url)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.CallContext(t.Context(), result, method, args...)
}

func (g *geth) start(t testing.TB) {
	t.Helper()
	g.process = exec.Command(g.program, append(g.flags, "--dev", "--datadir", g.dir, "--ipcdisable", "--nodiscover", "--port", "0", "--authrpc.port", "0", "--lightkdf",
		"--http", "--http.port", g.port, "--http.api", "eth,net,web3"+g.more, "--gcmode", "archive", "--verbosity", "1")...)
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	ledgertest.Eventually(t, "geth answers", func() bool { return rpcCall(t, g.url, nil, "eth_chainId") == nil })
}

// stop ends it as Ctrl+C does, so that it keeps its chain.
func (g *geth) stop() {
	if g.process != nil {
		g.process.Process.Signal(os.Interrupt)
		g.process.Wait()
		g.process = nil
	}
}

// kill ends it as a loss of power does to a process: what it had not written is lost.
func (g *geth) kill() {
	g.process.Process.Kill()
	g.process.Wait()
	g.process = nil
}

// height is the number of its newest block.
func (g *geth) height(t testing.TB) uint64 {
	t.Helper()
	var n hexutil.Uint64
	if err := rpcCall(t, g.url, &n, "eth_blockNumber"); err != nil {
		t.Fatal(err)
	}
	return uint64(n)
}

// funding writes the key of the developer's account to a file.
func (g *geth) funding(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(g.dir, "keystore", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("geth's keys: %v %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := keystore.DecryptKey(text, "")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "funding.key")
	if err := os.WriteFile(name, []byte(hex.EncodeToString(crypto.FromECDSA(key.PrivateKey))), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// coco is a node of coco at a fixed port, without a portal.
func newCoco(t testing.TB) (n *binary.Node, again func() *binary.Node) {
	data, port := filepath.Join(t.TempDir(), "data"), ledgertest.FreePort(t)
	again = func() *binary.Node {
		return binary.StartCommand(t, exec.Command(binary.Path(), "start", "--json", "--portal", "off", "--rpc", "127.0.0.1:"+port, "--data", data))
	}
	return again(), again
}

// connectionOf gives the lines that name a node of coco.
func connectionOf(n *binary.Node) string {
	return fmt.Sprintf("connections:\n  - rpc: %s\n    service: %s\n", n.RPC, filepath.Join(n.Data, "service.pem"))
}

// TestTwoLedgers has one application on a node of coco and on geth at once, while
// geth is down and up again.
func TestTwoLedgers(t *testing.T) {
	g := newGeth(t, "")
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n)+fmt.Sprintf("  - rpc: %s\n    kind: ethereum\n    funding: %s\n", g.url, g.funding(t)))
	var list struct {
		Connection []struct {
			ConnectionID   int
			Kind           string
			EndpointURL    string
			FundingAccount string
		}
	}
	b.read(bob, "/api/v2/ledgers/connections", &list)
	if len(list.Connection) != 2 || list.Connection[0].Kind != "coco" || list.Connection[1].EndpointURL != g.url || list.Connection[1].FundingAccount == "" {
		t.Fatalf("the connections are %+v", list)
	}
	flow, constructor, functions, properties := b.names(bob, "Purchase", "Purchase")
	var ids [2]int
	for k, c := range list.Connection {
		ids[k] = b.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d&connectionId=%d", flow, c.ConnectionID),
			input(constructor, "machine", c.Kind, "condition", "2", "askingPrice", "900"))
	}
	act := func(k int, who, function string, arguments ...string) {
		t.Helper()
		b.post(who, fmt.Sprintf("/api/v2/contracts/%d/actions", ids[k]), input(functions[function], arguments...))
	}
	is := func(k int, property, value string) {
		t.Helper()
		b.until(dave, ids[k], property+" "+value, func(c *contract) bool { return c.value(properties[property]) == value })
	}
	for k, c := range list.Connection {
		is(k, "Machine", c.Kind)
		act(k, bob, "ChangePrice", "askingPrice", "901")
		is(k, "AskingPrice", "901")
	}
	g.stop()
	act(1, bob, "ChangePrice", "askingPrice", "902")
	for step := range 3 { // the same person goes on elsewhere
		price := fmt.Sprint(950 + step)
		act(0, bob, "ChangePrice", "askingPrice", price)
		is(0, "AskingPrice", price)
	}
	var c contract
	if b.read(bob, fmt.Sprintf("/api/v2/contracts/%d", ids[1]), &c); c.ContractActions[len(c.ContractActions)-1].ProvisioningStatus > 1 {
		t.Errorf("without geth the action is %+v", c.ContractActions)
	}
	g.start(t)
	is(1, "AskingPrice", "902")
	act(1, carol, "MakeOffer", "inspector", b.address(dave), "offerPrice", "800")
	is(1, "State", "1")
	act(0, carol, "MakeOffer", "inspector", b.address(dave), "offerPrice", "800")
	is(0, "State", "1")
	for k := range ids {
		b.read(bob, fmt.Sprintf("/api/v2/contracts/%d", ids[k]), &c)
		for _, a := range c.ContractActions {
			if a.ProvisioningStatus != 2 {
				t.Errorf("connection %d: %+v", k+1, a)
			}
		}
		last := c.ContractActions[len(c.ContractActions)-1].ID
		status, data, err := b.ask(bob, http.MethodGet, fmt.Sprintf("/api/v2/contracts/%d/actions/%d/proof", ids[k], last), nil)
		if k == 0 && (status != http.StatusOK || !strings.Contains(string(data), `"verified":true`)) ||
			k == 1 && (status != http.StatusNotFound || !strings.Contains(string(data), "LEDGER_NO_PROOF")) {
			t.Errorf("the proof on connection %d: %d %v %s", k+1, status, err, data)
		}
	}
}

// TestLedgerAndVaultGone takes the ledger and then the vault's keys away under a
// builder and gives them back: what was asked for meanwhile comes to its end.
func TestLedgerAndVaultGone(t *testing.T) {
	n, again := newCoco(t)
	b := newAlone(t, connectionOf(n))
	flow, constructor, functions, properties := b.names(bob, "Purchase", "Purchase")
	create := fmt.Sprintf("/api/v2/contracts?workflowId=%d", flow)
	id := b.post(bob, create, input(constructor, "machine", "Lathe", "condition", "2", "askingPrice", "1"))
	is := func(price string) {
		t.Helper()
		b.until(bob, id, "the price "+price, func(c *contract) bool { return c.value(properties["AskingPrice"]) == price })
	}
	change := func(price string) {
		t.Helper()
		b.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", id), input(functions["ChangePrice"], "askingPrice", price))
	}
	is("1")

	n.Kill(t)
	change("2")
	is("1") // pages go on with what is known
	again()
	is("2")

	dir := filepath.Join(b.data, "vault")
	for k, place := range []func() error{
		func() error { return nil },                           // it is not there
		func() error { return os.Mkdir(dir, 0o700) },          // nothing is mounted there
		func() error { return os.WriteFile(dir, nil, 0o600) }, // it is no directory
	} {
		if err := errors.Join(os.Rename(dir, dir+".away"), place()); err != nil {
			t.Fatal(err)
		}
		price, someone := fmt.Sprint(10+k), fmt.Sprintf("New %d", k)
		change(price)
		b.token(someone) // may look, and gets an account later
		for range 20 {
			status, data, err := b.ask(someone, http.MethodGet, "/api/v2/users/me", nil)
			if status != http.StatusOK || !strings.Contains(string(data), `"userChainMappings":[]`) {
				t.Fatalf("case %d: somebody new: %d %v %s", k, status, err, data)
			}
			var c contract
			b.read(bob, fmt.Sprintf("/api/v2/contracts/%d", id), &c)
			if a := c.ContractActions[len(c.ContractActions)-1]; a.ProvisioningStatus > 1 {
				t.Fatalf("case %d: without the vault the action ended: %+v", k, a)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := errors.Join(os.RemoveAll(dir), os.Rename(dir+".away", dir)); err != nil {
			t.Fatal(err)
		}
		is(price)
		ledgertest.Eventually(t, "somebody new has an account", func() bool {
			_, data, _ := b.ask(someone, http.MethodGet, "/api/v2/users/me", nil)
			return strings.Contains(string(data), `"chainIdentifier":"0x`)
		})
	}
}
