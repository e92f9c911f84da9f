package meta

import (
	"context"
	"database/sql/driver"
	"errors"
)

// maxPrepared is how many statements a connection keeps ready. All that the
// server says often fit; together they take a few hundred kilobytes.
const maxPrepared = 256

// preparing is a connector whose connections keep the statements that were run on
// them: to parse one takes SQLite as long as to run it.
type preparing struct{ driver.Connector }

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	whole, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("meta: the driver of SQLite lacks a method"), c.Close())
	}
	return &preparedConn{whole, map[string]preparedStmt{}}, nil
}

// sqliteConn is what database/sql may ask of a connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type preparedConn struct {
	sqliteConn
	statements map[string]preparedStmt
}

// ExecContext implements driver.ExecerContext.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.ready(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext. The rows have to be read to
// their end, or closed, before the same statement is run again; query does.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.ready(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args)
}

func (c *preparedConn) ready(ctx context.Context, query string) (preparedStmt, error) {
	if s, ok := c.statements[query]; ok {
		return s, nil
	}
	if len(c.statements) >= maxPrepared {
		for text, s := range c.statements { // any one: there are seldom so many
			delete(c.statements, text)
			if err := s.Close(); err != nil {
				return nil, err
			}
			break
		}
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := made.(preparedStmt)
	if !ok {
		return nil, errors.Join(errors.New("meta: the driver's statements lack a method"), made.Close())
	}
	c.statements[query] = s
	return s, nil
}

// Close implements driver.Conn.
func (c *preparedConn) Close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}
