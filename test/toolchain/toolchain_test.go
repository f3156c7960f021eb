// Package toolchain lets the tools that teams build contracts with work with the
// real coco, unmodified: the folder project is a team's project as it would be
// for any network, with Hardhat, OpenZeppelin's contracts and upgrades, and
// Foundry, and only the URL of its network is coco's. Bindings that abigen made
// are the third tool. Everything is compiled offline, by the compiler of npm.
package toolchain

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/npm"
)

func TestMain(m *testing.M) { binary.Main(m) }

// project is the team's folder with its tools, and a network of its own.
type project struct {
	*binary.Node
	env []string
}

// open installs the project and starts a network for it. What its tools keep of
// networks before is removed; what they compiled is kept.
func open(t *testing.T) *project {
	npm.Install(t, "project")
	for _, dir := range []string{".openzeppelin", "broadcast", "ignition/deployments"} {
		if err := os.RemoveAll(filepath.Join("project", dir)); err != nil {
			t.Fatal(err)
		}
	}
	p := &project{Node: binary.Start(t, "--data", filepath.Join(t.TempDir(), "data"))}
	p.env = append(os.Environ(), "HARDHAT_DISABLE_TELEMETRY_PROMPT=true", "HARDHAT_IGNITION_CONFIRM_DEPLOYMENT=false", "FOUNDRY_DISABLE_NIGHTLY_WARNING=1", "NO_COLOR=1",
		"COCO_RPC="+p.RPC, "ETH_RPC_URL="+p.RPC)
	return p
}

// try runs a program of the project to its end and gives what it printed.
func (p *project) try(t *testing.T, input, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("project", "node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir, c.Env, c.Stdin = "project", p.env, strings.NewReader(input)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err = c.Run()
	return strings.TrimSpace(out.String()), said.String(), err
}

// run is try for what must succeed.
func (p *project) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	stdout, stderr, err := p.try(t, "", name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// into is run for what prints JSON.
func (p *project) into(t *testing.T, result any, name string, args ...string) {
	t.Helper()
	text := p.run(t, name, args...)
	if err := json.Unmarshal([]byte(text), result); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, text)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}
