// Package nodefile reads node.yaml, the configuration of one node, and writes one
// that explains every field.
//
// What is not known is refused, with the line where it stands: a misspelt field
// would otherwise silently mean its default.
package nodefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of node.yaml.
var (
	ErrFile = problem.New("NODE_FILE", "the node's configuration file cannot be used",
		"mend the line that the cause names; coco node init writes a file that explains every field")
	ErrMissing = problem.New("NODE_FILE_MISSING", "there is no configuration file",
		"write one with coco node init --config FILE, or name yours with --config")
	ErrUnwritable = problem.New("NODE_FILE_UNWRITABLE", "the configuration file cannot be written",
		"check the directory and who owns it, or name another file with --config")
	ErrExists = problem.New("NODE_FILE_EXISTS", "the configuration file is there already",
		"edit it, or name another with --config")
)

// maxSize bounds what is read, in bytes.
const maxSize = 1 << 20

// File is node.yaml. The names of fields are those of the file.
type File struct {
	Data       string     `yaml:"data"`
	Client     Client     `yaml:"client"`
	KeyValue   KeyValue   `yaml:"keyvalue"`
	Peer       Peer       `yaml:"peer"`
	Operations Operations `yaml:"operations"`
	Join       Join       `yaml:"join"`
	Timing     Timing     `yaml:"timing"`
	Snapshot   Snapshot   `yaml:"snapshot"`
	State      State      `yaml:"state"`
	History    bool       `yaml:"history"`
	Transfer   Transfer   `yaml:"transfer"`
	Log        Log        `yaml:"log"`
	Tracing    Tracing    `yaml:"tracing"`
}

// Client is where and whom the node serves JSON-RPC.
type Client struct {
	Listen    string   `yaml:"listen"`
	Advertise string   `yaml:"advertise"`
	Origins   []string `yaml:"origins"`
	Hosts     []string `yaml:"hosts"`
}

// KeyValue is where and whom the node serves entries.
type KeyValue struct {
	Listen  string   `yaml:"listen"`
	Clients string   `yaml:"clients"`
	Hosts   []string `yaml:"hosts"`
}

// Peer is where other nodes reach this one.
type Peer struct {
	Listen    string `yaml:"listen"`
	Advertise string `yaml:"advertise"`
}

// Operations is where status and metrics are served, beside the socket.
type Operations struct {
	Listen string   `yaml:"listen"`
	Hosts  []string `yaml:"hosts"`
}

// Join is the network that the node joins.
type Join struct {
	Peers   []string `yaml:"peers"`
	Service string   `yaml:"service"`
}

// Timing is the pace of consensus.
type Timing struct {
	Tick      Duration `yaml:"tick"`
	Election  int      `yaml:"election"`
	Heartbeat int      `yaml:"heartbeat"`
}

// Snapshot is how often snapshots are taken.
type Snapshot struct {
	Records uint64 `yaml:"records"`
	Bytes   Size   `yaml:"bytes"`
}

// State is the window of old state.
type State struct {
	Blocks uint64 `yaml:"blocks"`
	Bytes  Size   `yaml:"bytes"`
}

// Transfer bounds what the node gives to joining ones.
type Transfer struct {
	Rate Size `yaml:"rate"`
}

// Log is what the node logs.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Tracing is where traces go.
type Tracing struct {
	Endpoint string  `yaml:"endpoint"`
	Ratio    float64 `yaml:"ratio"`
}

// Default is a file in which every field has its default.
func Default() File {
	return File{
		Data:     "coco-node",
		Client:   Client{Listen: "127.0.0.1:8545", Origins: []string{}, Hosts: []string{}},
		KeyValue: KeyValue{Hosts: []string{}},
		Peer:     Peer{Listen: "127.0.0.1:7545"},
		Join:     Join{Peers: []string{}},
		Timing:   Timing{Tick: Duration(50 * time.Millisecond), Election: 8, Heartbeat: 1},
		Snapshot: Snapshot{Records: 10_000, Bytes: 8 << 20},
		State:    State{Blocks: 90_000, Bytes: 1 << 30},
		History:  true,
		Transfer: Transfer{Rate: 64 << 20},
		Log:      Log{Level: "warn", Format: "text"},
		Tracing:  Tracing{Ratio: 0.01},

		Operations: Operations{Hosts: []string{}},
	}
}

// Write writes a new file in which every field has its default and an
// explanation. A file that is there stays as it is.
func Write(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrExists.From(err)
	case err != nil:
		return ErrUnwritable.From(err)
	}
	_, err = io.WriteString(f, Template)
	if err := errors.Join(err, f.Close()); err != nil {
		return ErrUnwritable.From(err)
	}
	return nil
}

// Read reads a file. Relative paths in it start at its directory.
func Read(name string) (File, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, ErrMissing.From(err)
	}
	if err != nil {
		return File{}, ErrFile.From(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return File{}, ErrFile.From(err)
	}
	c, err := Parse(filepath.Base(name), text)
	if err != nil {
		return File{}, err
	}
	for _, path := range []*string{&c.Data, &c.Join.Service, &c.KeyValue.Clients} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(name), *path)
		}
	}
	return c, nil
}

// Parse reads the text of a file. Fields that it leaves out have their defaults.
func Parse(name string, text []byte) (File, error) {
	c := Default()
	if len(text) > maxSize {
		return c, ErrFile.From(fmt.Errorf("%s has more than %d bytes", name, maxSize))
	}
	var root yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err == nil {
		err = loader.Load(&root)
	}
	switch {
	case errors.Is(err, io.EOF):
		return c, nil // nothing but comments: all defaults
	case err != nil:
		return c, ErrFile.From(located(name, err))
	}
	if err := yaml.Load(text, &c, yaml.WithKnownFields()); err != nil {
		return c, ErrFile.From(located(name, err))
	}
	var faults []error
	for _, f := range c.faults() {
		faults = append(faults, fmt.Errorf("%s:%d: %s: %s", name, line(&root, f.field), f.field, f.fix))
	}
	if len(faults) > 0 {
		return c, ErrFile.From(errors.Join(faults...))
	}
	return c, nil
}

var unknownField = regexp.MustCompile(`^field (\S+) not found in type nodefile\.(\w+)$`)

// located writes the library's errors with the file's name and their lines.
func located(name string, err error) error {
	var many *yaml.LoadErrors
	var list []*yaml.LoadError
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many):
		list = many.Errors
	case errors.As(err, &one):
		list = append(list, one)
	default:
		return fmt.Errorf("%s: %w", name, err)
	}
	var out []error
	for _, e := range list {
		text := e.Message
		if cause := errors.Unwrap(e); cause != nil {
			text = cause.Error()
		}
		if m := unknownField.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s is no field here; known are %s", m[1], strings.Join(known(m[2]), ", "))
		}
		out = append(out, fmt.Errorf("%s:%d: %s", name, e.Mark.Line, text))
	}
	return errors.Join(out...)
}

// line is where a field stands, or the section that leaves it out.
func line(root *yaml.Node, field string) int {
	n, at := root, 1
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for part := range strings.SplitSeq(field, ".") {
		found := false
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				at, n, found = n.Content[i].Line, n.Content[i+1], true
				break
			}
		}
		if !found {
			break
		}
	}
	return at
}
