package meta

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"tributary/internal/fault"
)

const (
	defaultSchema      = "tributary"
	defaultConnections = 16
	connectTimeout     = 5 * time.Second
	oldestPostgres     = 140000
)

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func openPostgres(ctx context.Context, c Config) (_ engine, tenantTables []string, err error) {
	cfg, schema, err := postgresConfig(c)
	if err != nil {
		return nil, nil, err
	}
	db := &postgresDB{gone: make(chan struct{})}
	defer func() {
		if err != nil {
			err = classifyPostgres(ctx, err)
			_ = db.close()
		}
	}()
	holder := cfg.ConnConfig.Copy()
	holder.RuntimeParams["application_name"] = "tributary lock"
	if db.holder, err = pgx.ConnectConfig(ctx, holder); err != nil {
		return nil, nil, refusal(err)
	}
	if err := checkRole(ctx, db.holder); err != nil {
		return nil, nil, err
	}
	err = postgresUsable(ctx, db.holder, schema)
	if err != nil && !(c.Loading && fault.Is(err, fault.Conflict)) && (c.Existing || c.Beside || !fault.Is(err, fault.NotFound)) {
		return nil, nil, err
	}
	if !c.Beside {
		if err := createSchema(ctx, db.holder, schema); err != nil {
			return nil, nil, err
		}
		if err := db.hold(ctx, c, schema); err != nil {
			return nil, nil, err
		}
	}
	// Migrations see all tenants' rows, on a connection that nothing else uses.
	all := cfg.ConnConfig.Copy()
	all.RuntimeParams["tributary.tenant"] = everyone
	connector := stdlib.GetConnector(*all)
	if c.failing != nil {
		connector = c.failing(connector)
	}
	mdb := sql.OpenDB(connector)
	err = migrate(ctx, c, goose.DialectPostgres, mdb)
	_ = mdb.Close()
	if err != nil {
		return nil, nil, err
	}
	if !c.Beside {
		if err := protect(ctx, db.holder); err != nil {
			return nil, nil, fmt.Errorf("separate tenants' rows: %w", err)
		}
	}
	if db.policy, err = policyText(ctx, db.holder); err != nil {
		return nil, nil, err
	}
	if tenantTables, err = names(ctx, db.holder, tablesWithTenant); err != nil {
		return nil, nil, err
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, nil, err
	}
	db.watch(c.Log)
	return db, tenantTables, nil
}

// postgresConfig reads the URL: how to connect, and to which schema.
func postgresConfig(c Config) (*pgxpool.Config, string, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, "", fault.Wrap(fault.Invalid, err, "The control database's URL is not one for PostgreSQL, as in postgres://tributary@host:5432/tributary.")
	}
	schema := c.Schema
	if schema == "" {
		schema = cfg.ConnConfig.RuntimeParams["search_path"]
	}
	if schema == "" {
		schema = defaultSchema
	}
	if !plainName.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
		return nil, "", fault.New(fault.Invalid, "The control database's schema %q must be one name of lower-case letters, digits and underscores.", schema)
	}
	configure(cfg, schema)
	return cfg, schema, nil
}

// configure sets what every connection must have, whatever the URL and the
// server say.
func configure(cfg *pgxpool.Config, schema string) {
	if !strings.Contains(cfg.ConnString(), "pool_max_conns") {
		cfg.MaxConns = defaultConnections
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	p := cfg.ConnConfig.RuntimeParams
	p["search_path"] = schema
	p["default_transaction_isolation"] = "serializable"
	p["row_security"] = "on"
	if p["application_name"] == "" {
		p["application_name"] = "tributary"
	}
	delete(p, "tributary.tenant")
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Acknowledged means durable, also where the server's default is otherwise.
		_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	}
}

// refusal turns what the server says to a connection that it refuses into words.
func refusal(err error) error {
	if isPostgres(err, "28P01", "28000", "3D000") {
		return fault.Wrap(fault.Invalid, err, "The control database refuses the user, password or database name in the URL.")
	}
	return err
}

// checkRole refuses roles to which row-level security does not apply, and
// servers that would keep other things than SQLite does.
func checkRole(ctx context.Context, conn *pgx.Conn) error {
	var (
		role, database, encoding string
		version                  int64
		super, bypass, mayBecome bool
	)
	err := conn.QueryRow(ctx, `
		SELECT current_user, current_database(), current_setting('server_encoding'),
			current_setting('server_version_num')::bigint, r.rolsuper, r.rolbypassrls,
			EXISTS (SELECT 1 FROM pg_roles AS s
				WHERE (s.rolsuper OR s.rolbypassrls) AND pg_has_role(current_user, s.oid, 'MEMBER'))
		FROM pg_roles AS r WHERE r.rolname = current_user`).
		Scan(&role, &database, &encoding, &version, &super, &bypass, &mayBecome)
	if err != nil {
		return fmt.Errorf("look at the role: %w", err)
	}
	if super || bypass || mayBecome {
		return fault.New(fault.Invalid,
			"PostgreSQL's role %q is a superuser, has BYPASSRLS or may become a role that does, so row-level security would not keep tenants apart. "+
				"Make a role for Tributary and put it in the URL: "+
				"CREATE ROLE tributary LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS; GRANT CREATE ON DATABASE %s TO tributary;",
			role, pgx.Identifier{database}.Sanitize())
	}
	if version < oldestPostgres {
		return fault.New(fault.Invalid, "The control database needs PostgreSQL %d or newer.", oldestPostgres/10000)
	}
	if encoding != "UTF8" {
		return fault.New(fault.Invalid, "PostgreSQL's database %q has the encoding %s; Tributary needs one with UTF8.", database, encoding)
	}
	return nil
}

