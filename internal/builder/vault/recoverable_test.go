package vault

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"pgregory.net/rapid"
)

func der(r, s *big.Int) []byte {
	out, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err)
	}
	return out
}

// TestRecoverable gives one signature in every form that vaults return.
func TestRecoverable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret")
		secret[0], secret[31] = secret[0]&0x7f, secret[31]|1 // between 0 and the order
		key, err := crypto.ToECDSA(secret)
		if err != nil {
			t.Fatal(err)
		}
		address := crypto.PubkeyToAddress(key.PublicKey)
		digest := [32]byte(crypto.Keccak256(rapid.SliceOf(rapid.Byte()).Draw(t, "message")))
		want, err := crypto.Sign(digest[:], key)
		if err != nil {
			t.Fatal(err)
		}
		r, s := new(big.Int).SetBytes(want[:32]), new(big.Int).SetBytes(want[32:64])
		high := new(big.Int).Sub(order, s)
		rawHigh := append(bytes.Clone(want[:32]), high.FillBytes(make([]byte, 32))...)
		for name, form := range map[string][]byte{
			"raw": want[:64], "raw high": rawHigh, "with v": want, "with v of EIP-155": append(bytes.Clone(want[:64]), 37),
			"DER": der(r, s), "DER high": der(r, high),
		} {
			if got, err := Recoverable(digest, form, address); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: %x %v", name, got, err)
			}
		}
		for name, form := range map[string][]byte{
			"nothing": nil, "short": want[:63], "zero r": append(make([]byte, 32), want[32:64]...), "zero s": append(bytes.Clone(want[:32]), make([]byte, 32)...),
			"negative": der(new(big.Int).Neg(r), s), "rest": append(der(r, s), 0), "r too large": der(new(big.Int).Add(r, order), s), "swapped": der(s, r),
		} {
			if got, err := Recoverable(digest, form, address); err == nil {
				t.Fatalf("%s: %x", name, got)
			}
		}
	})
}

func FuzzDER(f *testing.F) {
	f.Add(der(big.NewInt(1), big.NewInt(2)))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, s, ok := decodeDER(in)
		if ok && r.Sign() > 0 && s.Sign() > 0 && !bytes.Equal(der(r, s), in) {
			t.Errorf("%x is not the only form", in)
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	seal := bytes.Repeat([]byte{1}, 32)
	key, _ := crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	good := sealKey(seal, "name", "alice", crypto.FromECDSA(key))
	f.Add(good)
	f.Add([]byte(keyMagic))
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, in []byte) {
		person, secret, err := openKey(seal, "name", in)
		if err == nil && (person != "alice" || len(secret) != 32) {
			t.Errorf("opened what was not sealed: %q", person)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(`{"format":1,"master":"passphrase","n":131072,"r":8,"p":1,"salt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","check":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`))
	f.Add([]byte(`{"format":1,"master":"passphrase","n":1e9}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if h, err := decodeHeader(in); err == nil && (h.N > maxScryptN || h.R > 8 || h.P > 1) {
			t.Errorf("a header that asks for too much: %+v", h)
		}
	})
}
