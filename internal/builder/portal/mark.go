package portal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// marks seals what a page remembers and its reader must not learn. The key lives as
// long as the process.
type marks struct{ cipher cipher.AEAD }

func newMarks() (marks, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return marks{}, err
	}
	c, err := cipher.NewGCMWithRandomNonce(block)
	return marks{c}, err
}

func (m marks) seal(text string, at time.Time) string {
	plain := append(binary.BigEndian.AppendUint64(nil, uint64(at.Unix())), text...)
	return base64.RawURLEncoding.EncodeToString(m.cipher.Seal(nil, nil, plain, nil))
}

func (m marks) open(mark string) (text string, at time.Time, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(mark)
	if err != nil {
		return "", time.Time{}, false
	}
	plain, err := m.cipher.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) < 8 {
		return "", time.Time{}, false
	}
	return string(plain[8:]), time.Unix(int64(binary.BigEndian.Uint64(plain)), 0), true
}
