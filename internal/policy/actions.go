package policy

// Action is something that a principal asks to do: one for each family of
// routes. Who may do it is in policies.cedar and nowhere else.
type Action string

// What everybody does with their own things. That a session, password or key is
// the principal's own is for package account to see to.
const (
	OwnProfileRead    Action = "own-profile:read"         // GET /me
	OwnPasswordChange Action = "own-password:change"      // POST /me/password
	OwnFactorRead     Action = "own-second-factor:read"   // GET /me/totp
	OwnFactorChange   Action = "own-second-factor:change" // POST /me/totp, /me/totp/confirm, /me/totp/off, /me/totp/recovery-codes
	OwnIdentityRead   Action = "own-identity:read"        // GET /me/identity
	OwnIdentityEnd    Action = "own-identity:end"         // DELETE /me/identity
	OwnSessionRead    Action = "own-session:read"         // GET /sessions
	OwnSessionEnd     Action = "own-session:end"          // DELETE /sessions, DELETE /sessions/current, DELETE /sessions/{id}
	OwnSSHKeyRead     Action = "own-ssh-key:read"         // GET /me/ssh-keys
	OwnSSHKeyCreate   Action = "own-ssh-key:create"       // POST /me/ssh-keys
	OwnSSHKeyDelete   Action = "own-ssh-key:delete"       // DELETE /me/ssh-keys/{id}
	OwnNoticesRead    Action = "own-notices:read"         // GET /me/notices
	OwnNoticesChange  Action = "own-notices:change"       // PATCH /me/notices
	OwnChangesWatch   Action = "own-changes:watch"        // GET /changes: of what one may read

	OwnPreferencesRead   Action = "own-preferences:read"   // GET /me/preferences
	OwnPreferencesChange Action = "own-preferences:change" // PATCH /me/preferences
)

// Organisations and tenants.
const (
	OrganisationCreate Action = "organisation:create" // POST /organisations
	OrganisationRead   Action = "organisation:read"   // GET /organisations, GET /organisations/{id}
	OrganisationVerify Action = "organisation:verify" // POST /organisations/{id}/verify

	TenantCreate   Action = "tenant:create"   // POST /tenants
	TenantRead     Action = "tenant:read"     // GET /tenants, GET /tenants/{id}, GET /tenants/{id}/onboarding
	TenantUpdate   Action = "tenant:update"   // PATCH /tenants/{id}
	TenantSuspend  Action = "tenant:suspend"  // POST /tenants/{id}/suspend
	TenantActivate Action = "tenant:activate" // POST /tenants/{id}/activate
	TenantOffboard Action = "tenant:offboard" // POST /tenants/{id}/offboard
	TenantHasten   Action = "tenant:hasten"   // POST /tenants/{id}/offboard/hasten
	TenantKeep     Action = "tenant:keep"     // DELETE /tenants/{id}/offboard
	TenantReceipt  Action = "tenant:receipt"  // GET /tenants/{id}/receipt

	ProfileRead  Action = "profile:read"  // GET /tenant
	TenantExport Action = "tenant:export" // GET /tenant/export
)

// People and credentials.
const (
	UserCreate        Action = "user:create"              // POST /users
	UserRead          Action = "user:read"                // GET /users, GET /users/{id}, GET /users/{id}/identity
	UserUpdate        Action = "user:update"              // PATCH /users/{id}
	UserResetPassword Action = "user:reset-password"      // POST /users/{id}/password
	UserResetFactor   Action = "user:reset-second-factor" // DELETE /users/{id}/totp
	UserUnlink        Action = "user:unlink"              // DELETE /users/{id}/identity
	SessionEnd        Action = "session:end"              // DELETE /sessions/{id}: another's
	SSHKeyCreate      Action = "ssh-key:create"           // POST /users/{id}/ssh-keys
	SSHKeyRead        Action = "ssh-key:read"             // GET /users/{id}/ssh-keys
	SSHKeyDelete      Action = "ssh-key:delete"           // DELETE /ssh-keys/{id}
	APIKeyCreate      Action = "api-key:create"           // POST /api-keys
	APIKeyRead        Action = "api-key:read"             // GET /api-keys
	APIKeyDelete      Action = "api-key:delete"           // DELETE /api-keys/{id}
)

