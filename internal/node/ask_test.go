package node

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/ledger/format"
	"github.com/coco-consortium/coco/internal/membership"
	"github.com/coco-consortium/coco/internal/problem"
)

// joins starts a node that should not get far, and gives why it did not.
func joins(t *testing.T, c Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := Start(ctx, c)
	if err == nil {
		stop(t, n)
		t.Fatal("it joined")
	}
	if ctx.Err() != nil {
		t.Fatalf("it went on asking: %v", err)
	}
	return err
}

// validFrom makes service.pem of a node anew, valid in another time.
func validFrom(t *testing.T, n *Node, from, to time.Time) []byte {
	t.Helper()
	block, _ := pem.Decode(n.pem)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	c.NotBefore, c.NotAfter = from, to
	der, err := x509.CreateCertificate(rand.Reader, c, c, &n.bundle.ServiceKey.PublicKey, n.bundle.ServiceKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestJoinWithOtherCertificates ends at once: asking again makes none of them right.
func TestJoinWithOtherCertificates(t *testing.T) {
	first, other := launch(t, t.TempDir(), Founds), launch(t, t.TempDir(), Founds)
	now := time.Now()
	for name, c := range map[string]struct {
		pem  []byte
		want *problem.Error
	}{
		"another network's": {other.pem, ErrStrangers},
		"expired":           {validFrom(t, first, now.Add(-2*time.Hour), now.Add(-time.Hour)), ErrJoinService},
		"of tomorrow":       {validFrom(t, first, now.Add(24*time.Hour), now.Add(48*time.Hour)), ErrJoinService},
		"garbage":           {[]byte("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"), ErrJoinService},
		"nothing":           {nil, ErrJoinService},
	} {
		config := joining(t.TempDir(), first)
		config.Join.Service = c.pem
		if err := joins(t, config); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %s", name, err, c.want.Code)
		}
	}
	if got := len(first.members.get().All()); got != 1 {
		t.Errorf("%d nodes", got)
	}
}

// TestJoinThroughAStranger: one address of another network among those of join.peers
// does not matter, and neither does it while the others are away.
func TestJoinThroughAStranger(t *testing.T) {
	first, other := launch(t, t.TempDir(), Founds), launch(t, t.TempDir(), Founds)
	c := joining(t.TempDir(), first)
	c.Join.Peers = []string{other.peers.advertise, first.peers.advertise}
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, n)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // a node that is away is asked twice; meanwhile the stranger was, too
		for range 2 {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}
		cancel()
	}()
	c = joining(t.TempDir(), first)
	c.Join.Peers = []string{other.peers.advertise, l.Addr().String()}
	if _, err := Start(ctx, c); !errors.Is(err, ErrNoPeers) {
		t.Errorf("it gives up before the other is back: %v", err)
	}
}

// never is a rule that admits nobody.
type never struct{}

func (never) Judge(*membership.Request, format.Hash, time.Time) (format.NodeStatus, error) {
	return 0, membership.ErrRefused.From(errors.New("nobody is admitted on a Monday"))
}

// TestJoinRefused: what the rule says ends it, and is said.
func TestJoinRefused(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	first.keeper.Rule = never{}
	if err := joins(t, joining(t.TempDir(), first)); !errors.Is(err, membership.ErrRefused) || !strings.Contains(err.Error(), "on a Monday") {
		t.Error(err)
	}
}

// TestJoinWithoutEvidence: evidence of something else than this session is refused.
func TestJoinWithoutEvidence(t *testing.T) {
	first := launch(t, t.TempDir(), Founds)
	rule := first.keeper.Rule.(membership.EvidenceRule)
	genesis := *rule.Genesis
	genesis.Service[0]++ // evidence is bound to the service
	rule.Genesis = &genesis
	first.keeper.Rule = rule
	if err := joins(t, joining(t.TempDir(), first)); !errors.Is(err, membership.ErrRefused) {
		t.Error(err)
	}
}
