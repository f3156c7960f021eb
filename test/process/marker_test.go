package process

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/contracts"
)

// secret is something that must not lie on the disk in clear, and what it is.
type secret struct {
	what  string
	bytes []byte
}

// TestNothingLeaks writes random markers everywhere a transaction can write:
// call data, storage, mapping slots, logs, topics, addresses. Then it reads every
// byte below DATA/node, after a snapshot was taken (which flushes the index) and
// the node stopped, and again after it was killed.
func TestNothingLeaks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := binary.Start(t, "--data", data)
	secrets := scatter(t, n)
	untilSnapshot(t, n, data)
	if code := n.Stop(t); code != 0 {
		t.Fatalf("the node ended with %d", code)
	}
	t.Run("after a stop", func(t *testing.T) {
		for _, dir := range []string{"ledger", "ledger/tile", "index", "past", "snapshot"} {
			if n := size(t, filepath.Join(data, "node", dir)); n == 0 {
				t.Errorf("nothing was written to node/%s, so finding nothing there means nothing", dir)
			} else {
				t.Logf("node/%s: %d bytes", dir, n)
			}
		}
		search(t, filepath.Join(data, "node"), secrets)
	})

	n = binary.Start(t, "--data", data)
	secrets = append(secrets, scatter(t, n)...)
	l := newLoad(t, n, 50)
	l.wait(t)
	n.Kill(t)
	l.end()
	t.Run("after a kill", func(t *testing.T) { search(t, filepath.Join(data, "node"), secrets) })
}

// TestSearchFinds shows that the search sees what it looks for.
func TestSearchFinds(t *testing.T) {
	dir := t.TempDir()
	word := random(32)
	for name, text := range map[string][]byte{
		"raw":   append(make([]byte, 5000), word...),
		"hex":   []byte("xx" + hex.EncodeToString(word)),
		"upper": []byte(strings.ToUpper(hex.EncodeToString(word))),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, hex.EncodeToString(word)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found := find(t, dir, []secret{{"the word", word}}); len(found) != 4 {
		t.Errorf("found %v, not four", found)
	}
}

// scatter commits transactions full of random markers and gives those and what
// follows from them.
func scatter(t *testing.T, n *binary.Node) []secret {
	t.Helper()
	client := n.Dial(t)
	s := senders(t, n, client)[5]
	word, text, reader, payee := random(32), random(40), common.BytesToAddress(random(20)), common.BytesToAddress(random(20))
	diary := contracts.Diary

	created := s.must(t, client, nil, 0, diary.Deploy())
	written := s.must(t, client, created.ContractAddress, 0, diary.Call("write", [32]byte(word), reader, text))
	paid := s.must(t, client, &payee, 77, nil)

	// The node knows them, so they were really written.
	var answer string
	call(t, client, &answer, "eth_getStorageAt", created.ContractAddress, "0x0", "latest")
	if answer != "0x"+hex.EncodeToString(word) {
		t.Fatalf("the contract's first slot holds %s", answer)
	}
	var logs []any
	call(t, client, &logs, "eth_getLogs", map[string]any{"fromBlock": "0x0", "topics": []any{nil, common.BytesToHash(word)}})
	if len(logs) != 1 {
		t.Fatalf("%d logs with the marker", len(logs))
	}

	// pages is the contract's third variable: the slot of pages[reader] is
	// keccak256(reader, 2), as Solidity lays out mappings; the long text of the
	// second begins at keccak256(1).
	slot := crypto.Keccak256(common.LeftPadBytes(reader[:], 32), common.LeftPadBytes([]byte{2}, 32))
	secrets := []secret{
		{"the word (call data, storage, topic)", word}, {"the text (call data, storage, log data)", text[:32]},
		{"the reader (call data, mapping key, topic)", reader[:]}, {"the payee", payee[:]},
		{"the mapping's slot", slot}, {"the slot's hash", crypto.Keccak256(slot)},
		{"the text's slot", crypto.Keccak256(common.LeftPadBytes([]byte{1}, 32))},
		{"the sender", s.address[:]}, {"the sender's hash", crypto.Keccak256(s.address[:])},
		{"the contract's address", created.ContractAddress[:]}, {"the payee's hash", crypto.Keccak256(payee[:])},
		{"the event's signature", diary.ABI.Events["Written"].ID.Bytes()}, {"the method's name and word", diary.Call("write", [32]byte(word), reader, text)[:36]},
		{"the contract's code", diary.Bytecode[len(diary.Bytecode)-64:]},
	}
	for _, r := range []*receipt{created, written, paid} {
		secrets = append(secrets, secret{"a transaction's hash", r.TransactionHash[:]})
	}
	return secrets
}

// untilSnapshot sends transactions until a snapshot counts, which is when its
// receipt is stored beside it.
func untilSnapshot(t *testing.T, n *binary.Node, data string) {
	t.Helper()
	client := n.Dial(t)
	all := senders(t, n, client)
	const (
		enough = 100_000 // ten times the usual distance of snapshots
		ahead  = 50      // of one sender at a time
	)
	for sent := 0; sent < enough; sent += ahead * len(all) {
		var batch []rpc.BatchElem
		for _, s := range all {
			for range ahead {
				raw, _ := s.sign(&s.address, 0, random(300))
				batch = append(batch, rpc.BatchElem{Method: "eth_sendRawTransaction", Args: []any{raw}, Result: new(common.Hash)})
			}
		}
		if err := client.BatchCallContext(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for _, b := range batch {
			if b.Error != nil {
				t.Fatal(b.Error)
			}
		}
		for _, s := range all {
			s.must(t, client, &s.address, 0, nil) // behind the others
		}
		if found, _ := filepath.Glob(filepath.Join(data, "node", "snapshot", "*.receipt")); len(found) > 0 {
			return
		}
	}
	t.Fatalf("no snapshot after %d transactions", enough)
}

func search(t *testing.T, dir string, secrets []secret) {
	t.Helper()
	for _, found := range find(t, dir, secrets) {
		t.Error(found)
	}
}

// find reads every file below dir and tells where a secret lies, as bytes or in
// hexadecimal, in the files or in their names.
func find(t *testing.T, dir string, secrets []secret) []string {
	t.Helper()
	var found []string
	files := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Type()&fs.ModeSocket != 0 { // of a killed node
			return err
		}
		files++
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		content = append([]byte(name+"\x00"), content...)
		lower := bytes.ToLower(content)
		for _, s := range secrets {
			if bytes.Contains(content, s.bytes) {
				found = append(found, s.what+" lies in "+name)
			}
			if bytes.Contains(lower, []byte(hex.EncodeToString(s.bytes))) {
				found = append(found, s.what+" lies in "+name+" in hexadecimal")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatalf("%s has no files", dir)
	}
	return found
}

// size is the number of bytes in the files below dir.
func size(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return sum
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
