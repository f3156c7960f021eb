package offchain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/coco-consortium/coco/internal/problem"
)

// flaky is a database that fails now and then: before a transaction, within it,
// before its commit and after it.
type flaky struct {
	engine
	mu     sync.Mutex
	random *rand.Rand
	on     atomic.Bool
	failed atomic.Int64
}

var errFlaky = errors.New("the database failed")

func (f *flaky) fails(one int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on.Load() || f.random.IntN(one) > 0 {
		return nil
	}
	f.failed.Add(1)
	return errFlaky
}

func (f *flaky) begin(ctx context.Context) (tx, error) {
	if err := f.fails(10); err != nil {
		return nil, err
	}
	t, err := f.engine.begin(ctx)
	return &flakyTx{t, f}, err
}

type flakyTx struct {
	tx
	f *flaky
}

func (t *flakyTx) exec(ctx context.Context, sql string, args ...any) error {
	if err := t.f.fails(60); err != nil {
		return err
	}
	return t.tx.exec(ctx, sql, args...)
}

func (t *flakyTx) commit(ctx context.Context) error {
	if err := t.f.fails(10); err != nil {
		t.tx.rollback()
		return err
	}
	if err := t.tx.commit(ctx); err != nil {
		return err
	}
	return t.f.fails(10) // committed, but nobody knows
}

// A database that fails at any point loses nothing that was answered, does
// nothing twice, and needs nobody when it works again.
func TestDatabaseFailsAndComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		f := &flaky{engine: in.engine, random: rand.New(rand.NewPCG(3, 4))}
		in.engine = f
		f.on.Store(true)
		var wg sync.WaitGroup
		var mu sync.Mutex
		answered := map[string]int{}
		for worker := range 4 {
			wg.Go(func() {
				for i := range 60 {
					r := &ContractRequested{WorkflowID: in.asset.ID, CodeID: 1, ConnectionID: 1, PersonID: in.people[0], RequestID: fmt.Sprint(worker, " ", i)}
					_, err := in.Do(context.Background(), r)
					mu.Lock()
					if err == nil {
						answered[r.RequestID] = r.ContractID
					} else if problem.CodeOf(err) != errDatabase.Code && problem.CodeOf(err) != errKept.Code {
						t.Errorf("%v", err)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		f.on.Store(false)
		if f.failed.Load() < 10 || len(answered) < 10 {
			t.Fatalf("%d failures, %d answers: nothing was tried", f.failed.Load(), len(answered))
		}
		do(t, in.Store, &PersonAdded{ExternalID: "afterwards"})
		for request, id := range answered {
			if a, err := in.ActionByRequest(t.Context(), in.people[0], request); err != nil || a.ContractID != id {
				t.Errorf("%s was answered with contract %d: %+v, %v", request, id, a, err)
			}
		}
		want := dump(t, in.Store)
		in.Close()
		same(t, "the rebuilt database", dump(t, mustOpen(t, emptied(t, o))), want)
	})
}

// A server that ends every connection and takes no new ones, then comes back.
func TestServerGoesAndComesBack(t *testing.T) {
	o := fresh(t, "postgres")
	in := install(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name := o.DSN[strings.LastIndex(o.DSN, "/")+1 : strings.Index(o.DSN, "?")]
	admin, err := pgx.Connect(ctx, strings.Replace(o.DSN, name, "postgres", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	must := func(text string) {
		t.Helper()
		if _, err := admin.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	must("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	for range 3 {
		refusedWith(t, in.Store, errDatabase.Code, &PersonAdded{ExternalID: "x"})
	}
	if _, err := in.Contracts(ctx, ContractFilter{}); err == nil {
		t.Error("a list was read from nowhere")
	}
	must("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true")
	var last error
	for {
		if _, err = in.Do(ctx, &PersonAdded{ExternalID: "back"}); err == nil {
			break
		}
		if problem.CodeOf(err) != errDatabase.Code {
			t.Fatalf("%v; before: %v", err, last)
		}
		last = err
	}
	for range 20 { // whichever connection is used
		if _, err := in.Contracts(ctx, ContractFilter{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(ctx, Options{Dir: t.TempDir(), Key: o.Key, DSN: o.DSN}); problem.CodeOf(err) != errDatabaseLocked.Code {
		t.Errorf("a second builder on the database: %v", err)
	}
}

// A server that ended idle connections is asked again on new ones: neither a write nor
// a read tells of it.
func TestServerEndsConnections(t *testing.T) {
	o := fresh(t, "postgres")
	in := install(t, o)
	name := o.DSN[strings.LastIndex(o.DSN, "/")+1 : strings.Index(o.DSN, "?")]
	admin, err := pgx.Connect(t.Context(), strings.Replace(o.DSN, name, "postgres", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for k := range 10 {
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '"+name+"'"); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Do(t.Context(), &PersonAdded{ExternalID: fmt.Sprint("person ", k)}); err != nil {
			t.Error(err)
		}
		for range 20 { // whichever connection is used
			if _, err := in.Contracts(t.Context(), ContractFilter{}); err != nil {
				t.Error(err)
			}
		}
	}
}

// An address that holds a password never shows it.
func TestDatabaseAddressIsNotTold(t *testing.T) {
	for _, dsn := range []string{"postgres://u:SECRET@127.0.0.1:1/db?connect_timeout=2", "postgres://u:SECRET@[bad", "host=127.0.0.1 port=1 password=SECRET connect_timeout=2"} {
		_, err := Open(t.Context(), Options{Dir: t.TempDir(), DSN: dsn})
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v", err)
		}
	}
}

// What a source gets wrong is refused, whole.
func TestRebuildThatDiffersIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		in := install(t, o)
		in.create(map[string]string{"State": "0"})
		in.Close()
		o = emptied(t, o)
		o.Source = altered{}
		if _, err := Open(t.Context(), o); !errors.Is(err, errRebuild) {
			t.Errorf("a source that computes something else: %v", err)
		}
	})
}

type altered struct{ script }

func (a altered) Rows(ctx context.Context, v Reader, b *BlocksTaken) (*Rows, error) {
	rows, err := a.script.Rows(ctx, v, b)
	if err == nil && len(rows.Properties) > 0 {
		rows.Properties[0].Values[0].Value = "1"
	}
	return rows, err
}
