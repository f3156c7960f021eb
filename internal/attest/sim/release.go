//go:build release

package sim

import (
	"time"

	"github.com/coco-consortium/coco/internal/attest"
)

// Included tells whether this build can simulate a platform.
const Included = false

// New fails: a release build has no simulated platform.
func New(Options) (attest.Platform, error) {
	return nil, attest.Refuse(attest.ErrPlatform, "this is a release build: it has no simulated platform")
}

// Roots refuses every simulated report, because this build has no root for them.
func Roots() attest.Authority { return absent{} }

type absent struct{}

func (absent) Kind() attest.Kind { return attest.KindSim }

func (absent) Authenticate(attest.Evidence, time.Time) (attest.Claims, error) {
	return attest.Claims{}, attest.Refuse(attest.ErrRoot, "the evidence is simulated and this release build holds no simulated root")
}

func revoked() []attest.Hex { return []attest.Hex{} }
