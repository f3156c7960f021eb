package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"

	"github.com/ethereum/go-ethereum/crypto"
)

// A key file is
//
//	"coco vault key 1\n"  17 bytes
//	salt                  32 bytes, random
//	AES-256-GCM           of private key (32 bytes) and person, 16 bytes of tag
//
// under a key derived from the vault's for this salt alone, so that the nonce is
// zero. What stands before and the file's name are authenticated: a file that was
// renamed to another person's is damaged.
const (
	keyMagic  = "coco vault key 1\n"
	saltSize  = 32
	secretLen = 32
	maxPerson = 512 // bytes of an external id
	maxKey    = len(keyMagic) + saltSize + secretLen + maxPerson + 16
)

func keyCipher(seal, salt []byte) cipher.AEAD {
	key := derive(seal, salt, "key")
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// sealKey makes a key file's content.
func sealKey(seal []byte, name, person string, secret []byte) []byte {
	out := make([]byte, len(keyMagic)+saltSize, maxKey)
	copy(out, keyMagic)
	salt := out[len(keyMagic):]
	_, _ = rand.Read(salt) // never fails
	clearText := append(append(make([]byte, 0, secretLen+len(person)), secret...), person...)
	defer clear(clearText)
	aead := keyCipher(seal, salt)
	return aead.Seal(out, make([]byte, aead.NonceSize()), clearText, append([]byte(name), out...))
}

// openKey reads a key file's content; the caller clears secret. Everything that
// does not fit is VAULT_DAMAGED.
func openKey(seal []byte, name string, data []byte) (person string, secret []byte, err error) {
	if len(data) > maxKey || len(data) < len(keyMagic)+saltSize || !bytes.HasPrefix(data, []byte(keyMagic)) {
		return "", nil, ErrDamaged.From(errors.New(name + " is no key file"))
	}
	head := data[:len(keyMagic)+saltSize]
	aead := keyCipher(seal, head[len(keyMagic):])
	clearText, err := aead.Open(nil, make([]byte, aead.NonceSize()), data[len(head):], append([]byte(name), head...))
	if err != nil || len(clearText) <= secretLen {
		return "", nil, ErrDamaged.From(errors.New(name + " does not open"))
	}
	defer clear(clearText)
	secret = bytes.Clone(clearText[:secretLen])
	key, err := crypto.ToECDSA(secret)
	if err != nil {
		clear(secret)
		return "", nil, ErrDamaged.From(errors.New(name + " holds no key"))
	}
	forget(key)
	return string(clearText[secretLen:]), secret, nil
}

// forget clears a private key that is not needed any more.
func forget(k *ecdsa.PrivateKey) {
	//lint:ignore SA1019 nothing else reaches the memory in which the key lies
	clear(k.D.Bits())
}
