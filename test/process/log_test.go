package process

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

// TestLogsHoldNoSecrets runs a node that logs everything it ever logs, as JSON,
// sends it transactions full of markers and others that are refused, and looks for
// the markers, the senders' keys and the contract in what it logged, what it says
// of itself, and its metrics.
func TestLogsHoldNoSecrets(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "node.yaml")
	text := "data: data\nclient: {listen: '127.0.0.1:0'}\npeer: {listen: '127.0.0.1:0'}\nlog: {level: debug, format: json}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	n := binary.StartCommand(t, exec.Command(binary.Path(), "node", "start", "--json", "--config", config))
	keys := binary.Run(t, dir, "accounts", "--rpc", n.RPC, "--keys", "--json")
	if err := json.Unmarshal([]byte(keys.Stdout), &n.Accounts); err != nil || len(n.Accounts) != 10 {
		t.Fatalf("%v: %s%s", err, keys.Stdout, keys.Stderr)
	}
	secrets := scatter(t, n)
	client := n.Dial(t)
	s := senders(t, n, client)[6]
	for range 2 { // the second is refused: its nonce is used
		raw, _ := s.sign(&s.address, 1, random(64))
		secrets = append(secrets, secret{"a transaction", raw[20:60]})
		call(t, client, new(any), "eth_sendRawTransactionSync", raw)
		if err := client.CallContext(t.Context(), nil, "eth_sendRawTransaction", raw); err == nil {
			t.Error("the same transaction was taken twice")
		}
	}
	if err := client.CallContext(t.Context(), nil, "eth_sendRawTransaction", "0xdeadbeef"); err == nil {
		t.Error("junk was taken")
	}
	for _, a := range n.Accounts {
		key, err := hex.DecodeString(a.PrivateKey[2:])
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, secret{"a private key", key})
	}
	status := binary.Run(t, dir, "network", "status", "--json", "--data", filepath.Join(dir, "data"))
	if status.Code != 0 || !strings.Contains(status.Stdout, `"role":"leader"`) {
		t.Errorf("%+v", status)
	}
	if code := n.Stop(t); code != 0 {
		t.Errorf("the node ended with %d", code)
	}
	lines := 0
	for line := range strings.Lines(n.Stderr()) {
		lines++
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil || entry["level"] == nil {
			t.Errorf("a line is no entry: %v: %s", err, line)
		}
	}
	if lines == 0 {
		t.Error("nothing was logged, so finding nothing there means nothing")
	}
	said := strings.ToLower(n.Stderr() + status.Stdout)
	for _, s := range secrets {
		if strings.Contains(said, hex.EncodeToString(s.bytes)) || strings.Contains(said, string(s.bytes)) {
			t.Errorf("the log or the status holds %s", s.what)
		}
	}
}
