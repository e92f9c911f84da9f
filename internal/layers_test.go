// Package internal holds no code, only the architecture as a test: what may
// import what, and what may be called where. The tables below are the map; a new
// edge or exception is a new line in them, with its reason. The rules that read
// them are in layers_rules_test.go.
package internal

import "testing"

// layers lists the components below internal/ from the bottom up. Imports go
// down only. A component is the folder with all folders below it.
var layers = []struct {
	name       string
	components []string
}{
	{"base", []string{"tenant", "fault", "clock", "egress", "live", "span"}},
	{"seams", []string{"stream", "sandbox", "blob", "query", "keys", "meta"}},
	{"capabilities", []string{
		"control", "account", "policy", "vault", "notify", "exchange", "job", "analysis", "schedule", "disclosure", "period", "events", "archive",
		"warehouse", "churn", "dashboard", "meter", "audit", "alert", "logs", "cdc", "cell", "assist",
		"backup", "oidc",
	}},
	{"gateways", []string{"gateway/api", "gateway/sftp", "gateway/collect", "gateway/postgres"}},
	{"app", []string{"app"}},
}

// edges lists the imports between components of one layer. Base needs none
// listed; one that is not used fails the test once both ends exist.
var edges = []edge{
	{"account", "audit", "sign-ins and changes of credentials are audited in the transaction that makes them"},
	{"account", "control", "a user or key belongs to a tenant that must exist and be active"},
	{"account", "notify", "people are told of new credentials and sign-ins in the transaction that makes them"},
	{"account", "oidc", "the provider's people sign in with who an issuer says they are"},
	{"account", "policy", "roles are policy's words, and policy decides who may grant them"},
	{"analysis", "audit", "acceptances, runs and releases are audited in the transaction that makes them"},
	{"analysis", "control", "the gate counts organisations, and only active tenants take part"},
	{"analysis", "disclosure", "the gate decides what a run may release"},
	{"analysis", "exchange", "a run reads accepted forms and delivers results through the exchange"},
	{"analysis", "job", "a run is queued in the transaction that records it"},
	{"analysis", "policy", "a run's grants are minted from standing grants"},
	{"analysis", "vault", "accepted forms are unsealed under a run grant, results sealed to their recipients"},
	{"archive", "audit", "what is done to the archive by hand is audited"},
	{"archive", "events", "what is archived are blocks of events"},
	{"control", "audit", "each step of a tenant's life is audited in the transaction that makes it"},
	{"control", "policy", "policy decides who may change a tenant"},
	{"events", "audit", "sources, plans and what leaves quarantine are audited in the transaction that changes them"},
	{"events", "control", "events are of tenants that are there, and the provider's data names them by control's names"},
	{"warehouse", "audit", "queries are audited"},
	{"warehouse", "events", "what is loaded are blocks of events"},
	{"events", "policy", "a write key writes under a scope of its own"},
	{"exchange", "audit", "submissions and downloads are audited in the transaction that makes them"},
	{"exchange", "job", "validation is queued in the transaction that records the submission"},
	{"exchange", "notify", "verdicts and results are told in the transaction that makes them"},
	{"exchange", "policy", "validation runs under a scope of its own, after the uploader has gone"},
	{"exchange", "vault", "submitted files, accepted forms and results are kept sealed"},
	{"notify", "audit", "webhooks and switches are audited in the transaction that changes them"},
	{"notify", "policy", "roles are policy's words, and switches are a principal's own"},
	{"schedule", "analysis", "a firing starts runs in its own transaction"},
	{"schedule", "audit", "changes of schedules are audited in the transaction that makes them"},
	{"schedule", "exchange", "contracts say when periods close, reopenings when one is run once more"},
	{"period", "analysis", "who has accepted an analysis is to send what it uses"},
	{"period", "control", "only active tenants are to send anything"},
	{"period", "exchange", "contracts say when files are due, submissions which have come"},
	{"period", "notify", "people are told of what is due, and of what is overdue"},
}

