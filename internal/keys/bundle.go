package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/fxamacker/cbor/v2"

	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/problem"
)

// Bundle is every secret of a service that must outlive its nodes, the only
// secrets at rest. It is stored sealed, outside the ledger: encrypted once, by
// Seal, under a random key that is wrapped for each recipient. The files of
// different nodes differ only in their recipients, and so have one Digest.
type Bundle struct {
	Number     uint64
	Service    Service
	ServiceKey *ecdsa.PrivateKey
	Checkpoint ed25519.PrivateKey
	Secrets    map[Epoch]Secret

	file bundleFile // as sealed, without recipients
	key  Secret     // that it is sealed under
}

// Sealer wraps and unwraps the key of a bundle for one recipient.
type Sealer interface {
	// Recipient names the kind of recipient, such as "sealing/sim".
	Recipient() string
	Wrap(key, context []byte) ([]byte, error)
	Unwrap(wrapped, context []byte) ([]byte, error)
}

// ErrBundle says that a key bundle cannot be opened.
var ErrBundle = problem.New("KEY_BUNDLE", "the key bundle cannot be opened",
	"use the data directory as the node left it, with its keys folder; without the bundle the private part of the ledger stays closed")

const maxBundle = 1 << 20

type bundleFile struct {
	_          struct{} `cbor:",toarray"`
	Format     uint64
	Service    [16]byte
	Mode       string
	Number     uint64
	Recipients []recipient
	Nonce      [12]byte
	Ciphertext []byte
}

type recipient struct {
	_       struct{} `cbor:",toarray"`
	Kind    string
	Wrapped []byte
}

type bundleContent struct {
	_          struct{} `cbor:",toarray"`
	ServiceKey []byte   // big-endian scalar of the P-256 key
	Checkpoint []byte   // Ed25519 seed
	Secrets    []bundleSecret
}

type bundleSecret struct {
	_      struct{} `cbor:",toarray"`
	Domain string
	Epoch  uint64
	Secret []byte
}

func (f *bundleFile) context() []byte {
	c, err := canonical.Marshal([]any{"coco/bundle", f.Format, f.Service, f.Mode, f.Number})
	if err != nil {
		panic(err) // plain values always marshal
	}
	return c
}

// Ring is the bundle's secrets, ready to derive from.
func (b *Bundle) Ring() *Ring { return NewRing(b.Service, b.Secrets) }

// Seal encrypts the bundle under a random key and wraps that key for each
// recipient. It is called once, by the node that makes the bundle; other files of
// it come from Rewrap.
func (b *Bundle) Seal(recipients ...Sealer) ([]byte, error) {
	scalar, err := b.ServiceKey.Bytes()
	if err != nil {
		return nil, err
	}
	content := bundleContent{ServiceKey: scalar, Checkpoint: b.Checkpoint.Seed()}
	for _, e := range b.Ring().Epochs() {
		s := b.Secrets[e]
		content.Secrets = append(content.Secrets, bundleSecret{Domain: e.Domain, Epoch: e.Number, Secret: s[:]})
	}
	plain, err := canonical.Marshal(content)
	if err != nil {
		return nil, err
	}
	file := bundleFile{Service: b.Service.ID, Mode: b.Service.Mode, Number: b.Number, Recipients: []recipient{}}
	key := NewSecret()
	rand.Read(file.Nonce[:])
	file.Ciphertext = gcm(key).Seal(nil, file.Nonce[:], plain, file.context())
	b.file, b.key = file, key
	return b.Rewrap(recipients...)
}

// Rewrap is the same sealed bundle for other recipients, such as the platform of
// a node that joined. The bundle was sealed, opened or imported before.
func (b *Bundle) Rewrap(recipients ...Sealer) ([]byte, error) {
	if b.file.Ciphertext == nil {
		return nil, ErrBundle.From(errors.New("it was never sealed"))
	}
	file := b.file
	context := file.context()
	for _, r := range recipients {
		wrapped, err := r.Wrap(b.key[:], context)
		if err != nil {
			return nil, err
		}
		file.Recipients = append(file.Recipients, recipient{Kind: r.Recipient(), Wrapped: wrapped})
	}
	return canonical.Marshal(file)
}

// Digest is the SHA-256 of the sealed bundle without its recipients, by which
// the ledger names it. The bundle was sealed, opened or imported before.
func (b *Bundle) Digest() [32]byte { return b.file.digest() }

