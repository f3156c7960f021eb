package consortium

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// proxies are a wire of TCP proxies on loopback: the addresses that nodes tell
// each other are the proxies'. Who connects is known by the process that owns the
// other end of the connection.
type proxies struct {
	net string // the first three bytes of the addresses, 127.x.y
	ctx context.Context

	mu      sync.Mutex
	pids    map[int]int
	links   map[[2]int]*link
	served  map[int]bool
	conns   map[net.Conn]bool
	ended   bool
	running sync.WaitGroup
	t       *testing.T
}

func newProxies(t *testing.T) *proxies {
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxies{t: t, ctx: ctx, net: fmt.Sprintf("127.%d.%d", 16+rand.IntN(200), 1+rand.IntN(250)),
		pids: map[int]int{}, links: map[[2]int]*link{}, served: map[int]bool{}, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		p.ended = true
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

func (p *proxies) place(node int) place {
	at := place{peer: fmt.Sprintf("%s.%d:7545", p.net, node), advertise: fmt.Sprintf("%s.%d:7545", p.net, 100+node),
		client: fmt.Sprintf("%s.%d:8545", p.net, node), operations: fmt.Sprintf("%s.%d:9545", p.net, node)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.served[node] {
		return at
	}
	p.served[node] = true
	l, err := net.Listen("tcp", at.advertise)
	if err != nil {
		p.t.Fatal(err)
	}
	p.running.Go(func() {
		<-p.ctx.Done()
		l.Close()
	})
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.carry(c, node, at.peer) })
		}
	})
	return at
}

func (p *proxies) command(_ int, program string, args ...string) *exec.Cmd {
	return exec.Command(program, args...)
}

func (p *proxies) began(node, pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pids[node] = pid
}

func (p *proxies) cut(from, to int)  { p.link(from, to).set(true) }
func (p *proxies) mend(from, to int) { p.link(from, to).set(false) }

func (p *proxies) slow(to, bytes int) {
	p.mu.Lock()
	nodes := []int{0} // whose process was not found
	for n := range p.served {
		nodes = append(nodes, n)
	}
	p.mu.Unlock()
	var pace *rate.Limiter
	if bytes > 0 {
		pace = rate.NewLimiter(rate.Limit(bytes), 64<<10)
	}
	for _, n := range nodes {
		if n != to {
			p.link(n, to).pace.Store(pace)
		}
	}
}

func (p *proxies) link(from, to int) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.links[[2]int{from, to}]
	if l == nil {
		l = newLink()
		p.links[[2]int{from, to}] = l
	}
	return l
}

// keep makes sure that a connection ends with the test.
func (p *proxies) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxies) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// carry carries bytes both ways between a node that connected and another. Who is
// no node (somebody who throws junk at the port) is carried as node 0.
func (p *proxies) carry(c net.Conn, to int, address string) {
	defer p.drop(c)
	if !p.keep(c) {
		return
	}
	from := p.from(c.RemoteAddr().String())
	there, back := p.link(from, to), p.link(to, from)
	if there.wait(p.ctx) != nil {
		return
	}
	d, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer p.drop(d)
	if !p.keep(d) {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { there.copy(p.ctx, d, c) })
	ways.Go(func() { back.copy(p.ctx, c, d) })
	ways.Wait()
}

// from is the node that connects from an address, 0 for who is none. The system's
// table of connections is not read in one piece, and a process may connect before
// it is known whose it is: who is not found at once is looked for again.
func (p *proxies) from(address string) int {
	for tries := 0; ; tries++ {
		p.mu.Lock()
		pids := make(map[int]int, len(p.pids))
		for node, pid := range p.pids {
			pids[pid] = node
		}
		p.mu.Unlock()
		if pid := owner(address, pids); pid != 0 || tries == 10 {
			return pids[pid]
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// owner is which of the processes has a TCP connection with that local address,
// 0 for none of them.
func owner(address string, pids map[int]int) int {
	host, port, err := net.SplitHostPort(address)
	ip := net.ParseIP(host).To4()
	if err != nil || ip == nil {
		return 0
	}
	var n int
	fmt.Sscan(port, &n)
	local := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], n)
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return 0
	}
	defer table.Close()
	inode := ""
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 9 && f[1] == local {
			inode = "socket:[" + f[9] + "]"
		}
	}
	for pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		files, _ := os.ReadDir(dir) // of a process that ended: none
		for _, f := range files {
			if to, _ := os.Readlink(filepath.Join(dir, f.Name())); inode != "" && to == inode {
				return pid
			}
		}
	}
	return 0
}
