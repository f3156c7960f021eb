package documents

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A document's commands are its fenced blocks that are marked sh:
//
//	```sh           commands, run one after the other in one shell
//	```sh start     a command that goes on; it is waited for until it says Ctrl+C
//	<!-- Ctrl+C --> ends it, as the text around says
//
// Commands that go on beside each other have names: ```sh start one, and
// <!-- Ctrl+C one -->. One that the document killed may be started again.
//
// What a guide takes for granted stands in comments that readers do not see:
// <!-- run and <!-- start, with lines of commands, up to -->.
var block = regexp.MustCompile("(?ms)^```(sh(?: start)?)( [a-z]+)?\n(.*?)^```$|^<!-- (run|start)\n(.*?)^-->$|^<!-- (Ctrl\\+C)( [a-z]+)? -->$")

// place is where a document's nodes listen: for clients from 8545 on, for each
// other from 7545 on; portal is where App Builder does.
var place = regexp.MustCompile(`127\.0\.0\.1:([78])54([5-9])\b`)

const portal = "127.0.0.1:7700"

// notRun are commands that cannot run inside a test, and why.
var notRun = map[string]string{
	"./test/run\n": "it is what runs this test",
}

// patience ends a document that hangs, so that what it said is seen. No machine
// is so slow.
const patience = 12 * time.Minute

// TestCommandsRun runs the commands of every document in a copy of the
// repository, as a reader would in a clone.
func TestCommandsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts networks: not with -short")
	}
	ran := 0
	dir := filepath.Join(t.TempDir(), "coco") // the same for all: what one builds the next need not
	for _, name := range documents(t) {
		blocks := block.FindAllStringSubmatch(read(t, name), -1)
		if len(blocks) == 0 {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			port := freePorts(t)
			clone(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c := exec.CommandContext(ctx, "bash", "-s")
			// Its trap ends the nodes, which have process groups of their own.
			c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
			c.WaitDelay = time.Minute
			c.Dir = dir
			c.Stdin = strings.NewReader(script(blocks, port))
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			if err := c.Run(); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			} else if testing.Verbose() {
				t.Log(out.String())
			}
		})
	}
	if ran < 3 {
		t.Errorf("only %d documents have commands", ran)
	}
}

// script makes one shell script of a document. The ports of the document are
// replaced by those from port on, so that it does not matter what else runs on
// the machine.
func script(blocks [][]string, port int) string {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	pages := fmt.Sprintf("127.0.0.1:%d", port+ports-1)
	rpc := strings.NewReplacer(
		portal, pages,
		"coco start", "coco start --portal "+pages+" --rpc "+address,
		"coco receipt get", "coco receipt get --rpc "+address,
		"coco accounts", "coco accounts --rpc "+address,
		"coco tx show", "coco tx show --rpc "+address,
		"coco call", "coco call --rpc "+address)
	replace := func(text string) string {
		return rpc.Replace(place.ReplaceAllStringFunc(text, func(was string) string {
			to := port + int(was[len(was)-1]-'5')
			if strings.HasPrefix(was, "127.0.0.1:7") {
				to += ports / 2
			}
			return fmt.Sprintf("127.0.0.1:%d", to)
		}))
	}
	var s strings.Builder
	// Job control gives each node a process group of its own, which is what
	// Ctrl+C reaches on a terminal.
	s.WriteString(`set -euo pipefail
set -m
export npm_config_prefer_offline=true # versions are exact: what npm has it need not ask for
declare -A NODES=()
LENIENT=false # go run ends with 1 when it is interrupted, whatever its program does
finish() {
	local node=${NODES[$1]:-} code=0
	unset "NODES[$1]"
	[ -n "$node" ] || return 0
	kill -INT -- -"$node" 2>/dev/null || true
	wait "$node" || code=$?
	[ $code = 0 ] || [ $code = 137 ] || $LENIENT || { cat "$1.log"; return $code; } # 137: the document killed it
}
trap 'exit 143' TERM
trap 'code=$?; trap - EXIT; for name in "${!NODES[@]}"; do finish $name || code=$?; done; exit $code' EXIT
started() {
	until grep -q Ctrl+C "$1.log"; do
		kill -0 "${NODES[$1]}" || { cat "$1.log"; exit 1; }
		sleep 0.05
	done
}
`)
	for _, b := range blocks {
		kind, text, name := b[1]+b[4]+b[6], b[3]+b[5], cmp.Or(strings.TrimSpace(b[2]+b[7]), "start")
		switch {
		case notRun[text] != "":
		case kind == "Ctrl+C":
			fmt.Fprintf(&s, "finish %s\n", name)
		case kind == "sh start" || kind == "start":
			fmt.Fprintf(&s, "LENIENT=%v\nfinish %s\n", strings.HasPrefix(text, "go run"), name)
			fmt.Fprintf(&s, "%s >%s.log 2>&1 </dev/null &\nNODES[%s]=$!\nstarted %[2]s\n", strings.TrimSpace(replace(text)), name, name)
		default:
			s.WriteString("{\n" + replace(text) + "} </dev/null\n")
		}
	}
	return s.String()
}

