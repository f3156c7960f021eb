// Package vault keeps the ledger keys of people and signs for them.
//
// A person's key is made when the person first appears, never leaves the vault,
// and signs only for the person it belongs to: callers name the person, never the
// key. Every use is written down. The file vault (Open) is the one that ships;
// the interface is small so that hardware and cloud vaults can stand behind it,
// and so that what they return (DER or raw, high s, no recovery id) can be used:
// see Recoverable.
package vault

import (
	"context"

	"github.com/ethereum/go-ethereum/common"

	"github.com/coco-consortium/coco/internal/problem"
)

// Vault makes, names and uses people's keys. It is safe for many callers at
// once, also in several processes over one store.
//
// person is the person's external id: 1 to 512 bytes, any characters. Errors are
// problems; context errors come back as they are.
type Vault interface {
	// Create makes the person's key, or gives the one there is.
	Create(ctx context.Context, person string) (Key, error)
	// Key is the person's key, or VAULT_KEY_UNKNOWN.
	Key(ctx context.Context, person string) (Key, error)
	// Sign signs a digest with the person's key: 64 bytes r || s, s low.
	// purpose says in few words what for; it is written to the log of uses, so
	// it holds no secrets. A use that cannot be written down does not happen.
	Sign(ctx context.Context, person, purpose string, digest [32]byte) ([]byte, error)
}

// Key is the public side of a person's key.
type Key struct {
	Person    string
	Address   common.Address // of the ledger account
	PublicKey []byte         // secp256k1, uncompressed: 65 bytes
}

// The problems of this room.
var (
	ErrLocked  = problem.New("VAULT_LOCKED", "the passphrase or master key does not open the vault", "give the passphrase or the master key file that the vault was made with")
	ErrMissing = problem.New("VAULT_MISSING", "the vault that holds people's keys is not there", "mount or restore its directory, as it was backed up; a new vault could sign for nobody who is known")
	ErrUnknown = problem.New("VAULT_KEY_UNKNOWN", "the vault holds no key of this person", "the key is made when the person first signs in or is added; try again in a moment")
	ErrDamaged = problem.New("VAULT_DAMAGED", "a file of the vault is damaged or was changed", "restore the vault's directory from a backup; the other keys go on working")
	ErrDown    = problem.New("VAULT_DOWN", "the vault cannot be read or written", "check the disk and the permissions of the vault's directory; what waits goes on by itself")
)
