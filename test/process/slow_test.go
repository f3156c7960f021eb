package process

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
)

// TestInterruptWithASlowClient stops a node to which a client sends half a
// request and no more: the node ends as ever.
func TestInterruptWithASlowClient(t *testing.T) {
	n := binary.Start(t, "--ephemeral")
	c, err := net.Dial("tcp", strings.TrimPrefix(n.RPC, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	// A whole exchange on a second connection: by then the first is being read.
	var version string
	if err := n.Dial(t).Call(&version, "web3_clientVersion"); err != nil || !strings.HasPrefix(version, "coco/") {
		t.Fatalf("%q %v", version, err)
	}
	if code := n.Stop(t); code != 0 {
		t.Errorf("the node ended with %d:\n%s", code, n.Stderr())
	}
}
