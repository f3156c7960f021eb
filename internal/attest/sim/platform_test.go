//go:build !release

package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/attest"
	"github.com/coco-consortium/coco/internal/attest/snp"
)

var (
	now      = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	question = attest.ReportData{1, 2, 3}
	options  = Options{ChipSecret: [32]byte{7}, Measurement: [48]byte{8}, HostData: [32]byte{9}, Now: now}
)

func platform(t testing.TB, faults ...Fault) *Platform {
	t.Helper()
	o := options
	o.Faults = faults
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*Platform)
}

func evidence(t testing.TB, p *Platform, data attest.ReportData) attest.Evidence {
	t.Helper()
	e, err := p.Evidence(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func verify(p *Platform, e attest.Evidence) (attest.Verdict, error) {
	return attest.Verify(e, question, Policy(p.Measurement(), p.HostData()), now, snp.AMD(), Roots())
}

func TestSimulatedEvidenceIsAccepted(t *testing.T) {
	p := platform(t)
	v, err := verify(p, evidence(t, p, question))
	if err != nil {
		t.Fatal(err, v.Violated())
	}
	if v.Tier != attest.TierSimulated || v.Claims.Product != ProductName || v.Claims.ReportVersion != 5 ||
		!strings.HasPrefix(string(v.Claims.ChipID[:]), Marker) {
		t.Errorf("verdict %+v", v)
	}
}

// Every fault is refused, for its reason.
func TestEveryFaultIsRefused(t *testing.T) {
	rules := map[Fault]string{
		StaleTCB: "min_tcb.reported", DebugBit: "guest.debug", RevokedChip: "deny.chips", ProvisionalFirmware: "provisional",
	}
	kinds := map[Fault]error{
		WrongSignature: attest.ErrSignature, StaleTCB: attest.ErrPolicy, DebugBit: attest.ErrPolicy, RevokedChip: attest.ErrPolicy,
		ReplayedNonce: attest.ErrBinding, ProvisionalFirmware: attest.ErrPolicy, ExpiredCertificate: attest.ErrExpired,
		ClockSkew: attest.ErrExpired, CollateralRollback: attest.ErrChip, ForeignKey: attest.ErrBinding,
	}
	for _, fault := range Faults() {
		t.Run(string(fault), func(t *testing.T) {
			p := platform(t, fault)
			if fault == ReplayedNonce {
				evidence(t, p, attest.ReportData{0xEE}) // the one that is replayed
			}
			v, err := verify(p, evidence(t, p, question))
			if kind, ok := kinds[fault]; !ok || !errors.Is(err, kind) {
				t.Fatalf("got %v, want %v", err, kind)
			}
			if rule := rules[fault]; rule != "" && (len(v.Violated()) == 0 || v.Violated()[0].Name != rule) {
				t.Errorf("violated %+v, want first %s", v.Violated(), rule)
			}
		})
	}
}

// The same machine is the same chip, certificate, report and sealing secret; a
// different one differs in all.
func TestPlatformsFollowFromTheirOptions(t *testing.T) {
	a, b := platform(t), platform(t)
	if string(evidence(t, a, question).Report) != string(evidence(t, b, question).Report) || string(a.chipDER) != string(b.chipDER) {
		t.Error("equal options give different evidence")
	}
	secret := func(o Options, label string) [32]byte {
		p, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.(attest.Sealer).SealingSecret(label)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	other, measured, configured := options, options, options
	other.ChipSecret[0]++
	measured.Measurement[0]++
	configured.HostData[0]++
	seen := map[[32]byte]string{secret(options, "bundle"): "same"}
	if again := secret(options, "bundle"); seen[again] != "same" {
		t.Error("a sealing secret changes")
	}
	for name, s := range map[string][32]byte{
		"chip": secret(other, "bundle"), "measurement": secret(measured, "bundle"),
		"host data": secret(configured, "bundle"), "label": secret(options, "bundle2"),
	} {
		if with, ok := seen[s]; ok {
			t.Errorf("another %s gives the sealing secret of %s", name, with)
		}
		seen[s] = name
	}
	p, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	if p.(*Platform).ChipID() == a.ChipID() {
		t.Error("two chips have one id")
	}
}

// Rail: hardware verifiers refuse simulated evidence at the root, before any
// policy is looked at, whatever the evidence calls itself and brings along.
func TestHardwareRootsRefuseSimulation(t *testing.T) {
	p := platform(t)
	honest := evidence(t, p, question)
	disguised := honest
	disguised.Kind = attest.KindSNP
	armed := disguised
	armed.Chain = [][]byte{intermediateDER, rootDER}
	turin := p.report // correctly signed, and claiming a genuine product line
	turin.ReportData, turin.CPUFamily, turin.CPUModel = question, 0x1A, 0x02
	if err := sign(&turin, p.key); err != nil {
		t.Fatal(err)
	}
	claimed := attest.Evidence{Kind: attest.KindSNP, Report: turin.Bytes(), Chip: p.chipDER}
	claimedArmed := claimed
	claimedArmed.Chain = armed.Chain
	for name, e := range map[string]attest.Evidence{
		"honest": honest, "disguised": disguised, "with its chain": armed,
		"as turin": claimed, "as turin with its chain": claimedArmed,
	} {
		// An invalid policy: were it looked at first, the error would be another.
		_, err := attest.Verify(e, question, attest.Policy{}, now, snp.AMD())
		if !errors.Is(err, attest.ErrRoot) {
			t.Errorf("%s: %v, want %v", name, err, attest.ErrRoot)
		}
	}
	// And simulated roots do not make hardware of it.
	for _, e := range []attest.Evidence{disguised, claimed} {
		if _, err := verify(p, e); !errors.Is(err, attest.ErrRoot) {
			t.Errorf("simulated evidence as hardware beside simulated roots: %v", err)
		}
	}
	e := claimed
	e.Kind = attest.KindSim
	if _, err := verify(p, e); !errors.Is(err, attest.ErrRoot) {
		t.Errorf("a turin report by the simulated vendor: %v", err)
	}
}

func TestEvidenceHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := platform(t).Evidence(ctx, question); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
