// Package postgrestest gives tests a PostgreSQL server of their own: the real
// one (Debian's package postgresql), in a temporary directory, on a free port,
// gone with the process that started it.
package postgrestest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	once    sync.Once
	address string
	place   string // of its files
	failure error
	alive   atomic.Value // the server's standard input: held, so that it stays open
	made    atomic.Int64
)

// DSN makes an empty database on the test process's server, which it starts
// first if need be, and gives its connection string.
func DSN(t testing.TB) string {
	t.Helper()
	once.Do(func() { address, failure = start() })
	if failure != nil {
		t.Fatalf("PostgreSQL: %v (Debian: apt-get install postgresql)", failure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	name := fmt.Sprintf("coco%d", made.Add(1))
	if _, err := c.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return dsn(name)
}

func dsn(database string) string {
	return "postgres://coco@" + address + "/" + database + "?sslmode=disable"
}

// The server ends when its standard input does, that is with this process,
// however that ends, and takes its files along. When it ends otherwise it is started
// again.
const script = `
(
	while test ! -e "$2/end"; do
		"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
			-c fsync=off -c full_page_writes=off >>"$2/log" 2>&1 </dev/null &
		echo $! >"$2/server"
		wait $!
		sleep 0.2
	done
) &
cat >/dev/null
touch "$2/end"
kill -INT $(cat "$2/server")
wait
rm -rf "$2"`

// Crash kills the test process's server, as a loss of power does. It comes back by
// itself; Crash does not wait for that.
func Crash(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(place, "server"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func start() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "coco-postgres")
	if err != nil {
		return "", err
	}
	as, err := owner(dir)
	if err != nil {
		return "", err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "coco", "-A", "trust", "-E", "UTF8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: as}, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	server := exec.Command("sh", "-c", script, "sh", bin, dir, strconv.Itoa(port))
	server.SysProcAttr, server.Dir = &syscall.SysProcAttr{Credential: as, Setpgid: true}, dir
	stdin, err := server.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	alive.Store(stdin)
	place = dir
	address = "127.0.0.1:" + strconv.Itoa(port)
	return address, ready(filepath.Join(dir, "log"))
}

// ready waits until the server answers.
func ready(log string) error {
	var err error
	for range 600 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var c *pgx.Conn
		c, err = pgx.Connect(ctx, dsn("postgres"))
		if err == nil {
			c.Close(ctx)
			cancel()
			return nil
		}
		cancel()
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	return fmt.Errorf("%w: %s", err, text)
}

// binaries finds the directory of initdb and postgres.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	return filepath.Dir(path), err
}

// owner gives the directory to somebody who is not root, as the server wants.
func owner(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
