package offchain

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/coco-consortium/coco/internal/problem"
)

// errDatabaseLocked is a PostgreSQL database in which another process writes.
var errDatabaseLocked = problem.New("DATABASE_LOCKED", "another App Builder writes into this database",
	"stop it, or use another database")

// postgres is a database of a PostgreSQL server. One connection writes and holds
// a lock that no second builder gets; a few read. Lost connections are replaced.
// Encryption at rest is the server's matter.
type postgres struct {
	config, readConfig *pgx.ConnConfig
	writer             *pgx.Conn
	readers            chan *pgx.Conn // nil: not connected
	count              int
	renewed            bool // the writer's connection is another than before: the server may have lost what was committed
}

func openPostgres(ctx context.Context, dsn string) (*postgres, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, problem.New("DATABASE_ADDRESS", "the address of the database cannot be read",
			"write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE").From(errors.New("see the documentation of libpq's connection strings"))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	config.RuntimeParams["application_name"] = "coco builder"
	readConfig := config.Copy()
	readConfig.RuntimeParams["default_transaction_read_only"] = "on"
	p := &postgres{config: config, readConfig: readConfig, count: max(4, 2*runtime.GOMAXPROCS(0))}
	p.readers = make(chan *pgx.Conn, p.count)
	for range p.count {
		p.readers <- nil
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		if err := p.connect(ctx); !errors.Is(err, errDatabaseLocked) || time.Now().After(end) || ctx.Err() != nil {
			return p, err
		}
	}
}

// lockPatience is how long a server may take to notice that the builder which wrote
// before is gone.
const lockPatience = 5 * time.Second

// connect makes the writer's connection, if it has none that works.
func (p *postgres) connect(ctx context.Context) error {
	if p.writer != nil && !p.writer.IsClosed() {
		return nil
	}
	c, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return errDatabase.From(err)
	}
	h := fnv.New64a()
	h.Write([]byte("coco builder"))
	var got bool
	if err := c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(h.Sum64())).Scan(&got); err != nil {
		c.Close(ctx)
		return err
	}
	if !got {
		c.Close(ctx)
		return errDatabaseLocked
	}
	p.writer, p.renewed = c, true
	return nil
}

func (p *postgres) dialect() dialect { return postgresDialect }

func (p *postgres) query(ctx context.Context, sql string, args []any, each func(row) error) error {
	var c *pgx.Conn
	select {
	case c = <-p.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		if c != nil && c.IsClosed() {
			c = nil
		}
		p.readers <- c
	}()
	// A connection that the server ended, perhaps long ago, is replaced, and the query
	// asked again unless a part of its answer was given.
	for attempt, rows := 0, 0; ; attempt++ {
		if c == nil || c.IsClosed() {
			var err error
			if c, err = pgx.ConnectConfig(ctx, p.readConfig); err != nil {
				c = nil
				return fmt.Errorf("connect to the database: %w", err)
			}
		}
		err := postgresQuery(ctx, c, sql, args, func(r row) error { rows++; return each(r) })
		if err == nil || rows > 0 || !c.IsClosed() || ctx.Err() != nil || attempt == 2 {
			return err
		}
	}
}

func postgresQuery(ctx context.Context, c *pgx.Conn, sql string, args []any, each func(row) error) error {
	rows, err := c.Query(ctx, sql, postgresArgs(args)...)
	if err != nil {
		return fmt.Errorf("query %.60q: %w", sql, err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return fmt.Errorf("query %.60q: %w", sql, err)
		}
		if err := each(postgresRow(values)); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("query %.60q: %w", sql, err)
	}
	return nil
}

// postgresArgs gives the types that pgx can send for any integer column.
func postgresArgs(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case uint64:
			out[i] = int64(v)
		case bool:
			out[i] = int64(0)
			if v {
				out[i] = int64(1)
			}
		default:
			out[i] = a
		}
	}
	return out
}

func (p *postgres) script(ctx context.Context, sql string) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	_, err := p.writer.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

func (p *postgres) begin(ctx context.Context) (tx, error) {
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	t, err := p.writer.Begin(ctx)
	if err != nil && p.writer.IsClosed() { // the server ended it since it was used
		if err := p.connect(ctx); err != nil {
			return nil, err
		}
		t, err = p.writer.Begin(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &postgresTx{tx: t}, nil
}

func (p *postgres) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for range p.count {
		select {
		case c := <-p.readers:
			if c != nil {
				c.Close(ctx)
			}
		default:
		}
	}
	if p.writer != nil {
		return p.writer.Close(ctx)
	}
	return nil
}

// postgresTx sends statements in batches: one round trip for many.
type postgresTx struct {
	tx    pgx.Tx
	batch pgx.Batch
}

const postgresBatch = 500

func (t *postgresTx) exec(ctx context.Context, sql string, args ...any) error {
	t.batch.Queue(sql, postgresArgs(args)...)
	if t.batch.Len() >= postgresBatch {
		return t.flush(ctx)
	}
	return nil
}

func (t *postgresTx) flush(ctx context.Context) error {
	if t.batch.Len() == 0 {
		return nil
	}
	batch := t.batch
	t.batch = pgx.Batch{}
	if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("execute: %w", err)
	}
	return nil
}

func (t *postgresTx) query(ctx context.Context, sql string, args []any, each func(row) error) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	return postgresQuery(ctx, t.tx.Conn(), sql, args, each)
}

func (t *postgresTx) commit(ctx context.Context) error {
	if err := t.flush(ctx); err != nil {
		t.rollback()
		return err
	}
	return t.tx.Commit(ctx)
}

func (t *postgresTx) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t.tx.Rollback(ctx)
}

// postgresRow holds a row's values as pgx decoded them.
type postgresRow []any

func (r postgresRow) int(i int) int64 {
	switch v := r[i].(type) {
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

func (r postgresRow) text(i int) string {
	s, _ := r[i].(string)
	return s
}

func (r postgresRow) bytes(i int) []byte {
	switch v := r[i].(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

func (r postgresRow) null(i int) bool { return r[i] == nil }
