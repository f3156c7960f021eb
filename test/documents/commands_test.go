package documents

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A document's commands are its fenced blocks that are marked sh:
//
//	```sh           commands, run one after the other in one shell
//	```sh start     a command that goes on; it is waited for until it says Ctrl+C
//	<!-- Ctrl+C --> ends it, as the text around says
//
// What a guide takes for granted stands in comments that readers do not see:
// <!-- run and <!-- start, with lines of commands, up to -->.
var block = regexp.MustCompile("(?ms)^```(sh(?: start)?)\n(.*?)^```$|^<!-- (run|start)\n(.*?)^-->$|^<!-- (Ctrl\\+C) -->$")

// notRun are commands that cannot run inside a test, and why.
var notRun = map[string]string{
	"./test/run\n": "it is what runs this test",
}

// TestCommandsRun runs the commands of every document in a copy of the
// repository, as a reader would in a clone.
func TestCommandsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts networks: not with -short")
	}
	ran := 0
	for _, name := range documents(t) {
		blocks := block.FindAllStringSubmatch(read(t, name), -1)
		if len(blocks) == 0 {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			dir := clone(t)
			c := exec.CommandContext(t.Context(), "bash", "-s")
			c.Dir = dir
			c.Stdin = strings.NewReader(script(blocks, port))
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			if err := c.Run(); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
	if ran < 3 {
		t.Errorf("only %d documents have commands", ran)
	}
}

// script makes one shell script of a document. The port of the document is
// replaced, so that it does not matter what else runs on the machine.
func script(blocks [][]string, port int) string {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	replace := strings.NewReplacer("127.0.0.1:8545", address,
		"coco start", "coco start --rpc "+address,
		"coco receipt get", "coco receipt get --rpc "+address,
		"coco accounts", "coco accounts --rpc "+address,
		"coco tx show", "coco tx show --rpc "+address,
		"coco call", "coco call --rpc "+address)
	var s strings.Builder
	// Job control gives each node a process group of its own, which is what
	// Ctrl+C reaches on a terminal.
	s.WriteString(`set -euo pipefail
set -m
export npm_config_prefer_offline=true # versions are exact: what npm has it need not ask for
NODE=
LENIENT=false # go run ends with 1 when it is interrupted, whatever its program does
finish() { if [ -n "$NODE" ]; then kill -INT -- -"$NODE"; wait "$NODE" || $LENIENT; NODE=; fi; }
trap 'code=$?; trap - EXIT; finish; exit $code' EXIT
started() {
	until grep -q Ctrl+C start.log; do
		kill -0 "$NODE" || { cat start.log; exit 1; }
		sleep 0.05
	done
}
`)
	for _, b := range blocks {
		kind, text := b[1]+b[3]+b[5], b[2]+b[4]
		switch {
		case notRun[text] != "":
		case kind == "Ctrl+C":
			s.WriteString("finish\n")
		case kind == "sh start" || kind == "start":
			fmt.Fprintf(&s, "LENIENT=%v\n", strings.HasPrefix(text, "go run"))
			fmt.Fprintf(&s, "%s >start.log 2>&1 </dev/null &\nNODE=$!\nstarted\n", strings.TrimSpace(replace.Replace(text)))
		default:
			s.WriteString("{\n" + replace.Replace(text) + "} </dev/null\n")
		}
	}
	return s.String()
}

// clone copies the repository's files to a new directory.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
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
	return dir
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
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
	if !group {
		visit(strings.Join(words, " "), help)
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
