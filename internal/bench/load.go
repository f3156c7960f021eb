package bench

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Load is a kind of load. Its text form (String, ParseLoad) is how people and
// scripts name it: `erc20 http batch=100`.
type Load struct {
	// Contract is what is transferred, "erc20" or "eth", or "work": a contract does
	// what Work says.
	Contract string
	Work
	// Transport is "http" (kept HTTP/1.1 connections) or "ws".
	Transport string
	// Batch is how many transactions go into one request. Default 1.
	Batch int
	// Connections is how many connections send, each with one request under way.
	// Default 8.
	Connections int
	// Rate is how many transactions a second are offered, whether or not earlier
	// ones were answered (open loop); 0 means that each connection sends as soon
	// as it has its answer (closed loop).
	Rate float64
	// Sync sends with eth_sendRawTransactionSync, whose answer is the receipt:
	// the closed loop then goes through commit.
	Sync bool
	// Transactions is how many are sent in one run. Default: 10,000; 40,000 in
	// batches; ten seconds at a rate; 2,000 on a single connection.
	Transactions int
}

// Work is what a transaction of the load "work" has a contract do. Each writes slots at
// random that were all written before.
type Work struct {
	// Writes is how many slots a transaction writes, beside each other. Default 1.
	Writes int
	// Slots is how many there are. Default 10,000.
	Slots int
	// Loops is how often it goes through an empty loop of 10 instructions.
	Loops int
	// Data is how many random bytes the transaction carries besides.
	Data int
}

// DefaultLoads are those of the table in bench/README.md.
func DefaultLoads() []Load {
	var loads []Load
	for _, text := range []string{
		"erc20 http", "erc20 http batch=100", "erc20 ws", "erc20 ws batch=100",
		"eth http", "eth http batch=100", "eth ws", "eth ws batch=100",
		"erc20 http rate=1000", "erc20 http sync connections=1",
	} {
		l, err := ParseLoad(text)
		if err != nil {
			panic(err) // the texts are constants
		}
		loads = append(loads, l)
	}
	return loads
}

// ParseLoad reads a load's text form: the words erc20, eth or work, http or ws, sync,
// and batch=N, connections=N, rate=N, transactions=N, with work also writes=N,
// slots=N, loops=N, data=N, in any order, between spaces or commas.
func ParseLoad(text string) (Load, error) {
	l := Load{Contract: "erc20", Transport: "http"}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "erc20", "eth", "work":
			l.Contract = name
		case "http", "ws":
			l.Transport = name
		case "sync":
			l.Sync = true
		case "batch":
			l.Batch, err = positive(value)
		case "connections":
			l.Connections, err = positive(value)
		case "rate":
			l.Rate, err = strconv.ParseFloat(value, 64)
		case "transactions":
			l.Transactions, err = positive(value)
		case "writes":
			l.Writes, err = positive(value)
		case "slots":
			l.Slots, err = positive(value)
		case "loops":
			l.Loops, err = positive(value)
		case "data":
			l.Data, err = positive(value)
		default:
			err = fmt.Errorf("%q is none of its words", word)
		}
		if err != nil {
			return Load{}, ErrLoad.From(err)
		}
	}
	return l.withDefaults(), l.check()
}

func positive(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n < 1 {
		err = fmt.Errorf("%d is not positive", n)
	}
	return n, err
}

func (l Load) withDefaults() Load {
	if l.Batch == 0 {
		l.Batch = 1
	}
	if l.Connections == 0 {
		l.Connections = 8
	}
	if l.Contract == "work" {
		l.Writes, l.Slots = cmp.Or(l.Writes, 1), cmp.Or(l.Slots, 10_000)
	}
	if l.Transactions == 0 {
		switch {
		case l.Rate > 0:
			l.Transactions = max(1, int(10*l.Rate))
		case l.Connections == 1:
			l.Transactions = 2_000 * l.Batch
		case l.Batch > 1:
			l.Transactions = 40_000
		default:
			l.Transactions = 10_000
		}
	}
	return l
}

// Bounds of a load: far above what the generator can send, far below what would
// fill its memory.
const (
	maxBatch        = 10_000
	maxConnections  = 10_000
	maxRate         = 1_000_000
	maxTransactions = 2_000_000
	maxWrites       = 600     // of one transaction, by its gas limit (EIP-7825)
	maxLoops        = 200_000 // likewise
	maxData         = 100_000 // bytes; nodes refuse transactions of more than 128 KiB
	maxSlots        = 100_000_000
)

func (l Load) check() error {
	l = l.withDefaults()
	bad := func(format string, args ...any) error { return ErrLoad.From(fmt.Errorf(format, args...)) }
	switch {
	case l.Contract != "erc20" && l.Contract != "eth" && l.Contract != "work":
		return bad("%q is none of erc20, eth, work", l.Contract)
	case l.Contract != "work" && l.Work != (Work{}):
		return bad("writes, slots, loops and data are of the load work")
	case l.Writes > maxWrites || l.Loops > maxLoops || l.Data > maxData || l.Slots > maxSlots || l.Writes > l.Slots:
		return bad("more than %d writes, %d loops, %d bytes or %d slots, or fewer slots than writes", maxWrites, maxLoops, maxData, maxSlots)
	case l.Transport != "http" && l.Transport != "ws":
		return bad("%q is neither http nor ws", l.Transport)
	case l.Batch < 1 || l.Batch > maxBatch:
		return bad("a batch of %d is not between 1 and %d", l.Batch, maxBatch)
	case l.Connections < 1 || l.Connections > maxConnections:
		return bad("%d connections are not between 1 and %d", l.Connections, maxConnections)
	case !(l.Rate >= 0 && l.Rate <= maxRate):
		return bad("a rate of %v is not between 0 and %d", l.Rate, maxRate)
	case l.Transactions < 1 || l.Transactions > maxTransactions:
		return bad("%d transactions are not between 1 and %d", l.Transactions, maxTransactions)
	case l.Sync && l.Batch > 1:
		return bad("sync waits for each transaction: it cannot be batched")
	}
	return nil
}

// String is the text form without defaults.
func (l Load) String() string {
	d := Load{Contract: l.Contract, Transport: l.Transport, Connections: l.Connections, Batch: l.Batch, Rate: l.Rate}
	words := []string{l.Contract, l.Transport}
	if l.Sync {
		words = append(words, "sync")
	}
	add := func(name string, value int) { words = append(words, name+"="+strconv.Itoa(value)) }
	for _, part := range []struct {
		name           string
		value, implied int
	}{{"writes", l.Writes, 1}, {"slots", l.Slots, 10_000}, {"loops", l.Loops, 0}, {"data", l.Data, 0}} {
		if part.value != 0 && part.value != part.implied {
			add(part.name, part.value)
		}
	}
	if l.Batch > 1 {
		add("batch", l.Batch)
	}
	if l.Connections != 0 && l.Connections != 8 {
		add("connections", l.Connections)
	}
	if l.Rate > 0 {
		words = append(words, "rate="+strconv.FormatFloat(l.Rate, 'g', -1, 64))
	}
	if l.Transactions != 0 && l.Transactions != d.withDefaults().Transactions {
		add("transactions", l.Transactions)
	}
	return strings.Join(words, " ")
}

// MarshalText lets reports carry the text form.
func (l Load) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText is ParseLoad.
func (l *Load) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLoad(string(text))
	return err
}
