package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/coco-consortium/coco/internal/problem"
)

// Options say where a file vault is and what opens it: a passphrase or a key file.
type Options struct {
	Dir        string
	Passphrase []byte           // Open clears it
	KeyFile    string           // path of 32 random bytes
	Existing   bool             // keys of this vault are known: it is never made anew
	Clock      func() time.Time // of the log of uses; nil is time.Now

	scryptN int   // of a new vault; tests make it small
	files   files // tests cut the power
}

// File is the vault in a directory:
//
//	vault.json   how the master key is found and known again; no secret
//	keys/NAME    one sealed file a key; NAME tells the person only to who has the master key
//	uses.log     one line a use, in JSON; see Use
//	uses-N.log   the uses before, from N = 1 on; nothing removes them
//	lock         held while something is made
//
// Several processes may have it open. Private keys are read when they are used
// and cleared after; the derived keys that open them stay in memory until Close.
type File struct {
	dir   string
	names []byte // makes file names of persons
	seal  []byte // seals key files
	files files
	clock func() time.Time

	making sync.Mutex // one maker in this process
	mu     sync.RWMutex
	known  map[string]Key // public sides that are known to be durable
	uses   uses
}

var errOptions = problem.New("VAULT_OPTIONS", "a vault needs a passphrase or a master key file, and not both", "give one of them")

// Open opens the vault in a directory, or makes it there. Wrong passphrase or
// key file: VAULT_LOCKED. One that exists and is not there: VAULT_MISSING.
func Open(ctx context.Context, o Options) (*File, error) {
	defer clear(o.Passphrase)
	if (len(o.Passphrase) == 0) == (o.KeyFile == "") {
		return nil, errOptions
	}
	if o.scryptN == 0 {
		o.scryptN = scryptN
	}
	if o.files == nil {
		o.files = system{}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(o.Dir, headerName)); o.Existing && errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing.From(err)
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, keysName), 0o700); err != nil {
		return nil, down(err)
	}
	unlock, err := lock(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, down(err)
	}
	defer unlock()
	h, err := readHeader(o)
	if err != nil {
		return nil, err
	}
	master, err := h.master(o)
	if err != nil {
		return nil, err
	}
	defer clear(master)
	if !h.opens(master) {
		return nil, ErrLocked
	}
	f := &File{dir: o.Dir, names: derive(master, h.Salt, "names"), seal: derive(master, h.Salt, "seal"),
		files: o.files, clock: o.Clock, known: map[string]Key{}, uses: uses{dir: o.Dir, most: mostUses}}
	return f, f.sweep()
}

// readHeader reads vault.json, or makes it in a directory without keys. The lock
// is held.
func readHeader(o Options) (*header, error) {
	path := filepath.Join(o.Dir, headerName)
	data, err := os.ReadFile(path)
	if err == nil {
		// Whoever wrote it may have been cut off before its name was durable.
		if err := errors.Join(o.files.sync(o.Dir), o.files.sync(filepath.Dir(o.Dir))); err != nil {
			return nil, down(err)
		}
		return decodeHeader(data)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, down(err)
	}
	names, err := os.ReadDir(filepath.Join(o.Dir, keysName))
	if err != nil {
		return nil, down(err)
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), draftPrefix) {
			return nil, ErrDamaged.From(errors.New("there are keys but no " + headerName))
		}
	}
	h, err := newHeader(o)
	if err != nil {
		return nil, err
	}
	if data, err = json.MarshalIndent(h, "", "  "); err != nil {
		return nil, err
	}
	if err := o.files.sync(filepath.Dir(o.Dir)); err != nil {
		return nil, down(err)
	}
	return h, down(place(o.files, path, append(data, '\n')))
}

// sweep removes drafts that a power cut left. The lock is held, so nobody writes one.
func (f *File) sweep() error {
	for _, dir := range []string{f.dir, filepath.Join(f.dir, keysName)} {
		drafts, err := filepath.Glob(filepath.Join(dir, draftPrefix+"*"))
		if err != nil {
			return down(err)
		}
		for _, d := range drafts {
			if err := f.files.remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return down(err)
			}
		}
	}
	return nil
}

// Close forgets the keys that open the vault.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.names)
	clear(f.seal)
	f.names, f.seal = nil, nil
	return down(f.uses.sync())
}

