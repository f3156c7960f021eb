package consortium

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestJunk throws at the peer ports of a working network what does not belong
// there: random bytes, half a handshake, TLS with a certificate of nobody and
// random frames behind it, requests to join that are none. Nodes live, and clients
// notice nothing.
func TestJunk(t *testing.T) {
	t.Parallel()
	network := found(t, newProxies(t), 3)
	l := network.begin(t)
	l.more(t, 30)
	_, view := network.leader()
	nobody := selfSigned(t)
	var throwing sync.WaitGroup
	thrown := 0
	for _, n := range network.running() {
		address := n.place.peer
		for range 4 {
			throwing.Go(func() {
				for i := range 20 {
					throw(address, i, nobody)
				}
			})
			thrown += 20
		}
	}
	throwing.Wait()
	l.more(t, 50)
	for _, n := range network.running() {
		if s, err := n.status(); err != nil || s.State != "voter" || s.Counters.BlocksRefused != 0 {
			t.Errorf("node %d: %+v %v", n.number, s, err)
		}
	}
	if len(network.running()) != 3 {
		t.Error("a node ended")
	}
	_, now := network.leader()
	t.Logf("%d connections of junk; view %d, then %d", thrown, view, now)
	l.settle(t)
}

// throw makes one connection that means no good.
func throw(address string, kind int, nobody tls.Certificate) {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	junk := make([]byte, 1+random.IntN(20_000))
	rand.Read(junk)
	protocols := []string{"coco-raft/1", "coco-append/1", "coco-forward/1", "http/1.1", "nonsense"}
	switch kind % 4 {
	case 0:
		c.Write(junk)
	case 1:
		c.Write(append([]byte{0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3}, junk[:min(len(junk), 4000)]...)) // a ClientHello that never ends
	case 2:
		s := tls.Client(c, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{nobody}, NextProtos: protocols[kind/4%5 : kind/4%5+1]})
		s.Write(junk)
		io.Copy(io.Discard, s)
	case 3:
		s := tls.Client(c, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{nobody}, NextProtos: []string{"http/1.1"}})
		r, _ := http.NewRequest("POST", "https://"+address+"/membership/join", io.LimitReader(rand.Reader, int64(len(junk))))
		r.Write(s)
		io.Copy(io.Discard, s)
	}
}

// selfSigned is a certificate of a key that nobody knows.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestSlowPeer lets little through to one backup. The others commit without it:
// far more is acknowledged than can have reached it.
func TestSlowPeer(t *testing.T) {
	onEachWire(t, func(t *testing.T, w wire) {
		net := found(t, w, 3)
		l := net.begin(t)
		l.more(t, 30)
		primary, _ := net.leader()
		slow := net.others(primary)[0]
		w.slow(slow.number, 50_000)
		l.fill(t, 2_000_000)
		leader, err := primary.status()
		behind := uint64(0)
		for _, p := range leader.Nodes {
			if p.RaftID == slow.id() {
				behind = p.Lag
			}
		}
		if err != nil || behind == 0 {
			t.Errorf("all was committed as slowly as the slowest node takes it: it is %d entries behind; %v", behind, err)
		}
		t.Logf("the slow node is %d entries behind", behind)
		w.slow(slow.number, 0)
		l.more(t, 30)
		l.settle(t)
	})
}

// TestDiskFull takes the room away from one backup. The others go on; it is
// replaced by itself when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	network := found(t, newProxies(t), 2)
	small := network.node()
	if err := os.MkdirAll(small.data, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("coco-test", small.data, "tmpfs", 0, "size=40m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a file system needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		small.end()
		if err := syscall.Unmount(small.data, 0); err != nil {
			t.Error(err)
		}
	}()
	small.again(t)
	l := network.begin(t)
	l.more(t, 50)
	ballast := filepath.Join(small.data, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<16); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	l.fill(t, 12_000_000) // more than is zeroed ahead
	l.more(t, 50)
	if s, err := small.status(); err == nil {
		t.Logf("the full node: %s %s, commit %d, durable %d", s.State, s.Role, s.Ledger.Commit, s.Ledger.Durable)
	}
	t.Log(tail(small.said(), 700))
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	small.kill()
	small.again(t)
	l.more(t, 30)
	l.settle(t)
}
