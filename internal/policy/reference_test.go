package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The same rules as in policies.cedar, written a second time and in another way:
// one line for each action, and what holds for all of them in reference.
var mayDo = map[Action][]Role{
	OwnProfileRead:    {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnPasswordChange: {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnFactorRead:     {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnFactorChange:   {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnIdentityRead:   {SystemAdmin, Auditor, Analyst},
	OwnIdentityEnd:    {SystemAdmin, Auditor, Analyst},
	OwnSSHKeyCreate:   {TenantAdmin, TenantUser},
	OwnSessionRead:    {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnSessionEnd:     {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnSSHKeyRead:     {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnChangesWatch:   {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnSSHKeyDelete:   {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnNoticesRead:    {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnNoticesChange:  {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},

	OwnPreferencesRead:   {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	OwnPreferencesChange: {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},

	OrganisationCreate: {SystemAdmin},
	OrganisationRead:   {SystemAdmin, Auditor},
	OrganisationVerify: {SystemAdmin},
	TenantCreate:       {SystemAdmin},
	TenantRead:         {SystemAdmin, Auditor},
	TenantUpdate:       {SystemAdmin},
	TenantSuspend:      {SystemAdmin},
	TenantActivate:     {SystemAdmin},
	TenantOffboard:     {SystemAdmin},
	TenantHasten:       {SystemAdmin},
	TenantKeep:         {SystemAdmin},
	TenantReceipt:      {SystemAdmin, Auditor},
	ProfileRead:        {TenantAdmin, TenantUser, Departing},
	TenantExport:       {TenantAdmin, Departing},

	UserCreate:        {SystemAdmin, TenantAdmin},
	UserRead:          {SystemAdmin, Auditor, TenantAdmin},
	UserUpdate:        {SystemAdmin, TenantAdmin},
	UserResetPassword: {SystemAdmin, TenantAdmin},
	UserResetFactor:   {SystemAdmin, TenantAdmin},
	UserUnlink:        {SystemAdmin},
	SessionEnd:        {SystemAdmin, TenantAdmin},
	SSHKeyCreate:      {SystemAdmin, TenantAdmin},
	SSHKeyRead:        {SystemAdmin, Auditor, TenantAdmin},
	SSHKeyDelete:      {SystemAdmin, TenantAdmin},
	APIKeyCreate:      {SystemAdmin, TenantAdmin},
	APIKeyRead:        {SystemAdmin, Auditor, TenantAdmin},
	APIKeyDelete:      {SystemAdmin, TenantAdmin},

	DatasetApply:       {SystemAdmin},
	DatasetRead:        {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	SubmissionCreate:   {TenantAdmin, TenantUser},
	SubmissionRead:     {SystemAdmin, Auditor, TenantAdmin, TenantUser, Departing},
	SubmissionContent:  {TenantAdmin, TenantUser, Departing},
	SubmissionWithdraw: {TenantAdmin, TenantUser},
	SubmissionDelete:   {TenantAdmin},
	SubmissionReceipts: {TenantAdmin, TenantUser, Departing},
	PeriodRead:         {SystemAdmin, Auditor, TenantAdmin, TenantUser, Departing},
	PeriodReopen:       {SystemAdmin},
	ResultRead:         {SystemAdmin, Auditor, TenantAdmin, TenantUser, Departing},
	ResultContent:      {TenantAdmin, TenantUser, Departing},
	ResultRecall:       {SystemAdmin},

	HoldSet:       {SystemAdmin},
	HoldRead:      {SystemAdmin, Auditor, TenantAdmin, TenantUser, Departing},
	HoldRelease:   {SystemAdmin},
	RetentionRead: {SystemAdmin, Auditor},

	AnalysisApply:   {SystemAdmin},
	AnalysisRead:    {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing},
	AnalysisAccept:  {TenantAdmin},
	AnalysisDecline: {TenantAdmin},
	AcceptanceRead:  {SystemAdmin, Auditor, TenantAdmin, Departing},
	ReportRead:      {SystemAdmin, Auditor},
	RunPlan:         {SystemAdmin, Auditor},
	RunStart:        {SystemAdmin},
	RunRead:         {SystemAdmin, Auditor, Analyst},
	RunLog:          {SystemAdmin, Auditor, Analyst},
	RunCancel:       {SystemAdmin},
	RunRetry:        {SystemAdmin},
	RunManifest:     {SystemAdmin, Auditor, Analyst},
	ScheduleCreate:  {SystemAdmin},
	ScheduleRead:    {SystemAdmin, Auditor, Analyst},
	ScheduleUpdate:  {SystemAdmin},
	SchedulePause:   {SystemAdmin},
	ScheduleResume:  {SystemAdmin},
	ScheduleDelete:  {SystemAdmin},
	RunRecall:       {SystemAdmin},

	OutboxRead:    {SystemAdmin, TenantAdmin, Departing},
	WebhookCreate: {SystemAdmin, TenantAdmin},
	WebhookRead:   {SystemAdmin, TenantAdmin, Departing},
	WebhookUpdate: {SystemAdmin, TenantAdmin},
	WebhookDelete: {SystemAdmin, TenantAdmin},
	WebhookSend:   {SystemAdmin, TenantAdmin},

	SourceCreate:     {SystemAdmin, TenantAdmin},
	SourceRead:       {SystemAdmin, Auditor, TenantAdmin},
	SourceRevoke:     {SystemAdmin, TenantAdmin},
	PlanApply:        {SystemAdmin},
	PlanRead:         {SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser},
	EventSend:        {TenantAdmin, TenantUser},
	QuarantineRead:   {SystemAdmin, TenantAdmin},
	QuarantineReplay: {SystemAdmin, TenantAdmin},
	QuarantineDrop:   {SystemAdmin, TenantAdmin},

	AuditRead:        {SystemAdmin, Auditor, TenantAdmin, Departing},
	AuditRaw:         {SystemAdmin, Auditor, TenantAdmin, Departing},
	AuditCheckpoints: {SystemAdmin, Auditor, TenantAdmin, Departing},

	WarehouseQuery:   {SystemAdmin, Analyst, TenantAdmin, TenantUser},
	QuerySave:        {SystemAdmin, Analyst},
	QueryDelete:      {SystemAdmin, Analyst},
	WarehouseRead:    {SystemAdmin, Auditor, Analyst},
	WarehouseRebuild: {SystemAdmin},
	FreshnessRead:    {SystemAdmin, Auditor, Analyst, TenantAdmin},

	ArchiveRead:   {SystemAdmin, Auditor, Analyst, TenantAdmin, Departing},
	ArchiveManage: {SystemAdmin},
	ArchiveErase:  {SystemAdmin, TenantAdmin},

	StreamRead: {SystemAdmin, Auditor, Analyst, TenantAdmin, Departing},
}

var movesFiles = []Action{
	SubmissionCreate, SubmissionRead, SubmissionContent, SubmissionWithdraw, SubmissionDelete, ResultRead, ResultContent,
}

// reference says what Allow must: the kind of fault, empty for yes.
func reference(p Principal, a Action, r Resource) fault.Kind {
	staff := p.Role == SystemAdmin || p.Role == Auditor || p.Role == Analyst
	knownKind := p.Kind == Session || p.Kind == APIKey || p.Kind == SSHKey && !staff && slices.Contains(movesFiles, a)
	switch {
	case p.Credential == "", staff != (p.Tenant == ""):
		return fault.Denied
	case !staff && !slices.Contains([]Role{TenantAdmin, TenantUser, Departing}, p.Role):
		return fault.Denied
	case !staff && r.Tenant != "" && r.Tenant != p.Tenant:
		return fault.NotFound
	case !staff && r.Tenant == "" && a != DatasetRead && a != AnalysisRead:
		return fault.Denied
	case !knownKind, (a == OwnPasswordChange || a == OwnFactorRead || a == OwnFactorChange || a == OwnIdentityRead || a == OwnIdentityEnd || a == OwnSSHKeyCreate) && p.Kind != Session:
		return fault.Denied
	case !slices.Contains(mayDo[a], p.Role):
		return fault.Denied
	}
	return ""
}

const (
	tenantA = tenant.ID("ten_0000000000000000000000000a")
	tenantB = tenant.ID("ten_0000000000000000000000000b")
)

var (
	anyRole   = []Role{SystemAdmin, Auditor, Analyst, TenantAdmin, TenantUser, Departing, "", "root", "*"}
	anyKind   = []Kind{Session, APIKey, SSHKey, Setup, "", "cookie"}
	anyTenant = []tenant.ID{"", tenantA, tenantB}
	anyAction = append(slices.Clone(Actions[:]), "", "tenant:*", "vault:read", scopeRead, scopeWrite, scopeDelete)
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomRequest(r *rand.Rand) (Principal, Action, Resource) {
	p := Principal{Credential: "ses_1", Kind: pick(r, anyKind), User: "usr_1", Tenant: pick(r, anyTenant), Role: pick(r, anyRole)}
	if r.IntN(50) == 0 {
		p.Credential = ""
	}
	if r.IntN(2) == 0 { // mostly sensible ones
		p.Kind = pick(r, []Kind{Session, APIKey})
		if p.Role.Staff() {
			p.Tenant = ""
		} else if p.Tenant == "" {
			p.Tenant = tenantA
		}
	}
	return p, pick(r, anyAction), Resource{Type: "thing", ID: pick(r, []string{"", "x", "*", "provider"}), Tenant: pick(r, append(anyTenant, p.Tenant, p.Tenant))}
}

func TestDecisionsAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	allowed := map[string]bool{}
	check := func(p Principal, a Action, r Resource) {
		t.Helper()
		got, want := fault.KindOf(e.Allow(t.Context(), p, a, r)), reference(p, a, r)
		if got != want {
			t.Fatalf("Allow(%+v, %q, %+v) = %q, want %q", p, a, r, got, want)
		}
		if got == "" {
			allowed[fmt.Sprint(p.Role, a)] = true
		}
	}
	for _, role := range anyRole { // every combination that a route could bring
		for _, kind := range anyKind {
			for _, a := range anyAction {
				for _, own := range anyTenant {
					for _, of := range anyTenant {
						check(Principal{Credential: "ses_1", Kind: kind, User: "usr_1", Tenant: own, Role: role}, a, Resource{Type: "thing", ID: "x", Tenant: of})
					}
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(7, 25))
	for range 100_000 {
		check(randomRequest(r))
	}
	var want int
	for _, roles := range mayDo {
		want += len(roles)
	}
	if len(allowed) != want {
		t.Errorf("%d pairs of role and action were allowed, want %d", len(allowed), want)
	}
}

// What nobody of the provider may ever have, whatever is permitted later on.
func TestStaffReachNoContent(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	for _, role := range []Role{SystemAdmin, Auditor, Analyst} {
		p := Principal{Credential: "key_1", Kind: APIKey, Role: role, VerifiedAt: epoch}
		for _, a := range []Action{SubmissionContent, ResultContent, TenantExport, SubmissionReceipts, AnalysisAccept, SubmissionCreate} {
			if err := e.Allow(t.Context(), p, a, Resource{Type: "submission", ID: "sub_1", Tenant: tenantA}); !fault.Is(err, fault.Denied) {
				t.Errorf("%s may %s: %v", role, a, err)
			}
		}
		if s, err := e.Scope(t.Context(), p); !fault.Is(err, fault.Denied) || s.Check(t.Context(), tenant.Read, tenant.VaultInput) == nil {
			t.Errorf("%s got a scope: %v", role, err)
		}
	}
}

// A permit that is added by mistake does not open what a forbid closes.
func TestForbidWins(t *testing.T) {
	t.Parallel()
	more := `
		@id("a mistake") permit (principal, action in [Action::"result:content", Action::"result:read", Action::"scope:read"], resource);`
	e, err := newEngine(Config{}, schemaText, append(slices.Clone(policyText), more...))
	if err != nil {
		t.Fatal(err)
	}
	member := Principal{Credential: "ses_1", Kind: Session, User: "usr_1", Tenant: tenantA, Role: TenantUser, VerifiedAt: time.Now()}
	if ok, why := e.decide(member.entity(), ResultContent, thing(Resource{Type: "result", Tenant: tenantB})); ok {
		t.Errorf("a tenant's user reads another tenant's result: %s", why)
	}
	if ok, why := e.decide(member.entity(), scopeRead, stored(tenantB, tenant.VaultOutput)); ok {
		t.Errorf("a tenant's user gets a scope for another tenant: %s", why)
	}
	admin := Principal{Credential: "key_1", Kind: APIKey, Role: SystemAdmin}
	if err := e.Allow(t.Context(), admin, ResultContent, Resource{Type: "result", Tenant: tenantB}); !fault.Is(err, fault.Denied) {
		t.Errorf("a system admin reads a result: %v", err)
	}
	if len(e.templates[template{SystemAdmin, APIKey}]) != 0 {
		t.Error("a system admin gets a scope")
	}
}

func TestAnotherTenantsThingIsMissing(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, nil)
	p := Principal{Credential: "ses_1", Kind: Session, User: "usr_1", Tenant: tenantA, Role: TenantAdmin}
	err := e.Allow(t.Context(), p, SubmissionRead, Resource{Type: "submission", ID: "sub_1", Tenant: tenantB})
	if want := `There is no submission "sub_1".`; !fault.Is(err, fault.NotFound) || fault.Message(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	t.Parallel()
	const rest = `
		@id("rest") permit (principal, action == Action::"run:read", resource);`
	for name, text := range map[string]string{
		"empty":               "",
		"a comment":           "// nothing",
		"allows nothing":      `@id("x") forbid (principal, action, resource);`,
		"no Cedar":            "SELECT 1",
		"unnamed":             `permit (principal, action == Action::"run:read", resource);`,
		"named twice":         rest + rest,
		"every action":        `@id("x") permit (principal in Role::"system_admin", action, resource);`,
		"unknown action":      `@id("x") permit (principal, action == Action::"run:red", resource);`,
		"unknown attribute":   rest + `@id("x") permit (principal is Member, action == Action::"run:read", resource) when { principal.owner == resource };`,
		"an attribute of one": rest + `@id("x") permit (principal, action == Action::"run:read", resource) when { principal.tenant == resource.tenant };`,
		"names a tenant":      rest + `@id("x") permit (principal is Member, action == Action::"run:read", resource) when { resource.tenant == Tenant::"` + string(tenantB) + `" };`,
		"names all tenants":   rest + `@id("x") forbid (principal is Member, action == Action::"run:read", resource) unless { resource.tenant == Tenant::"*" };`,
		"hidden in escapes":   rest + `@id("x") permit (principal is Member, action == Action::"run:read", resource) when { resource.tenant == Tenant::"\u{74}en_1" };`,
	} {
		if _, err := newEngine(Config{}, schemaText, []byte(text)); err == nil {
			t.Errorf("policies were taken that are: %s", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	if _, err := newEngine(Config{}, schemaText, []byte(rest)); err != nil {
		t.Errorf("a good policy was refused: %v", err)
	}
}

func TestEveryActionIsInTheSchema(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"one is missing":   string(schemaText[:0]) + replaceOnce(t, string(schemaText), `    "run:read",`, ""),
		"one is unknown":   replaceOnce(t, string(schemaText), `    "run:read",`, `"run:read", "run:look",`),
		"not even a shape": "entity",
	} {
		if _, err := newEngine(Config{}, []byte(schema), policyText); err == nil {
			t.Errorf("a schema was taken where %s", name)
		}
	}
}
