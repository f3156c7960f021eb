package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/coco-consortium/coco/internal/ledger/format"
)

// Checkpoint is a statement by the service that the ledger had this root at this
// size, made after commit: a signed note (C2SP signed-note, tlog-checkpoint)
// that witnesses can cosign. Two extension lines make it checkable with the
// service certificate alone:
//
//	<hex service id>/<recovery count>
//	<tree size>
//	<base64 root>
//	coco <mode> <height of the last block>
//	coco-key <base64 Ed25519 key> <recovery count when made> <base64 endorsement>
type Checkpoint struct {
	Service     format.ServiceID
	Recoveries  uint64
	Size        uint64
	Root        Hash
	Mode        string
	Height      uint64
	Key         []byte // Ed25519 public key that signs the note
	KeyNumber   uint64 // recovery count when the key was made
	Endorsement []byte // of the key, by the service key
}

const maxCheckpoint = 64 << 10

// Origin names the log: hex service id, a slash, the count of recoveries.
func (c *Checkpoint) Origin() string {
	return hex.EncodeToString(c.Service[:]) + "/" + strconv.FormatUint(c.Recoveries, 10)
}

// Sign is the checkpoint as a note signed by key, whose public half is c.Key.
func (c *Checkpoint) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if !bytes.Equal(c.Key, key.Public().(ed25519.PublicKey)) {
		return nil, ErrCheckpoint.From(fmt.Errorf("it names another key than the one that signs"))
	}
	public, err := note.NewEd25519VerifierKey(c.Origin(), ed25519.PublicKey(c.Key))
	if err != nil {
		return nil, ErrCheckpoint.From(err)
	}
	// A signer key is the verifier key with the seed in place of the public key.
	parts := strings.SplitN(public, "+", 3) // name, hash, key
	const algEd25519 = 1
	secret := append([]byte{algEd25519}, key.Seed()...)
	signer, err := note.NewSigner("PRIVATE+KEY+" + parts[0] + "+" + parts[1] + "+" + base64.StdEncoding.EncodeToString(secret))
	if err != nil {
		return nil, ErrCheckpoint.From(err)
	}
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// ParseCheckpoint reads a note and checks that the key it names signed it.
// Further signatures, such as those of witnesses, are left alone. Whether the
// key speaks for a service is for Verify.
func ParseCheckpoint(data []byte) (*Checkpoint, error) {
	c, err := parseCheckpoint(data)
	if err != nil {
		return nil, ErrCheckpoint.From(err)
	}
	return c, nil
}

// Verify checks that the trusted service endorsed the key of the checkpoint.
func (c *Checkpoint) Verify(trust Trust) error {
	if trust.Service == nil {
		return ErrService.From(fmt.Errorf("no service key is trusted"))
	}
	if err := CheckMode(c.Mode, trust.AllowSimulated); err != nil {
		return err
	}
	subject := Subject{c.Service, c.Mode, PurposeCheckpoint, c.Key, c.KeyNumber}
	if err := VerifyEndorsement(trust.Service, subject, c.Endorsement); err != nil {
		return ErrCheckpoint.From(err)
	}
	return nil
}

// Matches reports whether the checkpoint is of the ledger with h as last block.
func (c *Checkpoint) Matches(h *format.Header) bool {
	return c.Height == h.Height && c.Size == h.TreeSize && c.Root == h.Root
}

func (c *Checkpoint) text() string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s\n%d\n%s\ncoco %s %d\ncoco-key %s %d %s\n", c.Origin(), c.Size, b64(c.Root[:]),
		c.Mode, c.Height, b64(c.Key), c.KeyNumber, b64(c.Endorsement))
}

func parseCheckpoint(data []byte) (*Checkpoint, error) {
	if len(data) > maxCheckpoint {
		return nil, fmt.Errorf("%d bytes", len(data))
	}
	end := bytes.Index(data, []byte("\n\n"))
	if end < 0 {
		return nil, fmt.Errorf("not a signed note")
	}
	text := string(data[:end+1])
	lines := strings.Split(text, "\n")
	if len(lines) != 6 {
		return nil, fmt.Errorf("%d lines of text, not 5", len(lines)-1)
	}
	var c Checkpoint
	service, recoveries, _ := strings.Cut(lines[0], "/")
	id, _ := hex.DecodeString(service)
	root, _ := base64.StdEncoding.DecodeString(lines[2])
	head, key := strings.Split(lines[3], " "), strings.Split(lines[4], " ")
	if len(id) != 16 || len(root) != 32 || len(head) != 3 || len(key) != 4 {
		return nil, fmt.Errorf("its text is not that of a checkpoint")
	}
	c.Service, c.Root, c.Mode = format.ServiceID(id), Hash(root), head[1]
	c.Recoveries, _ = strconv.ParseUint(recoveries, 10, 64)
	c.Size, _ = strconv.ParseUint(lines[1], 10, 64)
	c.Height, _ = strconv.ParseUint(head[2], 10, 64)
	c.KeyNumber, _ = strconv.ParseUint(key[2], 10, 64)
	c.Key, _ = base64.StdEncoding.DecodeString(key[1])
	c.Endorsement, _ = base64.StdEncoding.DecodeString(key[3])
	if len(c.Key) != ed25519.PublicKeySize || c.text() != text {
		return nil, fmt.Errorf("its text is not in its one form") // whatever did not parse differs here
	}
	public, err := note.NewEd25519VerifierKey(c.Origin(), ed25519.PublicKey(c.Key))
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, err
	}
	n, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	own := n.Sigs[0].Base64 // repeated signatures by one key are refused by Open
	if raw, err := base64.StdEncoding.Strict().DecodeString(own); n.Text != text || err != nil || len(raw) != 4+ed25519.SignatureSize {
		return nil, fmt.Errorf("the signed text or its signature is not in its one form")
	}
	return &c, nil
}