// Datasets, submissions and results.
const (
	DatasetApply Action = "dataset:apply" // POST /datasets
	DatasetRead  Action = "dataset:read"  // GET /datasets, GET /datasets/{id}

	SubmissionCreate   Action = "submission:create"   // POST /submissions
	SubmissionRead     Action = "submission:read"     // GET /submissions, GET /submissions/{id}
	SubmissionContent  Action = "submission:content"  // GET /submissions/{id}/content
	SubmissionWithdraw Action = "submission:withdraw" // POST /submissions/{id}/withdraw
	SubmissionDelete   Action = "submission:delete"   // DELETE /submissions/{id}
	SubmissionReceipts Action = "submission:receipts" // GET /submissions/{id}/receipts

	PeriodRead   Action = "period:read"   // GET /periods, GET /periods/{dataset}/{date}
	PeriodReopen Action = "period:reopen" // POST /periods/{dataset}/{date}/reopen, …/close

	ResultRead    Action = "result:read"    // GET /results, GET /results/{id}
	ResultContent Action = "result:content" // GET /results/{id}/content, GET /results/{id}/rows
	ResultRecall  Action = "result:recall"  // POST /results/{id}/recall
)

// How long things are kept.
const (
	HoldSet       Action = "hold:set"       // POST /holds
	HoldRead      Action = "hold:read"      // GET /holds
	HoldRelease   Action = "hold:release"   // POST /holds/{id}/release
	RetentionRead Action = "retention:read" // GET /retention
)

// Analyses and runs.
const (
	AnalysisApply   Action = "analysis:apply"   // POST /analyses
	AnalysisRead    Action = "analysis:read"    // GET /analyses, GET /analyses/{id}
	AnalysisAccept  Action = "analysis:accept"  // POST /analyses/{id}/accept; the resource is the tenant's
	AnalysisDecline Action = "analysis:decline" // POST /analyses/{id}/decline; the resource is the tenant's
	AcceptanceRead  Action = "acceptance:read"  // GET /analyses/{id}/acceptances

	RunStart    Action = "run:start"    // POST /runs
	RunRead     Action = "run:read"     // GET /runs, GET /runs/{id}
	RunPlan     Action = "run:plan"     // GET /runs/plan
	RunLog      Action = "run:log"      // GET /runs/{id}/log
	RunCancel   Action = "run:cancel"   // POST /runs/{id}/cancel
	RunRetry    Action = "run:retry"    // POST /runs/{id}/retry
	RunManifest Action = "run:manifest" // GET /runs/{id}/manifest
	RunRecall   Action = "run:recall"   // POST /runs/{id}/recall
)

// Mails and webhooks.
const (
	OutboxRead    Action = "outbox:read"    // GET /outbox
	WebhookCreate Action = "webhook:create" // POST /webhooks
	WebhookRead   Action = "webhook:read"   // GET /webhooks, GET /webhooks/{id}, GET /webhooks/{id}/deliveries
	WebhookUpdate Action = "webhook:update" // PATCH /webhooks/{id}
	WebhookDelete Action = "webhook:delete" // DELETE /webhooks/{id}
	WebhookSend   Action = "webhook:send"   // POST /webhooks/{id}/test, POST /webhook-deliveries/{id}/redeliver
)

// Figures about all tenants.
const (
	ReportRead Action = "report:read" // GET /reports/received, GET /reports/runs
)

// Events.
const (
	SourceCreate     Action = "source:create"     // POST /sources, POST /sources/{id}/pixels
	SourceRead       Action = "source:read"       // GET /sources, GET /sources/{id}
	SourceRevoke     Action = "source:revoke"     // DELETE /sources/{id}
	PlanApply        Action = "plan:apply"        // POST /plans
	PlanRead         Action = "plan:read"         // GET /plans, GET /plans/{id}
	EventSend        Action = "event:send"        // POST /events
	QuarantineRead   Action = "quarantine:read"   // GET /quarantine, GET /quarantine/{id}
	QuarantineReplay Action = "quarantine:replay" // POST /quarantine/replay, POST /quarantine/{id}/replay
	QuarantineDrop   Action = "quarantine:drop"   // DELETE /quarantine/{id}
)

// The archive.
const (
	ArchiveRead   Action = "archive:read"   // GET /archive, GET /archive/{id}
	ArchiveManage Action = "archive:manage" // POST /archive/flush, …/verify, …/restore, …/rebuild
	ArchiveErase  Action = "archive:erase"  // POST /archive/erasures, GET /archive/erasures/{id}
)