var (
	errClosed = ErrDown.From(errors.New("the vault is closed"))
	errPerson = problem.New("VAULT_PERSON", "this is no external id of a person", "give 1 to 512 bytes of UTF-8")
)

// file is the path and name of a person's key file.
func (f *File) file(person string) (path, name string, err error) {
	if person == "" || len(person) > maxPerson || !utf8.ValidString(person) {
		return "", "", errPerson
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.names == nil {
		return "", "", errClosed
	}
	mac := hmac.New(sha256.New, f.names)
	mac.Write([]byte(person))
	name = hex.EncodeToString(mac.Sum(nil)[:16])
	return filepath.Join(f.dir, keysName, name), name, nil
}

// open reads a person's private key; the caller clears it.
func (f *File) open(person string) (name string, secret []byte, err error) {
	path, name, err := f.file(person)
	if err != nil {
		return "", nil, err
	}
	data, err := readUpTo(path, maxKey+1)
	if errors.Is(err, fs.ErrNotExist) {
		// A vault that is gone, or not mounted, has no key of anybody: that passes.
		for _, n := range []string{headerName, keysName} {
			if _, err := os.Stat(filepath.Join(f.dir, n)); err != nil {
				return "", nil, down(err)
			}
		}
		return "", nil, ErrUnknown
	}
	if err != nil {
		return "", nil, down(err)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.seal == nil {
		return "", nil, errClosed
	}
	whose, secret, err := openKey(f.seal, name, data)
	if err == nil && whose != person {
		clear(secret)
		return "", nil, ErrDamaged.From(fmt.Errorf("%s is another person's", name))
	}
	return name, secret, err
}

func readUpTo(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(n)))
}

// Key implements Vault.
func (f *File) Key(ctx context.Context, person string) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, err
	}
	f.mu.RLock()
	k, ok := f.known[person]
	f.mu.RUnlock()
	if ok {
		return k, nil
	}
	_, secret, err := f.open(person)
	if err != nil {
		return Key{}, err
	}
	defer clear(secret)
	// A power cut must not take back an address that somebody was told.
	if err := f.files.sync(filepath.Join(f.dir, keysName)); err != nil {
		return Key{}, down(err)
	}
	return f.learn(person, secret)
}

// learn keeps and gives the public side.
func (f *File) learn(person string, secret []byte) (Key, error) {
	private, err := crypto.ToECDSA(secret)
	if err != nil {
		return Key{}, ErrDamaged.From(err)
	}
	defer forget(private)
	k := Key{Person: person, Address: crypto.PubkeyToAddress(private.PublicKey), PublicKey: crypto.FromECDSAPub(&private.PublicKey)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[person] = k
	return k, nil
}

// Create implements Vault.
func (f *File) Create(ctx context.Context, person string) (Key, error) {
	k, err := f.Key(ctx, person)
	if !errors.Is(err, ErrUnknown) {
		return k, err
	}
	f.making.Lock()
	defer f.making.Unlock()
	unlock, err := lock(filepath.Join(f.dir, lockName))
	if err != nil {
		return Key{}, down(err)
	}
	defer unlock()
	if k, err := f.Key(ctx, person); !errors.Is(err, ErrUnknown) {
		return k, err // another was faster
	}
	path, name, err := f.file(person)
	if err != nil {
		return Key{}, err
	}
	private, err := crypto.GenerateKey()
	if err != nil {
		return Key{}, err
	}
	secret := crypto.FromECDSA(private)
	forget(private)
	defer clear(secret)
	f.mu.RLock()
	seal := bytes.Clone(f.seal)
	f.mu.RUnlock()
	defer clear(seal)
	if seal == nil {
		return Key{}, errClosed
	}
	if err := place(f.files, path, sealKey(seal, name, person, secret)); err != nil {
		return Key{}, down(err)
	}
	return f.learn(person, secret)
}

// Sign implements Vault.
func (f *File) Sign(ctx context.Context, person, purpose string, digest [32]byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, secret, err := f.open(person)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	private, err := crypto.ToECDSA(secret)
	if err != nil {
		return nil, ErrDamaged.From(err)
	}
	defer forget(private)
	if err := f.uses.add(f.clock(), name, purpose, digest); err != nil {
		return nil, down(err)
	}
	signature, err := crypto.Sign(digest[:], private)
	if err != nil {
		return nil, err
	}
	return signature[:64], nil
}
