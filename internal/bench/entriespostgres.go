package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// StartPostgres as the connection string starts a PostgreSQL server for the measurement.
const StartPostgres = "start"

// postgresStore is a PostgreSQL server.
type postgresStore struct {
	dsn, version string
	own          *postgresServer // nil when it ran already
}

const postgresUpsert = `insert into coco_bench values ($1, $2) on conflict (key) do update set value = excluded.value`

// newPostgresStore opens a server's store, in a table of its own.
func newPostgresStore(ctx context.Context, dsn, dir string) (_ *postgresStore, err error) {
	s := &postgresStore{dsn: dsn}
	if dsn == StartPostgres {
		if s.own, err = startPostgres(ctx, dir); err != nil {
			return nil, err
		}
		s.dsn = s.own.dsn
		defer func() {
			if err != nil {
				s.own.stop()
			}
		}()
	}
	c, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return nil, ErrNode.From(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "drop table if exists coco_bench; create table coco_bench (key bytea primary key, value bytea not null)"); err != nil {
		return nil, ErrSetup.From(err)
	}
	var fsync, synchronous, tls string
	if err := c.QueryRow(ctx, `select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
		coalesce((select version from pg_stat_ssl where pid = pg_backend_pid()), 'no TLS')`).Scan(&s.version, &fsync, &synchronous, &tls); err != nil {
		return nil, ErrNode.From(err)
	}
	s.version = fmt.Sprintf("PostgreSQL %s, fsync %s, synchronous_commit %s, %s", s.version, fsync, synchronous, tls)
	return s, nil
}

func (s *postgresStore) name() string  { return "PostgreSQL" }
func (s *postgresStore) about() string { return s.version + ", prepared upsert by pgx" }

func (s *postgresStore) close() error {
	if s.own != nil {
		s.own.stop()
	}
	return nil
}

// used is known of a server that was started here: a server has a process for each
// connection, and they are its children.
func (s *postgresStore) used(context.Context) (time.Duration, []time.Duration, error) {
	if s.own == nil {
		return 0, nil, nil
	}
	t, err := familyTime(s.own.process.Process.Pid)
	return t, nil, err
}

func (s *postgresStore) run(ctx context.Context, clients int, measure time.Duration) (*Run, error) {
	return writeFor(ctx, s, clients, measure)
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
