// Package follow runs programs with unmodified clients that follow a token's events
// (test/clients/follow.mjs), and the address they know, behind which nodes come and
// go.
package follow

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// patience is how long a line may take that is waited for: one that never comes
// must not hang.
const patience = 2 * time.Minute

// Program is a program that prints what it sees.
type Program struct {
	Client string
	Lines  []string // read so far
	out    chan string
}

// Start runs a client's program from the folder of test/clients until the test
// ends.
func Start(t testing.TB, folder, client, address string, token common.Address) *Program {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", "follow.mjs", client, token.Hex())
	c.Dir = folder
	c.Env = append(os.Environ(), "COCO_RPC=http://"+address, "COCO_WS=ws://"+address, "COCO_CHAIN_ID=0", "COCO_ACCOUNTS=[]")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Program{Client: client, out: make(chan string, 10_000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(p.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.out <- lines.Text()
		}
	})
	t.Cleanup(func() {
		c.Process.Kill()
		reading.Wait()
		c.Wait()
	})
	return p
}

// Until reads to a line.
func (p *Program) Until(t testing.TB, want string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-p.out:
			if !ok {
				t.Fatalf("%s ended:\n%s", p.Client, strings.Join(p.Lines, "\n"))
			}
			if p.Lines = append(p.Lines, line); line == want {
				return
			}
		case <-late:
			t.Fatalf("%s did not say %q:\n%s", p.Client, want, strings.Join(p.Lines, "\n"))
		}
	}
}

// Told reads to the transfer of last and fails unless the program was told the
// transfers of 1, 2, 3 to last each once and in order. The transfer of minted, which
// made the token, is not one of them.
func (p *Program) Told(t testing.TB, last, minted int) {
	t.Helper()
	p.Until(t, fmt.Sprintf("event %d", last))
	next := 0
	for _, line := range p.Lines {
		if value, ok := strings.CutPrefix(line, "event "); ok && value != fmt.Sprint(minted) {
			if next++; value != fmt.Sprint(next) {
				t.Fatalf("%s: event %s where %d was due:\n%s", p.Client, value, next, strings.Join(p.Lines, "\n"))
			}
		}
	}
}
