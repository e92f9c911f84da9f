package internal

import (
	"strings"
	"testing"
)

// TestTheRulesBite breaks each rule on purpose, since on good code a rule that
// finds nothing looks the same as one that cannot.
func TestTheRulesBite(t *testing.T) {
	t.Parallel()
	const scope = "package x\nimport \"tributary/internal/tenant\"\n"
	for _, c := range []struct {
		name string
		rule func([]source) []string
		file string
		text string
		want string // part of the complaint; none if empty
	}{
		{"down", imports, "internal/vault/a.go", `package vault; import "tributary/internal/blob"`, ""},
		{"up", imports, "internal/blob/a.go", `package blob; import "tributary/internal/vault"`, "goes up to capabilities"},
		{"up from a test", imports, "internal/blob/a_test.go", `package blob; import "tributary/internal/vault"`, "goes up to capabilities"},
		{"to app", imports, "internal/gateway/api/a.go", `package api; import "tributary/internal/app"`, "goes up to app"},
		{"unknown importer", imports, "internal/utils/a.go", `package utils`, "not on the map"},
		{"unknown import", imports, "internal/vault/a.go", `package vault; import "tributary/internal/utils"`, "not on the map"},
		{"listed edge", imports, "internal/exchange/a.go", `package exchange; import "tributary/internal/vault"`, ""},
		{"listed edge to below", imports, "internal/analysis/a.go", `package analysis; import "tributary/internal/exchange/contract"`, ""},
		{"unlisted edge", imports, "internal/vault/a.go", `package vault; import "tributary/internal/exchange"`, "edge is not listed"},
		{"unlisted edge from below", imports, "internal/exchange/parse/a.go", `package parse; import "tributary/internal/churn"`, "edge is not listed"},
		{"gateways apart", imports, "internal/gateway/api/a.go", `package api; import "tributary/internal/gateway/sftp"`, "edge is not listed"},
		{"seams apart", imports, "internal/keys/a.go", `package keys; import "tributary/internal/blob"`, "edge is not listed"},
		{"own backend's seam", imports, "internal/blob/disk/a.go", `package disk; import "tributary/internal/blob"`, ""},
		{"backend in a capability", imports, "internal/vault/a.go", `package vault; import "tributary/internal/blob/disk"`, "only app knows backends"},
		{"backend in a capability's test", imports, "internal/vault/a_test.go", `package vault; import "tributary/internal/blob/disk"`, ""},
		{"backend in app", imports, "internal/app/a.go", `package app; import "tributary/internal/blob/disk"`, ""},
		{"suite in code", imports, "internal/blob/disk/a.go", `package disk; import "tributary/internal/blob/blobtest"`, "for tests only"},
		{"suite in a test", imports, "internal/blob/disk/a_test.go", `package disk; import "tributary/internal/blob/blobtest"`, ""},
		{"pure on base", imports, "internal/disclosure/a.go", `package disclosure; import "tributary/internal/fault"`, ""},
		{"pure on a seam", imports, "internal/disclosure/a.go", `package disclosure; import "tributary/internal/meta"`, "a pure package imports"},
		{"pure on its parent", imports, "internal/exchange/contract/a.go", `package contract; import "tributary/internal/exchange"`, "a pure package imports"},
		{"client alone", imports, "client/a.go", `package client; import "tributary/internal/fault"`, "imports nothing of the module"},
		{"client's words in a capability", imports, "internal/vault/a.go", `package vault; import "tributary/client"`, "for gateways and above"},
		{"client's words in a gateway", imports, "internal/gateway/api/a.go", `package api; import "tributary/client"`, ""},
		{"cmd sees all", imports, "cmd/tributary/a.go", `package main; import "tributary/internal/keys/file"`, ""},

		{"cgo elsewhere", foreign, "internal/vault/a.go", `package vault; import "C"`, "belongs in query/duckdb"},
		{"cgo in its place", foreign, "internal/query/duckdb/a.go", `package duckdb; import "C"`, ""},
		{"engine in the seam", foreign, "internal/query/a.go", `package query; import "github.com/duckdb/duckdb-go/v2"`, "belongs in query/duckdb"},
		{"engine in cmd", foreign, "cmd/tributary/a.go", `package main; import "github.com/duckdb/duckdb-go/v2"`, "belongs in query/duckdb"},
		{"engine as a peer", foreign, "bench/a.go", `package main; import "github.com/duckdb/duckdb-go/v2"`, ""},
		{"driver elsewhere", foreign, "internal/vault/a.go", `package vault; import "github.com/jackc/pgx/v5/pgconn"`, "belongs in meta"},

		{"mint", bannedCalls, "internal/vault/a.go", scope + "func f() { tenant.Mint(tenant.Terms{}) }", "only policy makes scopes"},
		{"mint passed on", bannedCalls, "internal/vault/a.go", scope + "var f = tenant.Mint", "only policy makes scopes"},
		{"mint renamed", bannedCalls, "internal/app/a.go", `package x; import q "tributary/internal/tenant"; var f = q.Mint`, "only policy makes scopes"},
		{"mint by dot", bannedCalls, "internal/app/a.go", `package x; import . "tributary/internal/tenant"; var f = Mint`, "only policy makes scopes"},
		{"mint in policy", bannedCalls, "internal/policy/a.go", scope + "var f = tenant.Mint", ""},
		{"mint in a test", bannedCalls, "internal/vault/a_test.go", scope + "var f = tenant.Mint", ""},
		{"a client", bannedCalls, "internal/notify/a.go", `package x; import "net/http"; var c = &http.Client{}`, "through egress.Client"},
		{"the client that is there", bannedCalls, "internal/notify/a.go", `package x; import "net/http"; var c = http.DefaultClient`, "through egress.Client"},
		{"a dialer", bannedCalls, "internal/notify/a.go", `package x; import "net"; var d net.Dialer`, "through egress.Client"},
		{"a dialer in egress", bannedCalls, "internal/egress/a.go", `package egress; import "net"; var d net.Dialer`, ""},
		{"a dialer in a test", bannedCalls, "internal/notify/a_test.go", `package x; import "net"; var d net.Dialer`, ""},
		{"time", bannedCalls, "internal/job/a.go", `package x; import "time"; var f = time.Now()`, "take a clock.Clock"},
		{"time in cmd", bannedCalls, "cmd/tributary/a.go", `package x; import "time"; var f = time.Now()`, ""},
		{"a timer", bannedCalls, "internal/job/a.go", `package x; import "time"; var f = time.NewTimer(time.Second)`, ""},
		{"randomness", bannedCalls, "internal/keys/a.go", `package x; import "crypto/rand"; var f = rand.Reader`, "what is random"},
		{"old randomness", bannedCalls, "internal/keys/a.go", `package x; import "math/rand/v2"; var f = rand.N(3)`, "what is random"},
		{"a temporary file", bannedCalls, "internal/blob/disk/a.go", `package x; import "os"; var f, _ = os.CreateTemp("", "")`, "no temporary files"},

		{"scope", signatures, "internal/vault/a.go", scope + "func (v *V) F(s tenant.Scope, id tenant.ID) {}", ""},
		{"id", signatures, "internal/vault/a.go", scope + "func (v *V) F(id tenant.ID) {}", "V.F names a tenant"},
		{"ids", signatures, "internal/vault/a.go", scope + "func F(ids map[tenant.ID]bool) {}", "F names a tenant"},
		{"id as text", signatures, "internal/vault/a.go", scope + "func F(tenantID, s string) {}", "F names a tenant"},
		{"owned up to", signatures, "internal/vault/a.go", scope + "func (v *V) UnscopedF(id tenant.ID) {}", ""},
		{"inside", signatures, "internal/vault/a.go", scope + "func f(id tenant.ID) {}", ""},
		{"seam", signatures, "internal/keys/a.go", scope + "func F(id tenant.ID) {}", ""},
	} {
		src, err := parse(c.file, []byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, complaint := range c.rule([]source{src}) {
			if strings.Contains(complaint, c.file) { // and not of exceptions that this file does not use
				got = append(got, complaint)
			}
		}
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: complained %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnusedEdgesAndExceptionsAreFound(t *testing.T) {
	t.Parallel()
	var files []source
	for name, text := range map[string]string{
		"internal/exchange/a.go": `package exchange; import "tributary/internal/job"`,
		"internal/job/a.go":      `package job`,
		"internal/vault/a.go":    `package vault`,
	} {
		src, err := parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, src)
	}
	got := unusedEdges(files)
	if len(got) != 1 || !strings.Contains(got[0], "exchange -> vault is listed and not used") {
		t.Errorf("complained %q, want of exchange -> vault alone", got)
	}
	e := exception{"vault", "F", "why"}
	if got := stale("list", []exception{e}, map[exception]bool{e: true}); len(got) != 0 {
		t.Errorf("complained %q of an exception that is needed", got)
	}
	if got := stale("list", []exception{e}, nil); len(got) != 1 {
		t.Errorf("complained %q of an exception that is not needed, want one complaint", got)
	}
}
