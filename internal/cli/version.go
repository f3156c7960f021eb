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
	number := "development"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		number = info.Main.Version
	}
	kind := "release build, hardware platforms only"
	if sim.Included {
		kind = "development build, with the simulated platform"
	}
	return fmt.Sprintf("coco %s (%s; format level %d; %s %s/%s)", number, kind, format.Level, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