func createSchema(ctx context.Context, conn *pgx.Conn, schema string) error {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&exists)
	if err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	var allowed bool
	if exists {
		err = conn.QueryRow(ctx, `SELECT has_schema_privilege($1, 'CREATE') AND has_schema_privilege($1, 'USAGE')`, schema).Scan(&allowed)
	} else if _, err = conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+schema); err == nil || !isPostgres(err, "42501") {
		allowed = true
	} else {
		err = nil
	}
	if err != nil {
		// Another server that starts now may have made it between the two.
		if isPostgres(err, "23505", "42P06") {
			return nil
		}
		return fmt.Errorf("create the schema: %w", err)
	}
	if !allowed {
		return fault.New(fault.Invalid,
			"PostgreSQL's role %q may not make tables in schema %q. Run: CREATE SCHEMA IF NOT EXISTS %[2]s; GRANT USAGE, CREATE ON SCHEMA %[2]s TO %[3]s;",
			conn.Config().User, schema, pgx.Identifier{conn.Config().User}.Sanitize())
	}
	return nil
}

// policy is the condition on every row of a tenant, read and written. Outside of
// a statement's transaction the setting is empty or not there: then no row
// matches, the provider's (”) included.
const policy = `(tenant = nullif(current_setting('tributary.tenant', true), '')
	OR current_setting('tributary.tenant', true) = '` + everyone + `'
	OR (tenant = '' AND current_setting('tributary.tenant', true) = '` + provider + `'))`

const policyName = "tenants_are_apart"

const tablesWithTenant = `
	SELECT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
		AND a.attname = 'tenant' AND NOT a.attisdropped
	ORDER BY c.relname COLLATE "C"`

// protect puts every table with a column "tenant" under row-level security, the
// owner included, takes away all other policies, and makes text compare by its
// bytes as in SQLite. It runs at every start, so it also repairs.
func protect(ctx context.Context, conn *pgx.Conn) error {
	tables, err := names(ctx, conn, tablesWithTenant)
	if err != nil {
		return err
	}
	steps, err := names(ctx, conn, `
		SELECT format('DROP POLICY %I ON %I', policyname, tablename) FROM pg_policies WHERE schemaname = current_schema()`)
	if err != nil {
		return err
	}
	// Before the policies, because a column that one reads cannot be altered.
	collations, err := names(ctx, conn, `
		SELECT format('ALTER TABLE %I %s', c.relname,
			string_agg(format('ALTER %I TYPE text COLLATE "C"', a.attname), ', ' ORDER BY a.attnum))
		FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
			AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
			AND a.attcollation <> 'pg_catalog."C"'::regcollation
		GROUP BY c.relname`)
	if err != nil {
		return err
	}
	steps = append(steps, collations...)
	for _, t := range tables {
		name := pgx.Identifier{t}.Sanitize()
		steps = append(steps,
			"ALTER TABLE "+name+" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
			"CREATE POLICY "+policyName+" ON "+name+" USING "+policy+" WITH CHECK "+policy)
	}
	_, err = conn.Exec(ctx, "BEGIN;\n"+strings.Join(append(steps, "COMMIT"), ";\n"))
	return err
}

// policyText returns the policy as PostgreSQL writes it, which depends on its version.
func policyText(ctx context.Context, conn querierPostgres) (string, error) {
	texts, err := names(ctx, conn, `
		SELECT DISTINCT pg_get_expr(p.polqual, p.polrelid)
		FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
		WHERE c.relnamespace = current_schema()::regnamespace`)
	if err != nil || len(texts) == 0 {
		return "", err
	}
	return texts[0], nil
}

// unprotected lists the tables of tenants whose rows are not kept apart, the
// policy being the one that protect made.
func unprotected(ctx context.Context, conn querierPostgres, policy string) ([]string, error) {
	return names(ctx, conn, `
		SELECT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
			AND a.attname = 'tenant' AND NOT a.attisdropped
			AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND (
				SELECT count(*) = 1 AND bool_and(p.polcmd = '*' AND p.polroles = '{0}'
					AND pg_get_expr(p.polqual, p.polrelid) = $1 AND pg_get_expr(p.polwithcheck, p.polrelid) = $1)
				FROM pg_policy AS p WHERE p.polrelid = c.oid))
		ORDER BY c.relname COLLATE "C"`, policy)
}

func allTables(ctx context.Context, conn querierPostgres) ([]string, error) {
	return names(ctx, conn, `
		SELECT relname::text FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY relname COLLATE "C"`)
}

// querierPostgres is a connection or a pool.
type querierPostgres interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func names(ctx context.Context, conn querierPostgres, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
