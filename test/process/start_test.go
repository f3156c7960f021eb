package process

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
)

// funded are the first and last of the ten accounts of the mnemonic
// "test test test test test test test test test test test junk".
const (
	firstAccount = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	lastAccount  = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
)

func TestFirstRun(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(binary.Path(), "start", "--json", "--portal", "off", "--rpc", "127.0.0.1:0")
	cmd.Dir = dir
	n := binary.StartCommand(t, cmd)

	t.Run("the line has everything", func(t *testing.T) {
		var line map[string]json.RawMessage
		if err := json.Unmarshal([]byte(n.Line), &line); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"rpc", "ws", "data", "chainId", "accounts", "service"} {
			if len(line[name]) == 0 {
				t.Errorf("the line lacks %q: %s", name, n.Line)
			}
		}
		if n.ChainID != 49344 {
			t.Errorf("chain id %d", n.ChainID)
		}
		if len(n.Accounts) != 10 || n.Accounts[0].Address != firstAccount || n.Accounts[9].Address != lastAccount {
			t.Errorf("accounts %v", n.Accounts)
		}
		if want := filepath.Join(dir, "coco-data"); !sameFile(t, n.Data, want) {
			t.Errorf("data in %s, not %s", n.Data, want)
		}
	})
	t.Run("it answers over HTTP and WebSocket", func(t *testing.T) {
		for _, client := range []*rpc.Client{n.Dial(t), n.DialWebSocket(t)} {
			var id hexutil.Uint64
			if err := client.CallContext(t.Context(), &id, "eth_chainId"); err != nil || id != 49344 {
				t.Errorf("eth_chainId: %d, %v", id, err)
			}
			for _, a := range n.Accounts {
				var balance hexutil.Big
				if err := client.CallContext(t.Context(), &balance, "eth_getBalance", a.Address, "latest"); err != nil || balance.ToInt().Sign() <= 0 {
					t.Errorf("eth_getBalance %s: %v, %v", a.Address, balance.String(), err)
				}
			}
		}
	})
	t.Run("the directory is laid out", func(t *testing.T) {
		for _, name := range []string{"node/ledger", "node/raft/vote", "node/keys", "node/lock", "service.pem"} {
			if _, err := os.Stat(filepath.Join(dir, "coco-data", name)); err != nil {
				t.Error(err)
			}
		}
	})
	if code := n.Stop(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if n.Rest() != "" {
		t.Errorf("there is more than the one line on stdout: %q", n.Rest())
	}
}

// TestSecondRun starts again on the same directory: the same service, the same
// state.
func TestSecondRun(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	first := binary.Start(t, "--data", data)
	client := first.Dial(t)
	to := common.HexToAddress("0x00000000000000000000000000000000000c0c00")
	sent := senders(t, first, client)[0].must(t, client, &to, 12345, nil)
	pem := read(t, filepath.Join(data, "service.pem"))
	first.Stop(t)

	second := binary.Start(t, "--data", data)
	if second.Service != first.Service {
		t.Errorf("service %s, before %s", second.Service, first.Service)
	}
	if again := read(t, filepath.Join(data, "service.pem")); again != pem {
		t.Error("service.pem changed")
	}
	present(t, second, []common.Hash{sent.TransactionHash})
	var balance hexutil.Big
	call(t, second.Dial(t), &balance, "eth_getBalance", to, "latest")
	if balance.ToInt().Int64() != 12345 {
		t.Errorf("balance %v", balance.ToInt())
	}
}

// TestEphemeral leaves nothing behind.
func TestEphemeral(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(binary.Path(), "start", "--json", "--portal", "off", "--ephemeral", "--rpc", "127.0.0.1:0")
	cmd.Dir = dir
	n := binary.StartCommand(t, cmd)
	client := n.Dial(t)
	to := common.Address{1}
	senders(t, n, client)[0].must(t, client, &to, 1, nil)
	if code := n.Stop(t); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if n.Data != "" {
		if _, err := os.Stat(n.Data); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", n.Data, err)
		}
	}
}

// TestTenLines reads what a person sees.
func TestTenLines(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.Command(binary.Path(), "start", "--data", data, "--portal", "off", "--rpc", "127.0.0.1:0")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	lines := bufio.NewScanner(reader)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ctrl+C") {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	text := strings.Join(said, "\n")
	if len(said) > 10 {
		t.Errorf("%d lines", len(said))
	}
	for _, want := range []string{"http://127.0.0.1:", "ws://127.0.0.1:", data, "Ctrl+C", "SIMULATED"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it said:\n%s", text)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	first, err1 := os.Stat(a)
	second, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(first, second)
}

func read(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