// The warehouse.
const (
	WarehouseQuery   Action = "warehouse:query"   // POST /query, GET /queries/named, GET /queries/named/{id}, POST /queries/named/{id}/run
	QuerySave        Action = "query:save"        // POST /queries/named, GET /queries/named/{id}/versions
	QueryDelete      Action = "query:delete"      // DELETE /queries/named/{id}
	WarehouseRead    Action = "warehouse:read"    // GET /warehouse
	WarehouseRebuild Action = "warehouse:rebuild" // POST /warehouse/rebuild, DELETE /warehouse/rebuild
	FreshnessRead    Action = "freshness:read"    // GET /freshness
)

// Schedules.
const (
	ScheduleCreate Action = "schedule:create" // POST /schedules
	ScheduleRead   Action = "schedule:read"   // GET /schedules, GET /schedules/{id}, GET /schedules/{id}/firings
	ScheduleUpdate Action = "schedule:update" // PATCH /schedules/{id}
	SchedulePause  Action = "schedule:pause"  // POST /schedules/{id}/pause
	ScheduleResume Action = "schedule:resume" // POST /schedules/{id}/resume
	ScheduleDelete Action = "schedule:delete" // DELETE /schedules/{id}
)

// The audit log.
const (
	AuditRead        Action = "audit:read"        // GET /audit
	AuditRaw         Action = "audit:raw"         // GET /audit/raw
	AuditCheckpoints Action = "audit:checkpoints" // GET /audit/checkpoints
)

// Streams.
const (
	StreamRead Action = "stream:read" // GET /streams, GET /streams/{name}/events, GET /streams/{name}/tail
)

// Actions lists every action that a route can ask for. New refuses policies that
// know others, or not all of these.
var Actions = [...]Action{
	OwnProfileRead, OwnPasswordChange, OwnFactorRead, OwnFactorChange, OwnIdentityRead, OwnIdentityEnd, OwnSessionRead, OwnSessionEnd, OwnSSHKeyRead, OwnSSHKeyCreate, OwnSSHKeyDelete, OwnNoticesRead, OwnNoticesChange, OwnChangesWatch, OwnPreferencesRead, OwnPreferencesChange,
	OrganisationCreate, OrganisationRead, OrganisationVerify,
	TenantCreate, TenantRead, TenantUpdate, TenantSuspend, TenantActivate, TenantOffboard, TenantHasten, TenantKeep, TenantReceipt,
	ProfileRead, TenantExport,
	UserCreate, UserRead, UserUpdate, UserResetPassword, UserResetFactor, UserUnlink, SessionEnd,
	SSHKeyCreate, SSHKeyRead, SSHKeyDelete, APIKeyCreate, APIKeyRead, APIKeyDelete,
	DatasetApply, DatasetRead,
	SubmissionCreate, SubmissionRead, SubmissionContent, SubmissionWithdraw, SubmissionDelete, SubmissionReceipts,
	PeriodRead, PeriodReopen, ResultRead, ResultContent, ResultRecall,
	HoldSet, HoldRead, HoldRelease, RetentionRead,
	AnalysisApply, AnalysisRead, AnalysisAccept, AnalysisDecline, AcceptanceRead,
	RunStart, RunRead, RunPlan, RunLog, RunCancel, RunRetry, RunManifest, RunRecall,
	OutboxRead, WebhookCreate, WebhookRead, WebhookUpdate, WebhookDelete, WebhookSend,
	ScheduleCreate, ScheduleRead, ScheduleUpdate, SchedulePause, ScheduleResume, ScheduleDelete,
	ReportRead,
	SourceCreate, SourceRead, SourceRevoke, PlanApply, PlanRead, EventSend, QuarantineRead, QuarantineReplay, QuarantineDrop,
	ArchiveRead, ArchiveManage, ArchiveErase,
	WarehouseQuery, WarehouseRead, WarehouseRebuild, FreshnessRead, QuerySave, QueryDelete,
	AuditRead, AuditRaw, AuditCheckpoints,
	StreamRead,
}

// The actions that minting a scope asks for, one for each verb; no route has them.
const (
	scopeRead   Action = "scope:read"
	scopeWrite  Action = "scope:write"
	scopeDelete Action = "scope:delete"
)
