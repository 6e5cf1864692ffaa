package feedback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	_ "modernc.org/sqlite"
)

// Store is a database of prompts, answers and rankings. It may be used by many goroutines, and the database by many programs,
// at once.
type Store struct {
	db       *sql.DB
	dialect  dialect
	location string
}

// dialect is where the two databases differ.
type dialect struct {
	driver   string
	counter  string // type of a column that numbers rows
	numbered bool   // parameters are $1, $2 …
}

var (
	sqlite   = dialect{driver: "sqlite", counter: "INTEGER PRIMARY KEY AUTOINCREMENT"}
	postgres = dialect{driver: "pgx", counter: "BIGSERIAL PRIMARY KEY", numbered: true}
)

// schemaVersion is of the tables below; a store of another one is refused.
const schemaVersion = "1"

// schema: a prompt has answers, a ranking gives places to answers. Texts are kept once: identities are hashes of them.
const schema = `
CREATE TABLE IF NOT EXISTS parley_feedback (version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS prompts (n COUNTER, id TEXT NOT NULL UNIQUE, prompt TEXT NOT NULL, added TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (n COUNTER, id TEXT NOT NULL UNIQUE, prompt TEXT NOT NULL REFERENCES prompts (id),
	text TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL, added TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS answers_of_prompt ON answers (prompt, n);
CREATE TABLE IF NOT EXISTS rankings (n COUNTER, prompt TEXT NOT NULL REFERENCES prompts (id), rater TEXT NOT NULL,
	answers TEXT NOT NULL, cannot_judge BOOLEAN NOT NULL, made TEXT NOT NULL, UNIQUE (prompt, rater, answers));
CREATE INDEX IF NOT EXISTS rankings_of_rater ON rankings (rater, n);
CREATE TABLE IF NOT EXISTS places (ranking BIGINT NOT NULL REFERENCES rankings (n) ON DELETE CASCADE, answer TEXT NOT NULL REFERENCES answers (id),
	place INTEGER NOT NULL, PRIMARY KEY (ranking, answer));`

// Open opens a store, and makes it where there is none: a file, or a PostgreSQL database by its URL (postgres://user@host/name).
func Open(ctx context.Context, location string) (*Store, error) {
	s := &Store{dialect: sqlite, location: location}
	source := location
	if scheme, _, ok := strings.Cut(location, "://"); ok {
		if scheme != "postgres" && scheme != "postgresql" {
			return nil, fmt.Errorf("feedback %s: must be a file or a postgres:// address", s.name())
		}
		s.dialect = postgres
	} else {
		if location == "" {
			return nil, errors.New("feedback: no file is named")
		}
		if info, err := os.Stat(filepath.Dir(location)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("feedback %s: there is no directory %s", location, filepath.Dir(location))
		}
		if info, err := os.Stat(location); err == nil && info.IsDir() {
			return nil, fmt.Errorf("feedback %s: is a directory; name a file", location)
		}
		// Writers wait for one another and take their turn from the first statement on, so that none fails half-way.
		source = (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(location)}).EscapedPath()}).String() +
			"?_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"
	}
	var err error
	if s.db, err = sql.Open(s.dialect.driver, source); err != nil {
		return nil, s.wrong(err)
	}
	if err := s.prepare(ctx); err != nil {
		s.db.Close()
		return nil, s.wrong(err)
	}
	return s, nil
}

// name is the location without a password.
func (s *Store) name() string {
	if u, err := url.Parse(s.location); err == nil && u.User != nil {
		return u.Redacted()
	}
	return s.location
}

func (s *Store) wrong(err error) error { return fmt.Errorf("feedback %s: %w", s.name(), err) }

func (s *Store) prepare(ctx context.Context) error {
	return s.transaction(ctx, func(tx *transaction) error {
		if s.dialect.numbered { // two programs that make the same tables at once would fail on each other
			if _, err := tx.exec(`SELECT pg_advisory_xact_lock(7202630912)`); err != nil {
				return err
			}
		}
		for statement := range strings.SplitSeq(strings.ReplaceAll(schema, "COUNTER", s.dialect.counter), ";") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.exec(statement); err != nil {
				return err
			}
		}
		var version string
		switch err := tx.row(`SELECT version FROM parley_feedback`).Scan(&version); {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.exec(`INSERT INTO parley_feedback (version) VALUES (?)`, schemaVersion)
			return err
		case err != nil:
			return err
		case version != schemaVersion:
			return fmt.Errorf("was made by another version of Parley (tables %s, and %s are known)", version, schemaVersion)
		}
		return nil
	})
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// transaction is a change that happens whole or not at all.
type transaction struct {
	ctx context.Context
	tx  *sql.Tx
	d   dialect
}

// transaction does all of do, or nothing. Where PostgreSQL found that two programs waited for each other, it is done again.
func (s *Store) transaction(ctx context.Context, do func(tx *transaction) error) error {
	for tries := 1; ; tries++ {
		err := s.try(ctx, do)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001") && tries < 10 {
			continue
		}
		return err
	}
}

func (s *Store) try(ctx context.Context, do func(tx *transaction) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(&transaction{ctx, tx, s.dialect}); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (t *transaction) exec(query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(t.ctx, t.d.bind(query), args...)
}

func (t *transaction) row(query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.ctx, t.d.bind(query), args...)
}

func (t *transaction) rows(query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.ctx, t.d.bind(query), args...)
}

// bind spells the parameters of a query, which are question marks, as the database wants them.
func (d dialect) bind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