// pure lists the packages of rules and words alone: no store, no clock, no
// network. They import base and each other, where the edges above allow it.
var pure = []string{"disclosure", "exchange/contract", "analysis/definition", "analysis/definition/expression", "analysis/render"}

// libraries lists the parts of the outside world that one component deals with
// for all. cgo is the library "C".
var libraries = []library{
	{"C", []string{"query/duckdb"}, "the rest builds and is analysed as plain Go"},
	{"github.com/duckdb/", []string{"query/duckdb"}, "the engine runs in a sandboxed child, behind the query seam"},
	{"modernc.org/sqlite", []string{"meta"}, "capabilities write one SQL text for both databases"},
	{"github.com/jackc/pgx/", []string{"meta"}, "capabilities write one SQL text for both databases"},
	{"github.com/pressly/goose/", []string{"meta"}, "there is one place for migrations"},
	{"github.com/tink-crypto/", []string{"keys"}, "there is one place for cryptography of stored bytes"},
	{"filippo.io/age", []string{"keys"}, "there is one place for cryptography of stored bytes"},
	{"github.com/cedar-policy/", []string{"policy"}, "there is one decision point"},
	{"github.com/alexedwards/argon2id", []string{"account"}, "passwords are hashed, with bounded concurrency, in one place"},
	{"github.com/coreos/go-oidc/", []string{"oidc"}, "what an issuer says is verified in one place"},
	{"golang.org/x/oauth2", []string{"oidc"}, "the same"},
	{"github.com/go-jose/", []string{"oidc"}, "the same"},
	{"github.com/danielgtaylor/huma/", []string{"gateway/api"}, "HTTP ends at its gateway"},
	{"github.com/robfig/cron/", []string{"schedule"}, "expressions are read in one place, which has its own rule for clocks that are set"},
	{"github.com/pkg/sftp", []string{"gateway/sftp"}, "SFTP ends at its gateway"},
	{"github.com/minio/", []string{"blob"}, "objects are reached through their seam"},
	{"github.com/tus/", []string{"gateway/api"}, "HTTP ends at its gateway"},
	{"github.com/nats-io/", []string{"stream"}, "streams are reached through their seam"},
}

