package toolchain

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var passing = regexp.MustCompile(`(\d+) passing`)

// The project's own tests are written for Hardhat's network, where a transaction
// is in a block when sending it returns.
func TestHardhat(t *testing.T) {
	p := open(t)
	t.Run("test", func(t *testing.T) {
		p := &project{p.Node, append(p.env, "COCO_RPC="+p.RPC+"/?send=committed")}
		out := p.run(t, "hardhat", "test", "--network", "coco")
		count := passing.FindStringSubmatch(out)
		if count == nil {
			t.Fatal(out)
		}
		if n, _ := strconv.Atoi(count[1]); n < 13 || strings.Contains(out, "pending") {
			t.Error(out)
		}
		manifest, err := os.ReadFile(filepath.Join("project", ".openzeppelin", "unknown-49344.json"))
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(manifest), `"kind": "uups"`, `"kind": "transparent"`)
	})
	t.Run("run", func(t *testing.T) {
		contains(t, p.run(t, "hardhat", "run", "--network", "coco", "scripts/deploy.js"), "10 GDN")
	})
	t.Run("ignition", func(t *testing.T) {
		contains(t, p.run(t, "hardhat", "ignition", "deploy", "--network", "coco", "ignition/modules/Garden.js"), "[ Garden ] successfully deployed")
	})
	t.Run("console", func(t *testing.T) {
		out, stderr, err := p.try(t, "ethers.provider.getNetwork().then((n) => console.log(`chain ${n.chainId}`))", "hardhat", "console", "--network", "coco")
		if err != nil || out != fmt.Sprintf("chain %d", p.ChainID) {
			t.Errorf("%v\n%s\n%s", err, out, stderr)
		}
	})
}
