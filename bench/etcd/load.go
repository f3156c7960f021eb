package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// result is the last line of load. Times of writes are in milliseconds.
type result struct {
	Writes    int     `json:"writes"`
	P50       float64 `json:"p50"`
	P90       float64 `json:"p90"`
	P99       float64 `json:"p99"`
	Max       float64 `json:"max"`
	Processor float64 `json:"processor"` // of this process while it measured, in seconds
}

// load lets clients write, each with one write under way on a connection of its own.
// It prints a line when it begins to measure, and result at the end.
func load(arguments []string) error {
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	endpoint := f.String("endpoint", "", "https URL of the member to write to")
	certificate := f.String("certificate", "", "PEM of the client's certificate and of its authority")
	key := f.String("key", "", "PEM of its key")
	clients := f.Int("clients", 1, "")
	keys := f.Uint64("keys", 100_000, "")
	size := f.Int("value", 128, "bytes of a value")
	measure := f.Duration("measure", 5*time.Second, "")
	leads := f.Bool("leads", false, "only print whether the member leads")
	if err := f.Parse(arguments); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(*certificate)
	if err != nil {
		return err
	}
	roots.AppendCertsFromPEM(pem)
	ctx := context.Background()
	config := clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 20 * time.Second,
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	if *leads {
		return printLeads(ctx, config)
	}
	connections := make([]*clientv3.Client, *clients)
	for i := range connections {
		connections[i], err = clientv3.New(config)
		if err != nil {
			return err
		}
		if _, err := connections[i].Put(ctx, "open", ""); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	latencies, failures := make([][]time.Duration, *clients), make([]error, *clients)
	begin := time.Now().Add(time.Second)
	end := begin.Add(*measure)
	for i, c := range connections {
		all.Go(func() { latencies[i], failures[i] = write(ctx, c, uint64(i), *keys, *size, begin, end) })
	}
	time.Sleep(time.Until(begin))
	fmt.Println("begin")
	before := used()
	time.Sleep(time.Until(end))
	r := result{Processor: (used() - before).Seconds()}
	fmt.Println("end")
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	list := slices.Concat(latencies...)
	slices.Sort(list)
	rank := func(p int) float64 {
		if len(list) == 0 {
			return 0
		}
		return float64(list[max(0, (len(list)*p+99)/100-1)]) / 1e6
	}
	r.Writes, r.P50, r.P90, r.P99, r.Max = len(list), rank(50), rank(90), rank(99), rank(100)
	return json.NewEncoder(os.Stdout).Encode(r)
}

func printLeads(ctx context.Context, config clientv3.Config) error {
	c, err := clientv3.New(config)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := c.Status(ctx, config.Endpoints[0])
	if err == nil {
		fmt.Println(status.Leader == status.Header.MemberId)
	}
	return err
}

// write puts one entry after the other, the same that coco bench entries writes.
func write(ctx context.Context, c *clientv3.Client, seed, keys uint64, size int, begin, end time.Time) (latencies []time.Duration, err error) {
	value := make([]byte, size)
	for n := seed * 7919; ; n++ {
		key := fmt.Sprintf("%016d", n*2654435761%keys)
		copy(value, key)
		sent := time.Now()
		if !sent.Before(end) {
			return latencies, nil
		}
		if _, err := c.Put(ctx, key, string(value)); err != nil {
			return nil, err
		}
		if now := time.Now(); now.After(begin) && now.Before(end) {
			latencies = append(latencies, now.Sub(sent))
		}
	}
}

func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
