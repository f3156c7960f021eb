// Package planted shows that the standing tests can fail. For each bug of
// internal/planted it names the tests that must catch it, builds them with the
// tag `planted`, and runs them: with the bug switched on every one of them has to
// fail, without it every one has to pass.
package planted

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coco-consortium/coco/internal/planted"
)

// watch is a test that must catch a bug.
type watch struct {
	pkg  string // below the module
	test string // its name
}

// watches says which tests catch which bug.
var watches = map[planted.Bug][]watch{
	planted.AckBeforeSync: {
		{"internal/consensus", "TestNetworkOfOneCommitsWhatIsDurable"},
		{"internal/consensus", "TestThreeNodesAgree"},
		{"internal/simulation", "TestPowerCuts"},
		{"internal/node", "TestCrashLaboratory"},
	},
	planted.PublishBeforeCommit: {
		{"internal/sequencer", "TestNothingIsVisibleBeforeItIsCommitted"},
		{"internal/simulation", "TestPowerCuts"},
		{"internal/node", "TestCrashLaboratory"},
	},
	planted.SkipDirectorySync: {
		{"internal/ledger", "TestCrash"},
		{"internal/node", "TestCrashLaboratory"},
	},
	planted.ResealInOneView: {
		{"internal/consensus", "TestRefusedProposalEndsTheView"},
		{"internal/sequencer", "TestOneBlockForAHeightInAView"},
		{"internal/simulation", "TestFailedSeals"},
	},
	planted.AcceptWrongRoot: {
		{"internal/proof", "TestFrontierAgreesWithReference"},
		{"verify", "TestMutations"},
	},
	planted.IgnoreTornTail: {
		{"internal/ledger", "TestCrash"},
		{"internal/ledger", "TestTornTailDoesNotComeBack"},
	},
	planted.ApplyTwice: {
		{"internal/node", "TestCrashLaboratory"},
		{"internal/node", "TestStartFromASnapshot"},
		{"test/process", "TestSecondRun"},
	},
	planted.VoteTwice: {
		{"internal/consensus", "TestScenarios"},
		{"internal/simulation", "TestRaces"},
	},
	planted.OneOfJointPair: {
		{"internal/consensus", "TestScenarios"},
		{"internal/simulation", "TestRetirements"},
	},
	planted.LoseVote: {
		{"internal/consensus", "TestScenarios"},
		{"internal/simulation", "TestPowerCuts"},
	},
	planted.StaleLinearizable: {
		{"internal/consensus", "TestScenarios"},
		{"internal/simulation", "TestIsolatedPrimaries"},
	},
	planted.AcceptWrongBlock: {
		{"internal/ledger/lineage", "TestTailRefusesWrongBlocks"},
		{"internal/consensus", "TestWrongBlocksAreRefused"},
		{"internal/simulation", "TestLyingPrimaries"},
	},
	planted.ForwardTwice: {
		{"internal/forward", "TestEveryRequestOnceInOrder"},
		{"internal/simulation", "TestNoise"},
	},
	planted.ReuseNonce: {
		{"internal/sequencer", "TestNoncesNeverRepeat"},
	},
	planted.UnverifiedSnapshot: {
		{"internal/catchup", "TestUnverifiedSnapshotIsRefused"},
	},
}

const root = "../.."

func TestEveryBugIsWatched(t *testing.T) {
	for _, bug := range planted.All {
		if len(watches[bug]) == 0 {
			t.Errorf("no test watches %s", bug)
		}
	}
	for bug := range watches {
		if !slices.Contains(planted.All, bug) {
			t.Errorf("%s is no planted bug", bug)
		}
	}
}

func TestBugsAreCaught(t *testing.T) {
	programs := build(t)
	for _, bug := range planted.All {
		t.Run(string(bug), func(t *testing.T) {
			for _, w := range watches[bug] {
				out, err := run(t, programs[w.pkg], w, bug)
				switch {
				case err == nil:
					t.Errorf("%s of %s passes with the bug", w.test, w.pkg)
				case strings.Contains(out, "--- FAIL: "+w.test):
				case strings.Contains(out, "panic: test timed out"):
					// A bug may also keep a client waiting for ever.
					t.Logf("%s of %s hangs", w.test, w.pkg)
				default:
					t.Errorf("%s of %s did not fail as a test does: %v\n%s", w.test, w.pkg, err, out)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		done := map[watch]bool{}
		for _, bug := range planted.All {
			for _, w := range watches[bug] {
				if done[w] {
					continue
				}
				done[w] = true
				out, err := run(t, programs[w.pkg], w, "")
				if err != nil || !strings.Contains(out, "--- PASS: "+w.test) {
					t.Errorf("%s of %s without a bug: %v\n%s", w.test, w.pkg, err, out)
				}
			}
		}
	})
}

// build compiles the tests of each watched package with the tag.
func build(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	programs := map[string]string{}
	for _, all := range watches {
		for _, w := range all {
			if programs[w.pkg] != "" {
				continue
			}
			program := filepath.Join(dir, fmt.Sprintf("%d.test", len(programs)))
			c := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "planted", "-o", program, "./"+w.pkg)
			c.Dir = root
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", w.pkg, err, out)
			}
			programs[w.pkg] = program
		}
	}
	return programs
}

// run runs one test where it lies, in its short form. Real processes that it starts are built with
// the tag as well (test/binary) and inherit the bug.
func run(t *testing.T, program string, w watch, bug planted.Bug) (string, error) {
	t.Helper()
	limit := "1m" // a caught bug shows in seconds
	if bug == "" {
		limit = "20m"
	}
	c := exec.CommandContext(t.Context(), program, "-test.v", "-test.short", "-test.run", "^"+w.test+"$", "-test.timeout", limit)
	c.Dir = filepath.Join(root, filepath.FromSlash(w.pkg))
	c.Env = append(os.Environ(), "COCO_PLANTED="+string(bug), "COCO_TEST_TAGS=planted")
	out, err := c.CombinedOutput()
	return string(out), err
}
