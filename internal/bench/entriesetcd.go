package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// etcdStore is a cluster of etcd, each member a process, and its clients another
// (bench/etcd): they speak gRPC with etcd's own library, over mutual TLS.
type etcdStore struct {
	program, version string
	files            certificates
	urls             []string
	members          []*exec.Cmd
	leader           int
}

func newEtcdStore(ctx context.Context, program, dir string, nodes int) (_ *etcdStore, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrSetup.From(err)
	}
	s := &etcdStore{program: program}
	if s.files, _, err = newCertificates(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	s.version, _, _ = strings.Cut(string(out), "\n")
	var peers, cluster []string
	for i := range nodes {
		client, err1 := freePort()
		peer, err2 := freePort()
		if err := errors.Join(err1, err2); err != nil {
			return nil, ErrSetup.From(err)
		}
		s.urls = append(s.urls, "https://127.0.0.1:"+strconv.Itoa(client))
		peers = append(peers, "https://127.0.0.1:"+strconv.Itoa(peer))
		cluster = append(cluster, fmt.Sprintf("m%d=%s", i, peers[i]))
	}
	for i := range nodes {
		if err := s.start(dir, i, peers[i], strings.Join(cluster, ",")); err != nil {
			return nil, err
		}
	}
	return s, s.await(ctx)
}

// start starts a member with etcd's defaults, but for more room of its database.
func (s *etcdStore) start(dir string, i int, peer, cluster string) error {
	name := "m" + strconv.Itoa(i)
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return ErrSetup.From(err)
	}
	defer log.Close()
	c := exec.Command(s.program, "--name", name, "--data-dir", filepath.Join(dir, name), "--listen-client-urls", s.urls[i], "--advertise-client-urls", s.urls[i],
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, "--quota-backend-bytes", "8589934592", "--log-level", "error",
		"--cert-file", s.files.certificate, "--key-file", s.files.key, "--trusted-ca-file", s.files.certificate, "--client-cert-auth",
		"--peer-cert-file", s.files.certificate, "--peer-key-file", s.files.key, "--peer-trusted-ca-file", s.files.certificate, "--peer-client-cert-auth")
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return ErrSetup.From(err)
	}
	s.members = append(s.members, c)
	return nil
}

// await waits for a leader and finds it.
func (s *etcdStore) await(ctx context.Context) error {
	var last error
	for range 300 {
		for i, url := range s.urls {
			out, err := s.load(ctx, "-endpoint", url, "-leads").Output()
			if last = err; err == nil && strings.TrimSpace(string(out)) == "true" {
				s.leader = i
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ErrSetup.From(fmt.Errorf("etcd has no leader: %w", last))
}

func (s *etcdStore) load(ctx context.Context, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.program, append([]string{"load", "-certificate", s.files.certificate, "-key", s.files.key}, arguments...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

func (s *etcdStore) name() string { return "etcd" }

func (s *etcdStore) about() string {
	return fmt.Sprintf("%s, %d members, mutual TLS 1.3 between all, written through the leader by its Go client in a process of its own", s.version, len(s.members))
}

func (s *etcdStore) used(context.Context) (main time.Duration, others []time.Duration, err error) {
	for i, m := range s.members {
		t, err := (&process{m.Process.Pid}).time()
		if err != nil {
			return 0, nil, err
		}
		if i == s.leader {
			main = t
		} else {
			others = append(others, t)
		}
	}
	return main, others, nil
}

// run lets the peer's own clients write, and reads the processor times when they
// begin and end to measure.
func (s *etcdStore) run(ctx context.Context, clients int, measure time.Duration) (*Run, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	c := s.load(ctx, "-endpoint", s.urls[s.leader], "-clients", strconv.Itoa(clients), "-measure", measure.String(),
		"-keys", strconv.Itoa(entriesKeys), "-value", strconv.Itoa(entriesValue))
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, ErrNode.From(err)
	}
	if err := c.Start(); err != nil {
		return nil, ErrNode.From(err)
	}
	in := bufio.NewReader(io.LimitReader(out, 64<<10))
	_, err1 := in.ReadString('\n')
	main, others, err2 := s.used(ctx)
	_, err3 := in.ReadString('\n')
	mainAfter, othersAfter, err4 := s.used(ctx)
	var said struct {
		Writes                        int
		P50, P90, P99, Max, Processor float64
	}
	err5 := json.NewDecoder(in).Decode(&said)
	if err := errors.Join(c.Wait(), err1, err2, err3, err4, err5); err != nil {
		return nil, ErrNode.From(fmt.Errorf("%w: %s", err, complaint.String()))
	}
	r := writesRun(said.Writes, measure, main, mainAfter, others, othersAfter, time.Duration(said.Processor*1e9))
	r.P50, r.P90, r.P99, r.Max = said.P50, said.P90, said.P99, said.Max
	return r, nil
}

func (s *etcdStore) close() error {
	for _, m := range s.members {
		m.Process.Kill()
		m.Wait() // that it ended by the signal is no error
	}
	return nil
}
