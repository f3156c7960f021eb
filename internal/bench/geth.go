package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/coco-consortium/coco/internal/bench/fleet"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrPeer says why a peer is not beside what is measured.
var ErrPeer = problem.New("BENCH_PEER", "the peer cannot be run beside the node",
	"build it with bench/peers.sh, and start in the repository's directory or name the program")

// FindPeer gives the path of a peer, geth or etcd: the one that is named, or the one
// that bench/peers.sh built, seen from the repository's directory, or one on the
// search path.
func FindPeer(peer, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	built := filepath.Join("bin", peer)
	if _, err := os.Stat(built); err == nil {
		return filepath.Abs(built)
	}
	path, err := exec.LookPath(peer)
	if err != nil {
		return "", ErrPeer.From(err)
	}
	return path, nil
}

// gethFlags raise what development mode holds low; it keeps everything in memory.
// bench/README.md explains them.
var gethFlags = []string{"--dev", "--dev.gaslimit", "2000000000",
	"--http", "--http.api", "eth,net,web3", "--ws", "--ws.api", "eth,net,web3",
	"--maxpeers", "0", "--nodiscover", "--ipcdisable",
	"--txpool.accountslots", "100000", "--txpool.globalslots", "1000000",
	"--txpool.accountqueue", "100000", "--txpool.globalqueue", "1000000",
	"--rpc.txfeecap", "0", "--rpc.batch-request-limit", "10000", "--cache", "2048", "--verbosity", "1"}

// Geth starts geth and waits until it answers. stop ends it.
func Geth(ctx context.Context, program string) (n Node, stop func() error, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return Node{}, nil, ErrPeer.From(err)
	}
	client, auth := strconv.Itoa(ports[0]), strconv.Itoa(ports[1])
	c := exec.Command(program, append(gethFlags, "--http.port", client, "--ws.port", client, "--authrpc.port", auth)...)
	c.Stdout, c.Stderr = io.Discard, os.Stderr
	// The child must not outlive a generator that was killed.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return Node{}, nil, ErrPeer.From(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); close(ended) }()
	stop = func() error {
		err := c.Process.Kill() // it keeps nothing
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		<-ended
		return err
	}
	n = Node{URL: "http://127.0.0.1:" + client, PID: c.Process.Pid}
	answers, err := fleet.Until(ctx, time.Minute, func() (bool, error) {
		select {
		case <-ended:
			return false, errors.New("it ended")
		default:
		}
		_, err := blockNumber(ctx, n.URL)
		return err == nil, nil
	})
	if err == nil && !answers {
		err = fmt.Errorf("it does not answer at %s", n.URL)
	}
	if err != nil {
		return Node{}, nil, ErrPeer.From(errors.Join(err, stop()))
	}
	return n, stop, nil
}

// freePorts gives ports that nobody listens at now.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
