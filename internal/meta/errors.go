package meta

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"tributary/internal/fault"
)

// IsUnique reports whether err says that a row with the same key is there already.
func IsUnique(err error) bool {
	return isPostgres(err, "23505") || isSQLite(err, lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// IsForeignKey reports whether err says that a row refers to one that is not
// there, or is still referred to.
func IsForeignKey(err error) bool {
	return isPostgres(err, "23503") || isSQLite(err, lib.SQLITE_CONSTRAINT_FOREIGNKEY)
}

var (
	errLost = fault.New(fault.Unavailable,
		"This server has lost its hold on the control database, and another one may be active. It must be restarted.")
	errBroken = fault.New(fault.Unavailable,
		"The disk failed to make a change of the control database durable. Nothing is written until a restart; check the disk first.")
)

const (
	wordsFull        = "The disk of the control database is full. Nothing was changed."
	wordsUnavailable = "The control database does not answer. Try again."
	wordsDamaged     = "The control database is damaged. Run tributary fsck."
)

// isRetryable reports whether a transaction lost against another and may succeed
// if it is repeated.
func isRetryable(err error) bool { return isPostgres(err, "40001", "40P01") }

func isPostgres(err error, codes ...string) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

func isSQLite(err error, codes ...int) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code() == c {
			return true
		}
	}
	return false
}

// classifyPostgres gives an error of PostgreSQL or of the way to it its kind.
func classifyPostgres(ctx context.Context, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch {
		case e.Code == "57014" && ctx.Err() != nil: // query_canceled
			return ctx.Err()
		case e.Code == "53100": // disk_full
			return fault.Wrap(fault.StorageFull, err, wordsFull)
		case e.Code == "XX001", e.Code == "XX002": // data_corrupted, index_corrupted
			return fault.Wrap(fault.Damaged, err, wordsDamaged)
		case class(e, "08"), class(e, "53"), class(e, "57"), e.Code == "58030", e.Code == "25006":
			// Connections, resources, shutdown, I/O, a standby that only reads.
			return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
		}
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		connect *pgconn.ConnectError
		network net.Error
	)
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) {
		return fault.Wrap(fault.Unavailable, err, wordsUnavailable)
	}
	return err
}

func class(e *pgconn.PgError, c string) bool { return strings.HasPrefix(e.Code, c) }