// DigestOf is the digest of a sealed bundle, which need not be opened for it.
func DigestOf(sealed []byte) ([32]byte, error) {
	var file bundleFile
	if err := decode(sealed, &file); err != nil {
		return [32]byte{}, ErrBundle.From(err)
	}
	return file.digest(), nil
}

// Owner is the service that a sealed bundle says it is of. It need not be opened
// for it.
func Owner(sealed []byte) (service [16]byte, err error) {
	var file bundleFile
	if err := decode(sealed, &file); err != nil {
		return service, ErrBundle.From(err)
	}
	return file.Service, nil
}

func (f bundleFile) digest() [32]byte {
	f.Recipients = []recipient{}
	data, err := canonical.Marshal(f)
	if err != nil {
		panic(err) // plain values always marshal
	}
	return sha256.Sum256(data)
}

// OpenBundle opens a sealed bundle as one of its recipients.
func OpenBundle(data []byte, as Sealer) (*Bundle, error) {
	var file bundleFile
	if err := decode(data, &file); err != nil {
		return nil, ErrBundle.From(err)
	}
	context := file.context()
	for _, r := range file.Recipients {
		if r.Kind != as.Recipient() {
			continue
		}
		key, err := as.Unwrap(r.Wrapped, context)
		if err != nil || len(key) != 32 {
			return nil, ErrBundle.From(fmt.Errorf("the %s key does not fit", r.Kind))
		}
		return file.open(Secret(key))
	}
	return nil, ErrBundle.From(fmt.Errorf("it has no recipient of kind %s", as.Recipient()))
}

// open opens the bundle with its key.
func (f *bundleFile) open(key Secret) (*Bundle, error) {
	plain, err := gcm(key).Open(nil, f.Nonce[:], f.Ciphertext, f.context())
	if err != nil {
		return nil, ErrBundle.From(errors.New("its content was changed"))
	}
	var content bundleContent
	if err := decode(plain, &content); err != nil {
		return nil, ErrBundle.From(err)
	}
	serviceKey, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), content.ServiceKey)
	if err != nil {
		return nil, ErrBundle.From(err)
	}
	if len(content.Checkpoint) != ed25519.SeedSize {
		return nil, ErrBundle.From(errors.New("its checkpoint key has a wrong size"))
	}
	b := &Bundle{
		Number:     f.Number,
		Service:    Service{ID: f.Service, Mode: f.Mode},
		ServiceKey: serviceKey,
		Checkpoint: ed25519.NewKeyFromSeed(content.Checkpoint),
		Secrets:    map[Epoch]Secret{},
		file:       *f,
		key:        key,
	}
	b.file.Recipients = []recipient{}
	for _, s := range content.Secrets {
		if len(s.Secret) != len(Secret{}) {
			return nil, ErrBundle.From(errors.New("a secret has a wrong size"))
		}
		b.Secrets[Epoch{s.Domain, s.Epoch}] = Secret(s.Secret)
	}
	return b, nil
}

func decode(data []byte, v any) error {
	mode, err := cbor.DecOptions{IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, MaxNestedLevels: 8, MaxArrayElements: 4096}.DecMode()
	if err != nil {
		return err
	}
	if err := mode.Unmarshal(data, v); err != nil {
		return err
	}
	if again, err := canonical.Marshal(v); err != nil || !bytes.Equal(again, data) {
		return errors.New("it is not canonically encoded")
	}
	return nil
}

func gcm(key Secret) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes is a valid key size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return aead
}

// Name is the file name of bundle n.
func Name(n uint64) string { return fmt.Sprintf("bundle-%d", n) }

// Save writes sealed bundle n durably into dir and removes all but it and n-1.
func Save(f disk.FS, dir string, n uint64, sealed []byte) error {
	if err := disk.WriteFile(f, path.Join(dir, Name(n)), sealed); err != nil {
		return err
	}
	if n < 2 {
		return nil
	}
	if err := f.Remove(path.Join(dir, Name(n-2))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.SyncDir(f, dir)
}

// Read reads sealed bundle n and checks it against the digest that a record
// published.
func Read(f disk.FS, dir string, n uint64, digest [32]byte) ([]byte, error) {
	sealed, err := disk.ReadFile(f, path.Join(dir, Name(n)), maxBundle)
	if err != nil {
		return nil, ErrBundle.From(err)
	}
	if found, err := DigestOf(sealed); err != nil || found != digest {
		return nil, ErrBundle.From(fmt.Errorf("%s is not the bundle that the ledger names", Name(n)))
	}
	return sealed, nil
}
