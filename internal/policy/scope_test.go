package policy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/tenant"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hands are the two clocks of a test.
type hands struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

func (h *hands) pass(d time.Duration) { h.set(d, d) }

func (h *hands) set(wall, elapsed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wall, h.elapsed = h.wall.Add(wall), h.elapsed+elapsed
}

func newTestEngine(t testing.TB, h *hands) *Engine {
	t.Helper()
	if h == nil {
		h = &hands{}
	}
	h.wall = epoch
	e, err := New(Config{
		Clock:   clock.Clock{NowFunc: func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.wall }},
		Elapsed: func() time.Duration { h.mu.Lock(); defer h.mu.Unlock(); return h.elapsed },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func replaceOnce(t *testing.T, s, old, with string) string {
	t.Helper()
	if strings.Count(s, old) != 1 {
		t.Fatalf("%q is %d times in the text, want once", old, strings.Count(s, old))
	}
	return strings.Replace(s, old, with, 1)
}

func someone(role Role, kind Kind) Principal {
	return Principal{Credential: "ses_1", Kind: kind, User: "usr_1", Tenant: tenantA, Role: role, VerifiedAt: epoch}
}

func scopeOf(t *testing.T, e *Engine, p Principal) tenant.Scope {
	t.Helper()
	s, err := e.Scope(t.Context(), p)
	if err != nil {
		t.Fatalf("Scope(%+v): %v", p, err)
	}
	return s
}

func TestScopesOfRoles(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	files := "read results,read submissions,read tenant,read vault/input,read vault/output"
	all := "read acceptances,read audit,read credentials,read notices," + strings.Replace(files, "read submissions", "read streams,read submissions", 1)
	admin := strings.Replace(all, "read notices", "read events,read notices", 1)
	for _, c := range []struct {
		role Role
		kind Kind
		want string
	}{
		{TenantUser, Session, "read acceptances," + files + ",read warehouse,write events,write submissions,write vault/input"},
		{TenantUser, APIKey, "read acceptances," + files + ",read warehouse,write events,write submissions,write vault/input"},
		{TenantUser, SSHKey, files + ",write submissions,write vault/input"},
		{TenantUser, Setup, ""},
		{TenantAdmin, Session, "delete credentials,delete events,delete notices,delete submissions,delete vault/input," + admin + ",read warehouse,write acceptances,write credentials,write events,write notices,write submissions,write vault/input"},
		{TenantAdmin, SSHKey, "delete submissions,delete vault/input," + files + ",write submissions,write vault/input"},
		{TenantAdmin, "", ""},
		{Departing, Session, all}, // its export has everything
		{Departing, SSHKey, files},
	} {
		s, err := e.Scope(t.Context(), someone(c.role, c.kind))
		if (err != nil) != (c.want == "") {
			t.Errorf("%s with %s: %v", c.role, c.kind, err)
		}
		var have []string
		for verb := range verbs {
			for _, store := range append(stores[:], tenant.Everything) {
				if s.Check(t.Context(), verb, store) == nil {
					have = append(have, fmt.Sprintf("%s %s", verb, store))
				}
			}
		}
		slices.Sort(have)
		if got := strings.Join(have, ","); got != c.want {
			t.Errorf("%s with %s\n got %s\nwant %s", c.role, c.kind, got, c.want)
		}
		if c.want != "" && (s.Tenant() != tenantA || s.Actor() != "usr_1") {
			t.Errorf("the scope is %s's for %s, want usr_1's for %s", s.Actor(), s.Tenant(), tenantA)
		}
	}
}

func TestScopesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := &hands{}
	e := newTestEngine(t, h)
	change := func(f func(*Principal)) Principal { p := someone(TenantAdmin, Session); f(&p); return p }
	for name, c := range map[string]struct {
		p    Principal
		want fault.Kind
	}{
		"nobody":               {Principal{}, fault.Denied},
		"staff":                {Principal{Credential: "ses_1", Kind: Session, Role: SystemAdmin, VerifiedAt: epoch}, fault.Denied},
		"staff with a tenant":  {change(func(p *Principal) { p.Role = SystemAdmin }), fault.Denied},
		"no tenant":            {change(func(p *Principal) { p.Tenant = "" }), fault.Denied},
		"every tenant":         {change(func(p *Principal) { p.Tenant = "*" }), fault.Denied},
		"the provider":         {change(func(p *Principal) { p.Tenant = "provider" }), fault.Denied},
		"no credential":        {change(func(p *Principal) { p.Credential = "" }), fault.Denied},
		"an unknown role":      {change(func(p *Principal) { p.Role = "owner" }), fault.Denied},
		"a setup token":        {change(func(p *Principal) { p.Kind = Setup }), fault.Denied},
		"not verified":         {change(func(p *Principal) { p.VerifiedAt = time.Time{} }), fault.Internal},
		"verified long ago":    {change(func(p *Principal) { p.VerifiedAt = epoch.Add(-MaxVerified - 1) }), fault.Unauthenticated},
		"verified in time":     {change(func(p *Principal) { p.VerifiedAt = epoch.Add(-MaxVerified) }), ""},
		"verified in a future": {change(func(p *Principal) { p.VerifiedAt = epoch.Add(time.Hour) }), fault.Unauthenticated},
	} {
		if _, err := e.Scope(t.Context(), c.p); fault.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

const object = "obj_0000000000000000000000000q"

func TestWorkScopes(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	read := func(r tenant.Resource) []tenant.Permission {
		return []tenant.Permission{{Verb: tenant.Read, Resource: r}}
	}
	write := func(r tenant.Resource) []tenant.Permission {
		return []tenant.Permission{{Verb: tenant.Write, Resource: r}}
	}
	remove := func(r tenant.Resource) []tenant.Permission {
		return []tenant.Permission{{Verb: tenant.Delete, Resource: r}}
	}
	one := tenant.VaultInput.One(object)
	for name, c := range map[string]struct {
		w    Work
		want fault.Kind
	}{
		"nothing at all":             {Work{}, fault.Internal},
		"validation reads its file":  {Work{Validation, tenantA, "sub_1", append(read(one), write(tenant.VaultInput)...), time.Hour}, ""},
		"validation reads all input": {Work{Validation, tenantA, "sub_1", read(tenant.VaultInput), time.Hour}, fault.Denied},
		"validation reads a result":  {Work{Validation, tenantA, "sub_1", read(tenant.VaultOutput.One(object)), time.Hour}, fault.Denied},
		"validation writes results":  {Work{Validation, tenantA, "sub_1", write(tenant.VaultOutput), time.Hour}, fault.Denied},
		"validation deletes":         {Work{Validation, tenantA, "sub_1", remove(tenant.VaultInput), time.Hour}, fault.Denied},
		"a run reads a named object": {Work{RunGrant, tenantA, "run_1", append(read(one), write(tenant.VaultOutput)...), time.Hour}, ""},
		"a run reads all input":      {Work{RunGrant, tenantA, "run_1", append(read(one), read(tenant.VaultInput)...), time.Hour}, fault.Denied},
		"a run reads results":        {Work{RunGrant, tenantA, "run_1", read(tenant.VaultOutput), time.Hour}, fault.Denied},
		"a run writes input":         {Work{RunGrant, tenantA, "run_1", write(tenant.VaultInput), time.Hour}, fault.Denied},
		"a run makes credentials":    {Work{RunGrant, tenantA, "run_1", write(tenant.Credentials), time.Hour}, fault.Denied},
		"offboarding deletes":        {Work{Offboarding, tenantA, "tributary", remove(tenant.VaultOutput), time.Hour}, ""},
		"offboarding reads":          {Work{Offboarding, tenantA, "tributary", read(one), time.Hour}, fault.Denied},
		"no template":                {Work{"", tenantA, "run_1", read(one), time.Hour}, fault.Denied},
		"an unknown template":        {Work{"root", tenantA, "run_1", read(one), time.Hour}, fault.Denied},
		"no tenant":                  {Work{RunGrant, "", "run_1", read(one), time.Hour}, fault.Internal},
		"every tenant":               {Work{RunGrant, "*", "run_1", read(one), time.Hour}, fault.Internal},
		"the provider as a tenant":   {Work{RunGrant, "provider", "run_1", read(one), time.Hour}, fault.Internal},
		"no actor":                   {Work{RunGrant, tenantA, "", read(one), time.Hour}, fault.Internal},
		"no permission":              {Work{RunGrant, tenantA, "run_1", nil, time.Hour}, fault.Internal},
		"no time":                    {Work{RunGrant, tenantA, "run_1", read(one), 0}, fault.Internal},
		"time that is over":          {Work{RunGrant, tenantA, "run_1", read(one), -1}, fault.Internal},
		"too much time":              {Work{RunGrant, tenantA, "run_1", read(one), Longest + 1}, fault.Internal},
		"retention deletes a file":   {Work{Retention, tenantA, "sub_1", remove(one), time.Hour}, ""},
		"retention deletes all":      {Work{Retention, tenantA, "sub_1", remove(tenant.VaultInput), time.Hour}, fault.Denied},
		"intake writes":              {Work{Intake, tenantA, "src_1", []tenant.Permission{{Verb: tenant.Write, Resource: tenant.Events}}, time.Hour}, ""},
		"intake reads":               {Work{Intake, tenantA, "src_1", read(tenant.Events), time.Hour}, fault.Denied},
		"retention reads":            {Work{Retention, tenantA, "sub_1", read(one), time.Hour}, fault.Denied},
		"everything":                 {Work{Offboarding, tenantA, "run_1", remove(tenant.Everything), time.Hour}, fault.Internal},
		"a wildcard for an object":   {Work{RunGrant, tenantA, "run_1", read(tenant.VaultInput.One("*")), time.Hour}, fault.Internal},
		"an empty object":            {Work{RunGrant, tenantA, "run_1", read(tenant.VaultInput.One("")), time.Hour}, fault.Internal},
		"a path for an object":       {Work{RunGrant, tenantA, "run_1", read(tenant.VaultInput.One("../" + object)), time.Hour}, fault.Internal},
		"an object below an object":  {Work{RunGrant, tenantA, "run_1", read(one.One(object)), time.Hour}, fault.Internal},
		"another tenant's input":     {Work{RunGrant, tenantA, "run_1", read(tenant.VaultInput.One(string(tenantB))), time.Hour}, fault.Internal},
		"an unknown verb":            {Work{RunGrant, tenantA, "run_1", []tenant.Permission{{Verb: "own", Resource: one}}, time.Hour}, fault.Internal},
		"an unknown store":           {Work{RunGrant, tenantA, "run_1", read("vault"), time.Hour}, fault.Internal},
	} {
		s, err := e.WorkScope(c.w)
		if fault.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		for _, p := range c.w.Permissions {
			if got := s.Check(t.Context(), p.Verb, p.Resource); (got == nil) != (c.want == "") {
				t.Errorf("%s: check gives %v", name, got)
			}
		}
		if c.want == "" && s.Check(t.Context(), tenant.Read, tenant.VaultInput) == nil {
			t.Errorf("%s: reads all input", name)
		}
	}
}

// A child has what it asked for and its parent has, and nothing else.
func TestChildrenNeverExceedTheirParents(t *testing.T) {
	t.Parallel()
	h := &hands{}
	e := newTestEngine(t, h)
	r := rand.New(rand.NewPCG(8, 41))
	allVerbs := []tenant.Verb{tenant.Read, tenant.Write, tenant.Delete}
	resource := func() tenant.Resource {
		s := pick(r, append(stores[:], tenant.Everything, "vault"))
		if r.IntN(2) == 0 {
			s = s.One(pick(r, []string{object, "obj_0000000000000000000000000r", "*", ""}))
		}
		return s
	}
	made, allowed := 0, 0
	for range 100_000 {
		parent := scopeOf(t, e, someone(pick(r, []Role{TenantAdmin, TenantUser, Departing}), pick(r, []Kind{Session, SSHKey})))
		var asked []tenant.Permission
		for range 1 + r.IntN(3) {
			asked = append(asked, tenant.Permission{Verb: pick(r, allVerbs), Resource: resource()})
		}
		child, err := e.Narrow(t.Context(), parent, asked, time.Minute)
		if err == nil {
			made++
		}
		verb, res := pick(r, allVerbs), resource()
		if child.Check(t.Context(), verb, res) != nil {
			continue
		}
		allowed++
		if err := parent.Check(t.Context(), verb, res); err != nil {
			t.Fatalf("a child asked for %v may %s %s, its parent may not", asked, verb, res)
		}
		if !slices.ContainsFunc(asked, func(p tenant.Permission) bool {
			return p.Verb == verb && (p.Resource == res || strings.HasPrefix(string(res), string(p.Resource)+"/"))
		}) {
			t.Fatalf("a child asked for %v may %s %s", asked, verb, res)
		}
		if child.Tenant() != parent.Tenant() {
			t.Fatalf("a child is for %s, its parent for %s", child.Tenant(), parent.Tenant())
		}
	}
	if made < 1000 || allowed < 100 {
		t.Errorf("only %d children were made and %d checks allowed: the test shows little", made, allowed)
	}
}

func TestChildrenEndWithTheirParents(t *testing.T) {
	t.Parallel()
	h := &hands{}
	e := newTestEngine(t, h)
	want := []tenant.Permission{{Verb: tenant.Read, Resource: tenant.Results}}
	parent := scopeOf(t, e, someone(TenantUser, Session))
	child, err := e.Narrow(t.Context(), parent, want, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	short, err := e.Narrow(t.Context(), parent, want, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	if err := short.Check(t.Context(), tenant.Read, tenant.Results); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a child outlives its own time: %v", err)
	}
	h.pass(Life)
	if err := child.Check(t.Context(), tenant.Read, tenant.Results); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a child outlives its parent: %v", err)
	}
	if _, err := e.Narrow(t.Context(), parent, want, time.Hour); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an ended parent has a child: %v", err)
	}
	if _, err := e.Narrow(t.Context(), tenant.Scope{}, want, time.Hour); !fault.Is(err, fault.Denied) {
		t.Errorf("the zero scope has a child: %v", err)
	}
}

// verifier answers for a test, and counts how often it was asked.
type verifier struct {
	answer Principal
	err    error
	asked  int
}

func (v *verifier) again(context.Context, Principal) (Principal, error) {
	v.asked++
	return v.answer, v.err
}

func transferOf(t *testing.T, e *Engine, v *verifier) tenant.Scope {
	t.Helper()
	s, err := e.TransferScope(t.Context(), someone(TenantUser, Session), v.again)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A transfer goes on past its scope's life, asks for its credential once in each,
// and ends after LongestTransfer all the same.
func TestTransfersAreRenewed(t *testing.T) {
	t.Parallel()
	h := &hands{}
	e := newTestEngine(t, h)
	v := &verifier{answer: someone(TenantUser, Session)}
	s := transferOf(t, e, v)
	child, err := e.Narrow(t.Context(), s, []tenant.Permission{{Verb: tenant.Read, Resource: tenant.Results}}, Longest)
	if err != nil {
		t.Fatal(err)
	}
	const step = time.Minute
	for passed := step; passed < LongestTransfer; passed += step {
		h.pass(step)
		for range 3 {
			if err := s.Check(t.Context(), tenant.Read, tenant.Results); err != nil {
				t.Fatalf("after %s: %v", passed, err)
			}
		}
	}
	if err := child.Check(t.Context(), tenant.Read, tenant.Results); err != nil {
		t.Errorf("a child of a scope that goes on: %v", err)
	}
	if want := int(LongestTransfer/Life) - 1; v.asked != want {
		t.Errorf("the credential was looked up %d times, want %d", v.asked, want)
	}
	if err := s.Check(t.Context(), tenant.Delete, tenant.VaultInput); !fault.Is(err, fault.Denied) {
		t.Errorf("a renewed scope does more than before: %v", err)
	}
	h.pass(step)
	for name, scope := range map[string]tenant.Scope{"scope": s, "child": child} {
		if err := scope.Check(t.Context(), tenant.Read, tenant.Results); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the %s after %s: got %v, want it ended", name, LongestTransfer, err)
		}
	}
	if err := s.CheckLately(t.Context(), tenant.Write, tenant.Submissions); err != nil {
		t.Errorf("keeping what had arrived by then: %v", err)
	}
	if err := child.CheckLately(t.Context(), tenant.Read, tenant.Results); err == nil {
		t.Error("a child goes on after its parent")
	}
}

// What ends a transfer: at once what ends every scope, and when its life is over
// a credential that is no longer the same or cannot be looked up.
func TestTransfersEnd(t *testing.T) {
	t.Parallel()
	same := someone(TenantUser, Session)
	changed := func(f func(*Principal)) verifier { p := same; f(&p); return verifier{answer: p} }
	for name, c := range map[string]struct {
		v    verifier
		end  func(e *Engine)
		late bool // ends when the life is over, not before
		want fault.Kind
	}{
		"revoked":            {v: verifier{answer: same}, end: func(e *Engine) { e.RevokeCredential(same.Credential) }, want: fault.Unauthenticated},
		"its user revoked":   {v: verifier{answer: same}, end: func(e *Engine) { e.RevokeCredential(same.User) }, want: fault.Unauthenticated},
		"blocked":            {v: verifier{answer: same}, end: func(e *Engine) { e.BlockTenant(tenantA); e.UnblockTenant(tenantA) }, want: fault.Unauthenticated},
		"scopes ended":       {v: verifier{answer: same}, end: func(e *Engine) { e.EndScopes(tenantA) }, want: fault.Unauthenticated},
		"not good any more":  {v: verifier{answer: same, err: fault.New(fault.Unauthenticated, "gone")}, late: true, want: fault.Unauthenticated},
		"not to be known":    {v: verifier{answer: same, err: errors.New("no database")}, late: true, want: fault.Internal},
		"another role":       {v: changed(func(p *Principal) { p.Role = TenantAdmin }), late: true, want: fault.Unauthenticated},
		"departing":          {v: changed(func(p *Principal) { p.Role = Departing }), late: true, want: fault.Unauthenticated},
		"another credential": {v: changed(func(p *Principal) { p.Credential = "ses_2" }), late: true, want: fault.Unauthenticated},
		"another user":       {v: changed(func(p *Principal) { p.User = "usr_2" }), late: true, want: fault.Unauthenticated},
		"another tenant":     {v: changed(func(p *Principal) { p.Tenant = tenantB }), late: true, want: fault.Unauthenticated},
		"another kind":       {v: changed(func(p *Principal) { p.Kind = APIKey }), late: true, want: fault.Unauthenticated},
	} {
		h := &hands{}
		e := newTestEngine(t, h)
		s := transferOf(t, e, &c.v)
		h.pass(Life - time.Microsecond)
		if c.end != nil {
			c.end(e)
		}
		if err := s.Check(t.Context(), tenant.Read, tenant.Results); (err == nil) != c.late {
			t.Errorf("%s, a moment before the end of its life: %v", name, err)
		}
		h.pass(time.Microsecond)
		if err := s.Check(t.Context(), tenant.Read, tenant.Results); fault.KindOf(err) != c.want {
			t.Errorf("%s, when its life is over: got %v, want %q", name, err, c.want)
		}
		// What arrived before may be kept, unless it was ended by somebody.
		if err := s.CheckLately(t.Context(), tenant.Write, tenant.Submissions); (err == nil) != c.late {
			t.Errorf("%s, keeping what had arrived: %v", name, err)
		}
		if err := s.CheckLately(t.Context(), tenant.Delete, tenant.VaultInput); err == nil {
			t.Errorf("%s: a scope that is over does more than before", name)
		}
		h.pass(Life)
		if err := s.CheckLately(t.Context(), tenant.Write, tenant.Submissions); err == nil {
			t.Errorf("%s, keeping what had arrived a life later: it is allowed", name)
		}
	}

	// Revoked while it is looked up, after the look at the store.
	h := &hands{}
	e := newTestEngine(t, h)
	s, err := e.TransferScope(t.Context(), same, func(context.Context, Principal) (Principal, error) {
		e.RevokeCredential(same.Credential)
		return same, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.pass(Life)
	if err := s.Check(t.Context(), tenant.Read, tenant.Results); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("revoked while it is renewed: got %v, want it ended", err)
	}
}

func BenchmarkAllow(b *testing.B) {
	e := newTestEngine(b, nil)
	p := someone(TenantUser, Session)
	for b.Loop() {
		if err := e.Allow(b.Context(), p, SubmissionCreate, Resource{Type: "submission", Tenant: tenantA}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScopeCheck(b *testing.B) {
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	p := someone(TenantUser, Session)
	p.VerifiedAt = time.Now()
	s, err := e.Scope(b.Context(), p)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Check(b.Context(), tenant.Read, tenant.Results); err != nil {
			b.Fatal(err)
		}
	}
}
