package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

// version says what this build is.
func version() string {
	kind := "release build, hardware platforms only"
	if sim.Included {
		kind = "development build, with the simulated platform"
	}
	return fmt.Sprintf("coco %s (%s; format level %d; %s %s/%s)", release(), kind, format.Level, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// clientVersion is how a node names its program to clients, in the form that
// Ethereum nodes use.
func clientVersion() string {
	return fmt.Sprintf("coco/%s/%s-%s/%s", release(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// release is the version of the module that was built.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
