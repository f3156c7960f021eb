//go:build !release

package sim

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verifier is a program that holds everything a verifier of both kinds holds.
// It prints the verdict on the evidence in the file it is given.
const verifier = `package main

import (
	"fmt"
	"os"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/sim"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

func main() {
	_, started := sim.New(sim.Options{Now: time.Unix(1780315200, 0)})
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	e, err := attest.DecodeEvidence(data)
	if err != nil {
		panic(err)
	}
	want := attest.ReportData(e.Report[0x50:0x90])
	policy := sim.Policy([48]byte(e.Report[0x90:0xC0]), [32]byte(e.Report[0xC0:0xE0]))
	_, err = attest.Verify(e, want, policy, time.Unix(1780315200, 0), snp.AMD(), sim.Roots())
	fmt.Println("included:", sim.Included)
	fmt.Println("platform:", started)
	fmt.Println("verified:", err)
}
`

// Rail: a release binary contains nothing of the simulated vendor and refuses
// its evidence by saying so. The development binary, built from the same
// program, contains all of it: the search means something.
func TestReleaseBinaryHasNoSimulatedRoot(t *testing.T) {
	dir := t.TempDir()
	p := platform(t)
	data, err := evidence(t, p, question).Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "evidence")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	traces := traces(t)

	dev, devSays := build(t, dir, "", file)
	for name, trace := range traces {
		if !bytes.Contains(dev, trace) && name != "root in base64" && name != "intermediate in base64" {
			t.Errorf("the development binary has no %s: the search finds nothing", name)
		}
	}
	if want := "included: true\nplatform: <nil>\nverified: <nil>\n"; devSays != want {
		t.Errorf("the development binary says %q, want %q", devSays, want)
	}

	release, releaseSays := build(t, dir, "release", file)
	for name, trace := range traces {
		if bytes.Contains(release, trace) {
			t.Errorf("the release binary contains the %s", name)
		}
	}
	for _, want := range []string{"included: false", "platform: ATTEST_PLATFORM", "verified: ATTEST_ROOT", "release build holds no simulated root"} {
		if !strings.Contains(releaseSays, want) {
			t.Errorf("the release binary says %q, without %q", releaseSays, want)
		}
	}
}

func traces(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"marker": []byte(Marker), "seed": []byte(seed), "chip name": []byte(product.ChipName)}
	for name, der := range map[string][]byte{"root": rootDER, "intermediate": intermediateDER} {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		out[name+" key"] = cert.RawSubjectPublicKeyInfo
		out[name+" certificate"] = der
		out[name+" in base64"] = []byte(base64.StdEncoding.EncodeToString(der)[:60])
	}
	return out
}

// build compiles the program as a package of this module that exists only for
// this build, and runs it.
func build(t *testing.T, dir, tags, argument string) (binary []byte, says string) {
	t.Helper()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(verifier), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here, "verifier", "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, out := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "verifier-"+tags)
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", overlayFile, "-tags", tags, "-buildvcs=false", "-o", out, "./verifier")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build with tags %q: %v\n%s", tags, err, output)
	}
	if binary, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(out, argument).CombinedOutput()
	if err != nil {
		t.Fatalf("run with tags %q: %v\n%s", tags, err, output)
	}
	return binary, string(output)
}
