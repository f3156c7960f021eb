//go:build !release

package sim

import (
	"crypto/rsa"
	"crypto/sha3"
	_ "embed"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

// Included tells whether this build can simulate a platform.
const Included = true

// Marker stands in every certificate and chip id of the simulated vendor.
const Marker = "INSECURE SIMULATION"

// The simulated processor: a family that AMD does not use.
const (
	cpuFamily = 0xC0
	cpuModel  = 0xC0
)

// seed is what all keys of the vendor follow from. It is no secret.
const seed = "coco " + Marker + " vendor 1"

// vendorKey names an RSA-4096 key of the vendor. Its primes are the first ones
// after two numbers that SHAKE256 makes of the seed and the name; the distances
// are stated to save the search.
type vendorKey struct {
	name     string
	distance [2]int64
}

var (
	rootKey         = vendorKey{name: "root", distance: [2]int64{246, 2038}}
	intermediateKey = vendorKey{name: "intermediate", distance: [2]int64{872, 1636}}
)

// The vendor's certificates, made from the keys above; a test makes them again.
var (
	//go:embed roots/ark_insecure_simulation.der
	rootDER []byte
	//go:embed roots/ask_insecure_simulation.der
	intermediateDER []byte
)

// product is the simulated line of processors.
var product = snp.Product{
	Name:       ProductName,
	CPUs:       []snp.CPU{{Family: cpuFamily, FirstModel: cpuModel, LastModel: cpuModel}},
	Layout:     snp.LayoutTurin,
	HardwareID: 64,
	ChipName:   Marker + " SEV-VCEK",
}

// Roots is the authority for simulated reports of every development network.
func Roots() attest.Authority { return vendor() }

var vendor = sync.OnceValue(func() *snp.Authority {
	p, err := snp.NewProduct(product, rootDER, intermediateDER)
	if err != nil {
		panic(fmt.Errorf("certificates of the simulated vendor: %w", err)) // part of the program
	}
	return snp.NewAuthority(attest.KindSim, p)
})

// private is the key itself.
func (k vendorKey) private() (*rsa.PrivateKey, error) {
	p, q := k.prime(0), k.prime(1)
	one, e := big.NewInt(1), big.NewInt(65537)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key, key.Validate()
}

func (k vendorKey) prime(i int) *big.Int {
	return new(big.Int).Add(k.start(i), big.NewInt(k.distance[i]))
}

// start is the odd 2048-bit number with its two highest bits set from which
// the search for prime i starts.
func (k vendorKey) start(i int) *big.Int {
	b := make([]byte, 256)
	stream(fmt.Sprintf("%s prime %d", k.name, i)).Read(b)
	b[0] |= 0xC0
	b[255] |= 1
	return new(big.Int).SetBytes(b)
}

// stream is an endless sequence of bytes that follows from the seed.
func stream(label string) io.Reader {
	h := sha3.NewSHAKE256()
	h.Write([]byte(seed + "\x00" + label))
	return h
}
