package node

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/attest/snp"
	"github.com/coco-consortium/coco/internal/disk"
	"github.com/coco-consortium/coco/internal/keys"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrRelease says that a release build cannot start a development network.
var ErrRelease = problem.New("RELEASE_BUILD", "this is a release build: it has no simulated platform and starts no development network",
	"use the development build (go build without -tags release), or start a node on a real platform")

// chipFile is what stands in for the secret fused into a chip. Whoever reads it
// is the chip, and opens the key bundle: its name says so.
const chipFile = "INSECURE-simulated-chip"

// platform is the machine as the node needs it: evidence, and sealing.
type platform struct {
	attest.Platform
	sealer keys.Sealer
	policy attest.Policy // of the network that this platform would found
}

// The simulated platform reports one measurement for every development build,
// so that a data directory outlives a rebuild. It proves nothing, and says so.
var (
	developmentMeasurement = sha512.Sum384([]byte("coco development node, INSECURE SIMULATION"))
	developmentHostData    = sha256.Sum256([]byte("coco development network"))
)

// simulated opens the simulated platform whose chip lies in dir, or makes it.
func simulated(f disk.FS, dir string, now time.Time) (*platform, error) {
	if !sim.Included {
		return nil, ErrRelease
	}
	secret, err := chipSecret(f, path.Join(dir, chipFile))
	if err != nil {
		return nil, err
	}
	p, err := sim.New(sim.Options{ChipSecret: secret, Measurement: developmentMeasurement, HostData: developmentHostData, Now: now})
	if err != nil {
		return nil, err
	}
	sealing, err := p.(attest.Sealer).SealingSecret("coco/bundle")
	if err != nil {
		return nil, err
	}
	return &platform{Platform: p, sealer: keys.PlatformSealer(string(attest.KindSim), sealing),
		policy: sim.Policy(developmentMeasurement, developmentHostData)}, nil
}

func chipSecret(f disk.FS, name string) ([32]byte, error) {
	data, err := disk.ReadFile(f, name, 32)
	if errors.Is(err, fs.ErrNotExist) {
		secret := keys.NewSecret()
		return secret, disk.WriteFile(f, name, secret[:])
	}
	if err != nil {
		return [32]byte{}, err
	}
	if len(data) != 32 {
		return [32]byte{}, keys.ErrBundle.From(errors.New("the simulated chip's secret has a wrong size"))
	}
	return [32]byte(data), nil
}

// authorities judge evidence: real vendors, and the simulated one where this
// build has it. A policy never admits both.
func authorities() []attest.Authority {
	return []attest.Authority{snp.AMD(), sim.Roots()}
}
