package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresStore is a PostgreSQL server that runs already.
type postgresStore struct {
	dsn, version string
}

const postgresUpsert = `insert into coco_bench values ($1, $2) on conflict (key) do update set value = excluded.value`

func newPostgresStore(ctx context.Context, dsn string) (*postgresStore, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, ErrNode.From(err)
	}
	defer c.Close(ctx)
	s := &postgresStore{dsn: dsn}
	if _, err := c.Exec(ctx, "drop table if exists coco_bench; create table coco_bench (key bytea primary key, value bytea not null)"); err != nil {
		return nil, ErrSetup.From(err)
	}
	var fsync, synchronous, tls string
	if err := c.QueryRow(ctx, "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('ssl')").Scan(&s.version, &fsync, &synchronous, &tls); err != nil {
		return nil, ErrNode.From(err)
	}
	s.version = fmt.Sprintf("PostgreSQL %s, fsync %s, synchronous_commit %s, ssl %s", s.version, fsync, synchronous, tls)
	return s, nil
}

func (s *postgresStore) name() string  { return "PostgreSQL" }
func (s *postgresStore) about() string { return s.version + ", prepared upsert by pgx" }
func (s *postgresStore) close() error  { return nil }

// used is not known: a server has a process for each connection.
func (s *postgresStore) used(context.Context) (time.Duration, []time.Duration, error) {
	return 0, nil, nil
}

func (s *postgresStore) open(ctx context.Context) (writes, error) {
	c, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return nil, err
	}
	if _, err := c.Prepare(ctx, "upsert", postgresUpsert); err != nil {
		return nil, err
	}
	return &postgresConn{ctx, c}, nil
}

type postgresConn struct {
	ctx context.Context
	raw *pgx.Conn
}

func (c *postgresConn) write(key [16]byte, value []byte) error {
	_, err := c.raw.Exec(c.ctx, "upsert", key[:], value)
	return err
}

func (c *postgresConn) close() { c.raw.Close(context.WithoutCancel(c.ctx)) }
