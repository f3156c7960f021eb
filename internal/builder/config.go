// Package builder puts one App Builder together: the off-chain store, the people
// and their keys, the ledgers, what follows them and what sends to them, the
// gateway and the portal, behind one listener.
//
// It is a client of ledgers: it speaks with them over JSON-RPC only and imports no
// room of a node, so it stands inside coco start, on its own (coco builder), or in
// front of another chain.
package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of configuration and start.
var (
	ErrFile = problem.New("BUILDER_FILE", "App Builder's configuration cannot be used",
		"mend what the cause names; docs/reference/builder.md explains every field")
	ErrConfig = problem.New("BUILDER_CONFIG", "App Builder cannot start with this configuration",
		"mend what the cause names; docs/reference/builder.md explains every field")
	ErrListen = problem.New("BUILDER_LISTEN", "App Builder cannot listen there",
		"name another address (coco start --portal, coco builder --listen), or end what listens there; port 0 takes a free one")
)

// maxFile bounds builder.yaml, in bytes.
const maxFile = 1 << 20

// Config is builder.yaml; each flag of coco builder is one of its fields.
type Config struct {
	Listen       string       `yaml:"listen"`       // HOST:PORT of portal and gateway; port 0 takes a free one
	URL          string       `yaml:"url"`          // how browsers reach it, when that is not http://LISTEN
	Data         string       `yaml:"data"`         // directory of the journal, the database and the sessions' key
	Key          string       `yaml:"key"`          // file of the 32 bytes that encrypt them; "": DATA/master.key, made when it is not there
	Database     string       `yaml:"db"`           // PostgreSQL's URL; "": SQLite in DATA, encrypted
	Vault        Vault        `yaml:"vault"`        // people's keys
	Connections  []Connection `yaml:"connections"`  // the first one is where contracts go that name none
	Issuer       string       `yaml:"issuer"`       // of OpenID Connect; "" needs devLogin
	Audience     string       `yaml:"audience"`     // that tokens must be for
	ClientID     string       `yaml:"clientId"`     // the portal's at the issuer; "": the audience
	ClientSecret string       `yaml:"clientSecret"` // of the portal, if it has one; "@FILE" reads it from a file
	RolesClaim   string       `yaml:"rolesClaim"`   // where Administrator stands; "": roles
	DevLogin     bool         `yaml:"devLogin"`     // anybody may sign in as anybody: development only
	Origins      []string     `yaml:"origins"`      // web origins whose pages may call the gateway
	Compilers    string       `yaml:"compilers"`    // directory of Solidity compilers; "": the user's cache
	Strict       bool         `yaml:"strict"`       // refuses Workbench's obsolete base contract

	Listener net.Listener     `yaml:"-"` // instead of Listen: what Listen gave; it is the builder's to close
	People   []identity.Named `yaml:"-"` // offered by the development login
	Samples  bool             `yaml:"-"` // installs the sample applications and gives People their roles
	Version  string           `yaml:"-"`
	Logger   *slog.Logger     `yaml:"-"`
	Clock    func() time.Time `yaml:"-"`
}

// Vault is where people's keys are.
type Vault struct {
	Dir        string `yaml:"dir"`        // "": DATA/vault
	Passphrase string `yaml:"passphrase"` // file that holds it
	Key        string `yaml:"key"`        // file of 32 bytes; without both: DATA/vault.key, made when it is not there
}

// Connection is a ledger.
type Connection struct {
	RPC     Nodes  `yaml:"rpc"`     // URLs of JSON-RPC of nodes of one ledger; the next one is asked when one does not serve
	Kind    string `yaml:"kind"`    // coco (default) or ethereum
	Service string `yaml:"service"` // coco: file of the service certificate that receipts must be from
	Funding string `yaml:"funding"` // ethereum: file with the private key (hex) that pays for people's gas
	From    uint64 `yaml:"from"`    // first block to take in
	// Confirmations is how many blocks upon a block make it final, for a ledger that may
	// replace blocks (ethereum); 0 is 32.
	Confirmations uint64 `yaml:"confirmations"`
}

// Nodes are URLs: one, or a list.
type Nodes []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (n *Nodes) UnmarshalYAML(y *yaml.Node) error {
	if y.Kind == yaml.ScalarNode {
		*n = Nodes{y.Value}
		return nil
	}
	if y.Decode((*[]string)(n)) != nil {
		return fmt.Errorf("line %d: rpc is a URL or a list of URLs", y.Line)
	}
	return nil
}

// Read reads builder.yaml. Unknown fields are refused.
func Read(name string) (Config, error) {
	var c Config
	f, err := os.Open(name)
	if err != nil {
		return c, ErrFile.From(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return c, ErrFile.From(err)
	}
	if len(text) > maxFile {
		return c, ErrFile.From(fmt.Errorf("%s has more than %d bytes", name, maxFile))
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, ErrFile.From(fmt.Errorf("%s: %w", name, err))
	}
	return c, nil
}

// secret reads a value that may stand in a file of its own (@FILE).
func secret(value string) (string, error) {
	if len(value) == 0 || value[0] != '@' {
		return value, nil
	}
	text, err := os.ReadFile(value[1:])
	if err != nil {
		return "", ErrConfig.From(err)
	}
	return string(bytes.TrimSpace(text)), nil
}

// there is whether a file is there.
func there(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
