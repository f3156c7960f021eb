package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/ledger/format"
)

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "version", Short: "Print the version and what this build contains", Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(version())
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), version().text())
			return err
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print it as one line of JSON")
	return c
}

// build is what this program is.
type build struct {
	Version   string `json:"version"`
	Simulated bool   `json:"simulated"` // the build has the simulated platform: it is for development
	Format    uint64 `json:"format"`    // highest level of the ledger's format that it reads
	Go        string `json:"go"`
	System    string `json:"system"`
}

func version() build {
	return build{Version: release(), Simulated: sim.Included, Format: format.Highest, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
}

func (b build) text() string {
	kind := "release build, hardware platforms only"
	if b.Simulated {
		kind = "development build, with the simulated platform"
	}
	return fmt.Sprintf("coco %s (%s; reads format level %d; %s %s)", b.Version, kind, b.Format, b.Go, b.System)
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
