package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresServer is the PostgreSQL of this machine (Debian's package postgresql) in
// a directory of its own: TLS, fsync on, every default but room for the clients.
type postgresServer struct {
	dsn     string
	process *exec.Cmd
}

func startPostgres(ctx context.Context, dir string) (*postgresServer, error) {
	initdb, err := exec.LookPath("initdb")
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		initdb, err = found[len(found)-1], nil
	}
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ErrSetup.From(err)
	}
	files, _, err := newCertificates(dir)
	if err != nil {
		return nil, err
	}
	as, err := notRoot(dir, files.certificate, files.key)
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	data := filepath.Join(dir, "data")
	c := exec.CommandContext(ctx, initdb, "-D", data, "-U", "coco", "-A", "trust", "-E", "UTF8")
	c.SysProcAttr, c.Dir = &syscall.SysProcAttr{Credential: as}, dir
	if out, err := c.CombinedOutput(); err != nil {
		return nil, ErrSetup.From(fmt.Errorf("initdb: %w: %s", err, out))
	}
	port, err := freePort()
	if err != nil {
		return nil, ErrSetup.From(err)
	}
	s := &postgresServer{dsn: fmt.Sprintf("postgres://coco@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s", port, files.certificate)}
	s.process = exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=1000", "-c", "ssl=on", "-c", "ssl_min_protocol_version=TLSv1.3",
		"-c", "ssl_cert_file="+files.certificate, "-c", "ssl_key_file="+files.key)
	s.process.SysProcAttr, s.process.Dir = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGINT}, dir
	if err := s.process.Start(); err != nil {
		return nil, ErrSetup.From(err)
	}
	for range 300 {
		var c *pgx.Conn
		if c, err = pgx.Connect(ctx, s.dsn); err == nil {
			return s, c.Close(ctx)
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.stop()
	return nil, ErrSetup.From(err)
}

// stop ends the server without waiting for its clients.
func (s *postgresServer) stop() {
	s.process.Process.Signal(syscall.SIGINT)
	s.process.Wait() // that it ended by the signal is no error
}

// notRoot gives files, and the way to the first, to somebody who is not root, as the
// server wants; nil is this process's own user.
func notRoot(dir string, files ...string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	errs := []error{err1, err2, os.Chmod(filepath.Dir(dir), 0o711)}
	for _, f := range append(files, dir) {
		errs = append(errs, os.Chown(f, uid, gid))
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errs...)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// familyTime is the processor time of a process and its children.
func familyTime(pid int) (time.Duration, error) {
	sum, err := (&process{pid}).time()
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, text := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(text)
		if err != nil {
			return 0, err
		}
		if t, err := (&process{child}).time(); err == nil { // one that ended meanwhile took little
			sum += t
		}
	}
	return sum, err
}
