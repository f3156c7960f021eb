package nodefile

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// TestTemplate: what init writes parses to the defaults and has every field, each
// with a comment above it or above its section.
func TestTemplate(t *testing.T) {
	c, err := Parse("node.yaml", []byte(Template))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("the template is not the defaults:\n%+v\n%+v", c, Default())
	}
	var root yaml.Node
	if err := yaml.Load([]byte(Template), &root); err != nil {
		t.Fatal(err)
	}
	var walk func(prefix string, typ reflect.Type, n *yaml.Node, explained bool)
	walk = func(prefix string, typ reflect.Type, n *yaml.Node, explained bool) {
		var have []string
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			have = append(have, key.Value)
			if !explained && key.HeadComment == "" {
				t.Errorf("%s%s has no explanation", prefix, key.Value)
			}
		}
		if want := names(typ); !reflect.DeepEqual(have, want) {
			t.Errorf("%sthe template has %v, the file %v", prefix, have, want)
			return
		}
		for i, name := range have {
			if f := typ.Field(i).Type; f.Kind() == reflect.Struct {
				walk(name+".", f, n.Content[2*i+1], name == "snapshot")
			}
		}
	}
	walk("", reflect.TypeFor[File](), root.Content[0], false)
	for text := range strings.Lines(Template) {
		if len(text) > 85 {
			t.Errorf("a line is too long for a terminal: %s", text)
		}
	}
}

func TestParse(t *testing.T) {
	c, err := Parse("node.yaml", []byte("data: /d\nclient: {listen: '[::1]:0', hosts: [a, b]}\njoin:\n  peers: [10.0.0.1:7545]\n  service: s.pem\ntiming: {tick: 1.5s}\nstate: {bytes: 2 GiB}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/d" || c.Client.Listen != "[::1]:0" || len(c.Client.Hosts) != 2 || c.Timing.Tick != Duration(1500*time.Millisecond) || c.State.Bytes != 2<<30 || c.Timing.Election != 8 {
		t.Errorf("%+v", c)
	}
	for _, empty := range []string{"", "\n", "# nothing\n"} {
		if c, err := Parse("node.yaml", []byte(empty)); err != nil || !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: %+v, %v", empty, c, err)
		}
	}
}

// TestFaults: each names the file, the line, the field and what to write.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"dat: x\n", "node.yaml:1: dat is no field here; known are data, client, keyvalue, peer"},
		{"data: x\nclient:\n  lisen: x\n", "node.yaml:3: lisen is no field here; known are listen, advertise, origins, hosts"},
		{"data: x\nclient:\n  listen: x\n", `node.yaml:3: client.listen: "x" is no address: write HOST:PORT`},
		{"client: {listen: '127.0.0.1:99999'}\n", "node.yaml:1: client.listen: "},
		{"\n\npeer:\n  advertise: 10.0.0.1:0\n", `node.yaml:4: peer.advertise: "10.0.0.1:0" has no port`},
		{"operations: {listen: here}\n", "node.yaml:1: operations.listen: "},
		{"client:\n  origins: [https://a/]\n", "node.yaml:2: client.origins: "},
		{"join:\n  peers: [10.0.0.1:7545]\n", "node.yaml:1: join: peers and service belong together"},
		{"join: {service: s.pem}\n", "node.yaml:1: join: peers and service belong together"},
		{"join: {peers: [x], service: s.pem}\n", "node.yaml:1: join.peers: "},
		{"timing:\n  tick: 100\n", `node.yaml:2: "100" is no duration`},
		{"timing:\n  tick: 1h\n", "node.yaml:2: timing.tick: 1h0m0s is out of range"},
		{"timing: {heartbeat: 0}\n", "timing.heartbeat: "},
		{"timing: {election: 1}\n", "timing.election: "},
		{"timing: {election: ten}\n", "node.yaml:1: "},
		{"state:\n  bytes: 1GB\n", `node.yaml:2: "1GB" is no size`},
		{"state:\n  bytes: 9999999TiB\n", `is no size`},
		{"state:\n  bytes: [1]\n", `is no size`},
		{"snapshot: {records: 0}\n", "snapshot.records: "},
		{"snapshot: {records: -1}\n", "node.yaml:1: "},
		{"transfer: {rate: 1KiB}\n", "transfer.rate: "},
		{"log: {level: loud}\n", `log.level: "loud" is not known: write one of [debug info warn error]`},
		{"log: {format: xml}\n", "log.format: "},
		{"tracing: {endpoint: '127.0.0.1:4318'}\n", "tracing.endpoint: "},
		{"tracing: {ratio: 2}\n", "tracing.ratio: "},
		{"tracing: {ratio: .nan}\n", "tracing.ratio: "},
		{"data: ''\n", "node.yaml:1: data: name a directory"},
		{"data: x\ndata: y\n", "node.yaml:2: "},
		{"data: [x\n", "node.yaml:"},
		{"- x\n", "node.yaml:1: "},
		{"data: x\n---\ndata: y\n", "node.yaml:"},
		{"data: " + strings.Repeat("x", maxSize), "more than"},
	} {
		_, err := Parse("node.yaml", []byte(c.text))
		if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60q: %.300v, not %s", c.text, err, c.says)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "node.yaml")
	if _, err := Read(name); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if err := Write(name); err != nil {
		t.Fatal(err)
	}
	if err := Write(name); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	c, err := Read(name)
	if err != nil || c.Data != filepath.Join(dir, "coco-node") || c.Join.Service != "" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := os.WriteFile(name, []byte("data: /a\njoin: {peers: ['h:1'], service: s.pem}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := Read(name); err != nil || c.Data != "/a" || c.Join.Service != filepath.Join(dir, "s.pem") {
		t.Errorf("%+v, %v", c, err)
	}
}

// FuzzParse: whatever the file holds, it is read or refused, without harm.
func FuzzParse(f *testing.F) {
	f.Add(Template)
	f.Add("data: &a [*a, *a]\n")
	f.Add("? {}\n: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse("node.yaml", []byte(text)); err != nil && !errors.Is(err, ErrFile) {
			t.Errorf("%v", err)
		}
	})
}
