package keys

import (
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
)

// A bundle travels to a node that joins sealed to the key that its evidence
// speaks for, never trusted to the channel: HPKE (RFC 9180), base mode, with
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.

type bundleExport struct {
	_    struct{} `cbor:",toarray"`
	File []byte   // the sealed bundle, without recipients
	Key  [32]byte // that it is sealed under
}

const maxExport = maxBundle + 1<<10

// exportInfo is the info of the key schedule: CBOR["coco/bundle-export/1", context].
func exportInfo(context []byte) []byte {
	info, err := canonical.Marshal([]any{"coco/bundle-export/1", context})
	if err != nil {
		panic(err) // plain values always marshal
	}
	return info
}

// Export seals the bundle and its key to a node's X25519 key. context is what it
// is bound to, such as the service and the node; Import must give the same. The
// bundle was sealed, opened or imported before.
func (b *Bundle) Export(to *ecdh.PublicKey, context []byte) ([]byte, error) {
	if to.Curve() != ecdh.X25519() {
		return nil, ErrBundle.From(errors.New("the key to seal to is not of X25519"))
	}
	file, err := b.Rewrap()
	if err != nil {
		return nil, err
	}
	plain, err := canonical.Marshal(bundleExport{File: file, Key: b.key})
	if err != nil {
		return nil, err
	}
	key, err := hpke.NewDHKEMPublicKey(to)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), exportInfo(context), plain)
}

// Import opens what Export sealed. That the bundle is the one that the ledger
// names is for the caller to check, by its Digest.
func Import(sealed []byte, as *ecdh.PrivateKey, context []byte) (*Bundle, error) {
	if len(sealed) > maxExport || as.Curve() != ecdh.X25519() {
		return nil, ErrBundle.From(errors.New("it is not sealed to this node"))
	}
	key, err := hpke.NewDHKEMPrivateKey(as)
	if err != nil {
		return nil, ErrBundle.From(err)
	}
	plain, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), exportInfo(context), sealed)
	if err != nil {
		return nil, ErrBundle.From(errors.New("it is not sealed to this node"))
	}
	return imported(plain)
}

// imported reads what an export holds.
func imported(plain []byte) (*Bundle, error) {
	var export bundleExport
	if err := decode(plain, &export); err != nil {
		return nil, ErrBundle.From(err)
	}
	var file bundleFile
	if err := decode(export.File, &file); err != nil {
		return nil, ErrBundle.From(err)
	}
	if file.Recipients == nil || len(file.Recipients) > 0 {
		return nil, ErrBundle.From(errors.New("it names recipients"))
	}
	return file.open(Secret(export.Key))
}