// clone copies the repository's files to a directory, in place of what is there.
func clone(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t) {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

const ports = 16 // that a document's nodes may use

// freePorts gives the first of a row of ports, below those that the system hands
// out by itself.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		first := 20000 + ports*rand.IntN(700)
		free := true
		for port := first; free && port < first+ports; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no row of free ports was found")
	return 0
}

// TestCommandsAreDocumented wants every command and every flag of it in
// docs/reference/cli.md, and nothing there that does not exist.
func TestCommandsAreDocumented(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program: not with -short")
	}
	program := filepath.Join(t.TempDir(), "coco")
	c := exec.Command("go", "build", "-o", program, "./cmd/coco")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(read(t, "docs/reference/cli.md"), "\n## coco ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[commandWords(title)] = text
	}
	known := map[string]bool{}
	walk(t, program, nil, func(words, help string) {
		known[words] = true
		text, ok := sections[words]
		if !ok {
			t.Errorf("docs/reference/cli.md has no section on coco %s", words)
			return
		}
		flag := regexp.MustCompile(`--[a-z][a-z-]*`)
		_, flags, _ := strings.Cut(help, "Flags:")
		flags, _, _ = strings.Cut(flags, "Global Flags:")
		var have []string
		for line := range strings.Lines(flags) {
			if f := flag.FindString(line); f != "" && f != "--help" {
				have = append(have, f)
				if !strings.Contains(text, "`"+f) {
					t.Errorf("docs/reference/cli.md does not explain %s of coco %s", f, words)
				}
			}
		}
		for _, m := range regexp.MustCompile("(?m)^\\| `(--[a-z-]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(" "+strings.Join(have, " ")+" ", " "+m[1]+" ") {
				t.Errorf("docs/reference/cli.md explains %s of coco %s, which does not exist", m[1], words)
			}
		}
	})
	for words := range sections {
		if !known[words] {
			t.Errorf("docs/reference/cli.md explains coco %s, which does not exist", words)
		}
	}
}

// commandWords leaves a title's words that name a command: "ledger verify" of
// "ledger verify DIR".
func commandWords(title string) string {
	var words []string
	for _, w := range strings.Fields(title) {
		if strings.ToLower(w) != w {
			break
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// walk visits every command that does something, by its help.
func walk(t *testing.T, program string, words []string, visit func(words, help string)) {
	t.Helper()
	out, err := exec.Command(program, append(words, "--help")...).Output()
	if err != nil {
		t.Fatalf("coco %v --help: %v", words, err)
	}
	help := string(out)
	_, list, group := strings.Cut(help, "Available Commands:\n")
	if name := strings.Join(words, " "); !group || strings.Contains(help, "\n  coco "+name+" [flags]\n") {
		visit(name, help)
	}
	if !group {
		return
	}
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			break
		}
		if fields[0] != "help" && fields[0] != "completion" {
			walk(t, program, append(words[:len(words):len(words)], fields[0]), visit)
		}
	}
}