// banned lists calls that code under test must not make, and where they belong.
// Tests, benchmarks and cmd may make them.
var banned = []ban{
	{"tributary/internal/tenant", "Mint", []string{"policy"}, "only policy makes scopes, from a verified credential or a standing grant"},
	{"time", "Now", []string{"clock"}, "take a clock.Clock, so that tests decide the time"},
	{"time", "Since", []string{"clock"}, "subtract from the clock's Now, so that tests decide the time"},
	{"time", "Until", []string{"clock"}, "subtract the clock's Now, so that tests decide the time"},
	{"time", "Sleep", nil, "wait on a signal or a timer that the context can end"},
	{"crypto/rand", "*", []string{"clock"}, "take a clock.Clock, so that tests decide what is random"},
	{"math/rand", "*", nil, "take a clock.Clock, so that tests decide what is random"},
	{"math/rand/v2", "*", nil, "take a clock.Clock, so that tests decide what is random"},
	{"net", "Dial", out, wayOut}, {"net", "DialTimeout", out, wayOut}, {"net", "Dialer", out, wayOut}, {"net", "DialTCP", out, wayOut}, {"net", "DialUDP", out, wayOut},
	{"net", "DialIP", out, wayOut}, {"net", "DialUnix", out, wayOut},
	{"crypto/tls", "Dial", out, wayOut}, {"crypto/tls", "DialWithDialer", out, wayOut}, {"crypto/tls", "Dialer", out, wayOut},
	{"net/http", "Client", out, wayOut}, {"net/http", "DefaultClient", out, wayOut}, {"net/http", "Transport", out, wayOut}, {"net/http", "DefaultTransport", out, wayOut},
	{"net/http", "Get", out, wayOut}, {"net/http", "Head", out, wayOut}, {"net/http", "Post", out, wayOut}, {"net/http", "PostForm", out, wayOut},
	{"net/smtp", "Dial", out, wayOut}, {"net/smtp", "SendMail", out, wayOut},
	{"golang.org/x/crypto/acme/autocert", "NewListener", out, wayOut},
	{"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "New", out, wayOut},
	{"os", "CreateTemp", nil, "no temporary files, which would hold tenants' bytes in plain: use memory files"},
	{"os", "MkdirTemp", nil, "no temporary files, which would hold tenants' bytes in plain: use memory files"},
	{"os", "TempDir", nil, "no temporary files, which would hold tenants' bytes in plain: use memory files"},
}

// out is where connections to the outside are made.
var out = []string{"egress"}

const wayOut = "what goes out goes through egress.Client or egress.Dialer, which reach public addresses only and follow no redirects"

// allowed lists the uses of what is banned that are right where they are: the
// file below internal/, the call, the reason.
var allowed = []exception{
	{"app/telemetry.go", "otlptracehttp.New", "the operator names the collector, which may well be on this host"},
	{"gateway/api/deadlines.go", "time.Now", "a connection's deadline is in the kernel's time"},
	{"gateway/api/exchange.go", "time.Now", "a connection's deadline is in the kernel's time"},
	{"gateway/sftp/server.go", "time.Now", "a connection's deadline is in the kernel's time"},
	{"notify/smtp.go", "time.Now", "a connection's deadline is in the kernel's time"},
	{"meta/postgres.go", "time.Now", "bounds a wait for other programs' transactions to end"},
	{"warehouse/models.go", "time.Now", "a clock that is set forward does not make a round any longer"},
	{"warehouse/models.go", "time.Since", "a clock that is set forward does not make a round any longer"},
	{"meta/transact.go", "rand.N", "spreads the retries of refused transactions; nothing that is kept depends on it"},
	{"query/duckdb/duckdb.go", "time.Now", "measures itself in a child that no test's clock reaches"},
	{"query/duckdb/duckdb.go", "time.Since", "measures itself in a child that no test's clock reaches"},
}

// unscoped lists the exported functions of capabilities that take a tenant.ID
// without a Scope and are not named Unscoped: package.Name or package.Type.Name,
// and the reason.
var unscoped = []exception{
	{"account", "Accounts.EraseTenant", "the erasure saga comes after the tenant's keys, and so its scopes, are gone"},
	{"analysis", "Analyses.EraseTenant", "the same"},
	{"archive", "Archive.EraseTenant", "the same"},
	{"audit", "Log.EraseTenant", "the same"},
	{"events", "Events.EraseTenant", "the same"},
	{"warehouse", "Warehouse.EraseTenant", "the same"},
	{"events", "Sequencer.Append", "a chain of blocks is a seam of the streams; intake and the outbox, which use it, have checked who writes"},
	{"exchange", "Exchange.EraseTenant", "the same"},
	{"notify", "Notices.EraseTenant", "the same"},
	{"control", "Control.Claim", "called with a tenant's first submission or sign-in, whose scope need not reach the tenant's own row"},
	{"control", "Control.WrappedKey", "it is the key ring's store, and seams have no scopes"},
	{"vault", "Vault.EraseTenant", "the same"},
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	report(t, imports(module(t)))
}

func TestListedEdgesAreUsed(t *testing.T) {
	t.Parallel()
	report(t, unusedEdges(module(t)))
}

func TestLibrariesAreReachedInOnePlace(t *testing.T) {
	t.Parallel()
	report(t, foreign(module(t)))
}

func TestBannedCallsAreNotMade(t *testing.T) {
	t.Parallel()
	report(t, bannedCalls(module(t)))
}

func TestCapabilitiesTakeScopes(t *testing.T) {
	t.Parallel()
	report(t, signatures(module(t)))
}
