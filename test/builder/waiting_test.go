package builder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/test/binary"
)

// deal is a contract of Purchase on one connection, and what is done with it.
type deal struct {
	*alone
	t             testing.TB
	id            int
	change, price int
}

func (b *alone) deal(t testing.TB, connection int) *deal {
	t.Helper()
	flow, constructor, functions, properties := b.names(bob, "Purchase", "Purchase")
	id := b.post(bob, fmt.Sprintf("/api/v2/contracts?workflowId=%d&connectionId=%d", flow, connection),
		input(constructor, "machine", "Lathe", "condition", "2", "askingPrice", "1"))
	return &deal{b, t, id, functions["ChangePrice"], properties["AskingPrice"]}
}

func (d *deal) ask(price string) {
	d.t.Helper()
	d.post(bob, fmt.Sprintf("/api/v2/contracts/%d/actions", d.id), input(d.change, "askingPrice", price))
}

func (d *deal) is(price string) {
	d.t.Helper()
	d.until(bob, d.id, "the price "+price, func(c *contract) bool { return c.value(d.price) == price })
}

// waits wants that nothing became of what was asked for last.
func (d *deal) waits() {
	d.t.Helper()
	var c contract
	d.read(bob, fmt.Sprintf("/api/v2/contracts/%d", d.id), &c)
	if c.ProvisioningStatus > 1 && len(c.ContractActions) == 0 || len(c.ContractActions) > 0 && c.ContractActions[len(c.ContractActions)-1].ProvisioningStatus > 1 {
		d.t.Errorf("it does not wait: %+v", c)
	}
}

// TestLedgerThatComesLater starts a builder before one of its ledgers was ever seen,
// and then has another ledger take that one's address.
func TestLedgerThatComesLater(t *testing.T) {
	first, _ := newCoco(t)
	dir, port := t.TempDir(), ledgertest.FreePort(t)
	ledger := func(name string) *binary.Node {
		return binary.StartCommand(t, exec.Command(binary.Path(), "start", "--json", "--portal", "off", "--rpc", "127.0.0.1:"+port, "--data", filepath.Join(dir, name)))
	}
	b := newAlone(t, connectionOf(first)+"  - rpc: http://127.0.0.1:"+port+"\n")
	here, later := b.deal(t, 1), b.deal(t, 2)
	here.is("1")
	later.waits()
	second := ledger("second") // it joins when it comes
	later.is("1")
	second.Stop(t)
	b.node.Stop(t)
	if said := b.node.Stderr(); !strings.Contains(said, "connection=2") || !strings.Contains(said, "its connection waits") {
		t.Errorf("it did not say that the connection waits:\n%s", said)
	}

	other := ledger("other") // takes its address
	b.begin()
	later.ask("2")
	here.ask("2")
	here.is("2")
	later.waits()
	other.Stop(t)
	ledger("second") // is back
	later.is("2")
	b.node.Stop(t)
	if said := b.node.Stderr(); !strings.Contains(said, "LEDGER_FOREIGN") {
		t.Errorf("it did not say that the ledger is another:\n%s", said)
	}
}

// TestVaultThatIsAway starts a builder without the vault that it had.
func TestVaultThatIsAway(t *testing.T) {
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n))
	d := b.deal(t, 1)
	d.is("1")
	b.node.Stop(t)
	vault, key := filepath.Join(b.data, "vault"), filepath.Join(b.data, "vault.key")
	refused := func(code string) {
		t.Helper()
		r := binary.Run(t, t.TempDir(), "builder", "--config", b.config)
		if r.Code == 0 || !strings.Contains(r.Stderr, code) || !strings.Contains(r.Stderr, "restore") {
			t.Errorf("%d %s%s", r.Code, r.Stdout, r.Stderr)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(vault, vault+".away")
	refused("VAULT_MISSING")
	if err := os.Mkdir(vault, 0o700); err != nil { // nothing is mounted there
		t.Fatal(err)
	}
	refused("VAULT_MISSING")
	move(key, key+".away") // what the journal knows is enough
	refused("VAULT_MISSING")
	if names, err := os.ReadDir(vault); err != nil || len(names) > 0 {
		t.Errorf("it made %v %v", names, err)
	}
	if err := os.Remove(vault); err != nil {
		t.Fatal(err)
	}
	move(vault+".away", vault)
	move(key+".away", key)
	b.begin()
	d.ask("2")
	d.is("2")
	r := binary.Run(t, t.TempDir(), "builder", "uses", "--config", b.config)
	for _, u := range b.place.Users {
		if u.Name == bob && strings.Count(r.Stdout, u.ExternalID) != 2 || r.Code != 0 || !strings.Contains(r.Stdout, `"action 2 on connection 1"`) {
			t.Errorf("the uses are %d %s%s", r.Code, r.Stdout, r.Stderr)
		}
	}
}

// TestNodeStopped stops the nodes of a network one after the other, each in its own
// way: the portal goes on by the others, without a person.
func TestNodeStopped(t *testing.T) {
	i := &installation{t: t, data: t.TempDir(), tokens: map[string]string{}}
	i.start("--nodes", "3")
	i.settled()
	d := (&alone{installation: i}).deal(t, 1)
	d.is("1")
	command := func(args ...string) {
		t.Helper()
		if r := binary.Run(t, t.TempDir(), append(append([]string{"network"}, args...), "--data", i.data)...); r.Code != 0 {
			t.Fatalf("%v: %d %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	command("stop", "1")
	d.ask("2")
	d.is("2")
	command("start", "1")
	command("status", "--wait")
	command("pause", "2")
	d.ask("3")
	d.is("3")
	command("resume", "2")
	command("status", "--wait")
	command("partition", "3")
	d.ask("4")
	d.is("4")
}
