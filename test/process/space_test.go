package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/coco-consortium/coco/test/binary"
)

// mount mounts a small file system of its own for the test's data.
func mount(t *testing.T, megabytes string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("coco-test", dir, "tmpfs", 0, "size="+megabytes+"m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a file system needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull takes the room away from a running node: writes stop with an
// error that says so, reads go on, and once there is room again a restart has
// everything that was acknowledged.
func TestDiskFull(t *testing.T) {
	dir := mount(t, "80")
	data := filepath.Join(dir, "data")
	n := binary.Start(t, "--data", data)
	client := n.Dial(t)
	s := senders(t, n, client)[0]
	to := common.Address{0xc0, 0xc0}
	acknowledged := []common.Hash{s.must(t, client, &to, 5, nil).TransactionHash}

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	var refusal error
	for refusal == nil {
		// Large, so that what is preallocated is used up soon.
		var r *receipt
		if r, refusal = s.commit(t.Context(), client, &to, 0, random(40_000)); refusal == nil {
			acknowledged = append(acknowledged, r.TransactionHash)
		}
	}
	t.Logf("%d transactions went in before: %v", len(acknowledged), refusal)
	// What was under way cannot be told; what comes now is refused, with the reason.
	for range 2 {
		var next hexutil.Uint64
		call(t, client, &next, "eth_getTransactionCount", s.address, "pending")
		s.nonce = uint64(next)
		_, refusal = s.commit(t.Context(), client, &to, 0, nil)
		if refusal == nil || !strings.Contains(refusal.Error(), "disk is full") {
			t.Errorf("the refusal does not say that the disk is full: %v", refusal)
		}
	}
	present(t, n, acknowledged)
	var balance hexutil.Big
	call(t, client, &balance, "eth_getBalance", to, "latest")
	if balance.ToInt().Int64() != 5 {
		t.Errorf("balance %v", balance.ToInt())
	}
	n.Stop(t)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n = binary.Start(t, "--data", data)
	present(t, n, acknowledged)
	client = n.Dial(t)
	senders(t, n, client)[0].must(t, client, &to, 1, nil)
	if code := n.Stop(t); code != 0 {
		t.Errorf("the node ended with %d", code)
	}
	if r := binary.Run(t, t.TempDir(), "ledger", "verify", data); r.Code != verified {
		t.Errorf("coco ledger verify: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// fill writes a file until its file system is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, block := range []int{1 << 20, 4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
