package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// canary is in the victim's values, and must not be in any answer to anybody else.
const (
	canary = "canary-3f9c1e7b5a2d48606b1e9f7d2c"
	date   = "2022-11-01"
)

// probe is how the matrix asks a route. A route that is not listed fails the test.
type probe struct {
	// victim names the thing of tenant A that goes into the path; empty if the
	// path names nothing, or a thing that is common to all.
	victim string
	// common is the id of a thing that is common to all.
	common string
	body   string
	query  string
	// status is what B's own, rightful request is answered; 0: as for a made-up id.
	status int
	// open routes take no credential.
	open bool
	// header is what the request says beside, as pairs.
	header []string
	// content routes give or change content, which no staff may.
	content bool
}

const yes, created, denied, absent = http.StatusOK, http.StatusCreated, http.StatusForbidden, http.StatusNotFound

// routes has a line for each operation of the API. What names a thing of A must
// be answered to B exactly as if there were no such thing.
var routes = map[string]probe{
	"sign-in":         {open: true, body: `{"login":"nobody","password":"not a password"}`, status: http.StatusUnauthorized},
	"setup":           {open: true, body: `{"token":"no","email":"b@example.com","password":"a long enough password"}`, status: http.StatusUnauthorized},
	"list-audit-keys": {open: true, status: yes},
	"entrance":        {open: true, status: yes},
	"begin-oidc":      {open: true, status: http.StatusConflict}, // there is no issuer
	"finish-oidc":     {open: true, body: `{"state":"no","code":"no"}`, status: http.StatusConflict},

	"look-invitation":   {open: true, body: `{"token":"trl_no"}`, status: absent},
	"accept-invitation": {open: true, body: `{"token":"trl_no","password":"a long enough password"}`, status: absent},
	"forgot-password":   {open: true, body: `{"login":"nobody"}`, status: http.StatusConflict}, // no mails go out
	"look-reset":        {open: true, body: `{"token":"trl_no"}`, status: absent},
	"reset-password":    {open: true, body: `{"token":"trl_no","password":"a long enough password"}`, status: absent},
	"sign-up":           {open: true, body: `{"email":"b@example.com"}`, status: http.StatusConflict},
	"prove-sign-up":     {open: true, body: `{"id":"ask_no","code":"000000"}`, status: denied},
	"finish-sign-up":    {open: true, body: `{"ticket":"trt_no","password":"a long enough password"}`, status: http.StatusConflict},
	"show-sftp":         {open: true, status: yes},
	"show-collector":    {open: true, status: yes},

	"list-sessions":          {status: yes},
	"end-session":            {victim: "session"},
	"me":                     {status: yes},
	"end-other-sessions":     {status: http.StatusConflict}, // B's credential is a key
	"show-own-identity":      {status: denied},
	"unlink-own-identity":    {status: denied},
	"show-totp":              {status: denied},
	"start-totp":             {body: `{"password":"a long enough password"}`, status: denied},
	"confirm-totp":           {body: `{"code":"123456"}`, status: denied},
	"replace-recovery-codes": {body: `{"password":"a long enough password","code":"123456"}`, status: denied},
	"end-totp":               {body: `{"password":"a long enough password","code":"123456"}`, status: denied},
	"list-own-ssh-keys":      {status: yes},
	"add-own-ssh-key":        {body: `{"name":"b","public_key":"KEY","password":"a long enough password"}`, status: denied},
	"revoke-own-ssh-key":     {victim: "sshkey"},
	"change-password":        {body: `{"current":"a long enough password","new":"another long password"}`, status: denied},

	"create-user": {body: `{"tenant":"A","email":"new@example.com","role":"tenant_user"}`, status: created},
	"list-users":  {status: yes},

	"invite":            {body: `{"tenant":"A","email":"invited@example.com","role":"tenant_user"}`, status: created},
	"list-invitations":  {status: yes},
	"resend-invitation": {victim: "invitation"},
	"revoke-invitation": {victim: "invitation"},
	"add-domain":        {body: `{"tenant":"A","domain":"b.example"}`, status: denied}, // nobody has proven an address there
	"list-domains":      {status: yes},
	"remove-domain":     {victim: "domain"},

	"show-user":       {victim: "user"},
	"update-user":     {victim: "user", body: `{"name":"B was here"}`},
	"set-password":    {victim: "user", body: `{"new":"another long password"}`},
	"reset-totp":      {victim: "user"},
	"show-identity":   {victim: "user"},
	"unlink-identity": {victim: "user"},
	"add-ssh-key":     {victim: "user", body: `{"name":"b","public_key":"KEY"}`},
	"list-ssh-keys":   {victim: "user"},
	"revoke-ssh-key":  {victim: "sshkey"},
	"create-api-key":  {body: `{"tenant":"A","role":"tenant_user"}`, status: created},
	"list-api-keys":   {status: yes},
	"revoke-api-key":  {victim: "apikey"},

	"create-organisation": {body: `{"name":"B's"}`, status: denied},
	"list-organisations":  {status: denied},
	"show-organisation":   {victim: "organisation"},
	"verify-organisation": {victim: "organisation", body: `{"evidence":"none"}`},
	"create-tenant":       {body: `{"slug":"b-two","name":"B","organisation":"B"}`, status: denied},
	"list-tenants":        {status: denied},
	"show-tenant":         {victim: "tenant"},
	"update-tenant":       {victim: "tenant", body: `{"name":"B was here"}`},
	"suspend-tenant":      {victim: "tenant", body: `{"reason":"B"}`},
	"activate-tenant":     {victim: "tenant"},
	"show-onboarding":     {victim: "tenant"},
	"offboard-tenant":     {victim: "tenant", body: `{"confirm":"tenant-1"}`},
	"hasten-offboarding":  {victim: "tenant"},
	"keep-tenant":         {victim: "tenant"},
	"show-offboarding":    {victim: "tenant"},
	"show-own-tenant":     {status: yes},
	"export-tenant":       {status: yes, content: true},

	"apply-dataset":             {body: "dataset: mine\n", status: denied},
	"list-datasets":             {status: yes},
	"show-dataset":              {common: dataset, status: yes},
	"download-dataset-template": {common: dataset, status: yes},
	"preview-submission":        {victim: "submission", content: true},
	"recognise-uploads":         {body: `{"files":[{"name":"b.csv"}]}`, status: yes, content: true},
	"submit":                    {query: "&dataset=" + dataset + "&date=" + date + "&name=b.csv", body: "B", status: created, content: true},
	"list-submissions":          {status: yes},
	"show-submission":           {victim: "submission"},
	"download-submission":       {victim: "submission", content: true},
	"withdraw-submission":       {victim: "submission", content: true},
	"delete-submission":         {victim: "submission", content: true},
	"list-receipts":             {victim: "submission", content: true},
	"discover-uploads":          {open: true, status: http.StatusNoContent},
	"create-upload":             {header: tusHeader("Upload-Length", "1", "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(servertest.InputName(2, date)))), status: created, content: true},
	"list-uploads":              {status: yes, content: true},
	"show-upload":               {victim: "upload", content: true},
	"find-upload-offset":        {victim: "upload", header: tusHeader(), content: true},
	"continue-upload":           {victim: "upload", header: tusHeader("Upload-Offset", "1", "Content-Type", "application/offset+octet-stream"), body: "B", content: true},
	"drop-upload":               {victim: "upload", header: tusHeader(), content: true},

	"list-results":     {status: yes},
	"show-result":      {victim: "result"},
	"download-result":  {victim: "result", content: true},
	"show-result-rows": {victim: "result", content: true},

	"list-periods":  {status: yes},
	"show-period":   {common: dataset, status: yes},
	"reopen-period": {common: dataset, body: `{"tenant":"A","reason":"B's","until":"` + soon + `"}`, status: denied},
	"close-period":  {common: dataset, body: `{"tenant":"A"}`, status: denied},

	"apply-analysis":   {body: "analysis: mine\n", status: denied},
	"list-analyses":    {status: yes},
	"show-analysis":    {common: analysis, status: yes},
	"accept-analysis":  {common: analysis, body: `{"version":1}`, status: yes, content: true},
	"decline-analysis": {common: analysis, body: `{"version":1}`, status: yes, content: true},
	"list-acceptances": {common: analysis, status: denied},
	"start-runs":       {body: `{"analyses":["` + analysis + `"],"date":"` + date + `"}`, status: denied},
	"list-runs":        {status: denied},
	"plan-runs":        {query: "&analysis=" + analysis + "&date=" + date, status: denied},
	"show-run":         {victim: "run"},
	"show-run-log":     {victim: "run"},
	"follow-run":       {victim: "run", query: "&seconds=1"},
	"watch-changes":    {query: "&seconds=1&after=elsewhere.1", status: yes},
	"cancel-run":       {victim: "run"},
	"retry-run":        {victim: "run"},
	"show-manifest":    {victim: "run"},
	"report-received":  {query: "&tenant=A&by=tenant", status: denied},
	"report-runs":      {status: denied},

	"create-schedule":      {body: `{"id":"b-schedule","analyses":["` + analysis + `"],"cron":"@daily","date_offset_days":1}`, status: denied},
	"list-schedules":       {status: denied},
	"preview-schedule":     {query: "&cron=@daily", status: denied},
	"show-schedule":        {victim: "schedule"},
	"update-schedule":      {victim: "schedule", body: `{"cron":"@hourly"}`},
	"pause-schedule":       {victim: "schedule"},
	"resume-schedule":      {victim: "schedule"},
	"delete-schedule":      {victim: "schedule"},
	"list-firings":         {victim: "schedule"},
	"list-outbox":          {status: yes},
	"list-notice-switches": {status: http.StatusConflict}, // B's credential is a key
	"show-preferences":     {status: http.StatusConflict},
	"change-preferences":   {body: `{"rows.users":25}`, status: http.StatusConflict},
	"set-notice-switch":    {common: "result.ready", body: `{"on":false}`, status: http.StatusConflict},
	"create-webhook":       {body: `{"url":"https://b.example.com/hook"}`, status: created},
	"list-webhooks":        {status: yes},
	"show-webhook":         {victim: "webhook"},
	"update-webhook":       {victim: "webhook", body: `{"state":"disabled"}`},
	"delete-webhook":       {victim: "webhook"},
	"test-webhook":         {victim: "webhook"},
	"list-deliveries":      {victim: "webhook"},
	"redeliver":            {victim: "delivery"},

	"set-hold":          {body: `{"tenant":"A","reason":"B"}`, status: denied},
	"list-holds":        {status: yes},
	"release-hold":      {victim: "hold"},
	"preview-retention": {status: denied},
	"recall-result":     {victim: "result", body: `{"reason":"B"}`},
	"recall-run":        {victim: "run", body: `{"reason":"B"}`},

	"send-events":       {body: `{"specversion":"1.0","id":"b","source":"/b","type":"b","tenant":"A"}`, status: http.StatusNoContent, content: true},
	"create-source":     {body: `{"name":"b"}`, status: created},
	"list-sources":      {status: yes},
	"show-source":       {victim: "source"},
	"revoke-source":     {victim: "source"},
	"create-pixels":     {victim: "source", body: `{"type":"b","users":["b"]}`},
	"apply-plan":        {body: "events: [{type: b}]\n", status: denied},
	"list-plans":        {status: yes},
	"show-plan":         {common: "current", status: yes},
	"list-quarantine":   {status: yes},
	"show-held-event":   {victim: "held"},
	"replay-quarantine": {body: `{}`, status: yes},
	"replay-held-event": {victim: "held"},
	"drop-held-event":   {victim: "held"},

	"list-tables":         {status: yes},
	"query":               {body: `{"sql":"SELECT * FROM fact_event UNION ALL BY NAME FROM dim_tenant"}`, status: yes},
	"list-queries":        {status: yes},
	"cancel-query":        {common: "qry_none", status: absent},
	"list-named-queries":  {status: yes},
	"save-query":          {body: `{"name":"mine","source":"SELECT 1"}`, status: denied},
	"show-named-query":    {common: "jobs", status: yes},
	"list-query-versions": {common: "jobs", status: denied},
	"delete-query":        {common: "jobs", status: denied},
	"run-named-query":     {common: "last-activity", body: `{"parameters":{}}`, status: yes},

	"list-freshness": {query: "&tenant=A", status: yes},
	"show-warehouse": {status: denied},
	"start-rebuild":  {body: `{"tenant":"A"}`, status: denied},
	"cancel-rebuild": {status: denied},

	"list-audit":         {status: yes},
	"list-audit-records": {status: yes},
	"list-checkpoints":   {status: yes},

	"list-archive":   {status: yes},
	"show-archived":  {victim: "archived"},
	"verify-archive": {body: `{}`, status: denied},
	"flush-archive":  {body: `{}`, status: denied},
	"erase-user":     {body: `{"tenant":"A","user":"nobody"}`, status: http.StatusAccepted},
	"list-erasures":  {status: yes},
	"show-erasure":   {victim: "erasure"},

	"restore-archive": {body: `{}`, status: denied},
	"rebuild-archive": {body: `{}`, status: denied},

	"list-streams":       {status: yes},
	"list-stream-events": {common: "jobs", status: yes},
	"tail-stream":        {common: "jobs", query: "&seconds=1&after=0", status: yes},
}

// soon is tomorrow.
var soon = time.Now().AddDate(0, 0, 1).UTC().Format(time.RFC3339)

type operation struct{ id, method, path string }

func (s *server) operations() []operation {
	s.T.Helper()
	r := must(http.Get(s.URL + "/api/openapi.json"))(s.T)
	defer r.Body.Close()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
		s.T.Fatal(err)
	}
	var all []operation
	for path, item := range doc.Paths {
		for method, op := range item {
			all = append(all, operation{op.OperationID, strings.ToUpper(method), strings.Replace(path, "{date}", date, 1)})
		}
	}
	// Those that name nothing first: later B's own audit log has the ids that B asked for.
	slices.SortFunc(all, func(x, y operation) int { return strings.Count(x.path, "{") - strings.Count(y.path, "{") })
	return all
}

// TestRouteMatrix asks every route of the API for the things of tenant A: as
// tenant B's admin, as nobody, as an auditor, and where content is concerned as
// a system admin.
func TestRouteMatrix(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	ids := s.belongings(a, b)
	before := s.holdings(a, ids)
	auditor := must(s.As(s.Token).CreateAPIKey(t.Context(), client.NewAPIKey{Role: "auditor"}))(t).Key
	known := map[string]bool{}
	for _, op := range s.operations() {
		p, ok := routes[op.id]
		if !ok {
			t.Errorf("%s %s (%s) is not in the matrix: say how tenant B is to be answered", op.method, op.path, op.id)
			continue
		}
		known[op.id] = true
		s.crossTenant(op, p, b.Key, ids)
		id := ids[p.victim] + p.common
		path, body := strings.Replace(op.path, "{id}", id, 1), strings.ReplaceAll(p.body, "KEY", ids["key"])
		if got := s.askWith(p.header, op.method, path, p.query, "", body); !p.open && got.status != http.StatusUnauthorized {
			t.Errorf("%s %s with no credential: got %d %s, want 401", op.method, path, got.status, got.body)
		}
		if got := s.askWith(p.header, op.method, path, p.query, auditor, body); !p.open && (op.method != http.MethodGet || p.content) && !own[op.id] && got.status != denied {
			t.Errorf("%s %s as auditor: got %d %s, want 403", op.method, path, got.status, got.body)
		}
		if p.content || op.method == http.MethodGet {
			if got := s.askWith(p.header, op.method, path, p.query, s.Token, body); p.content && got.status != denied {
				t.Errorf("%s %s as system admin: got %d %s, want 403", op.method, path, got.status, got.body)
			}
		}
	}
	for id := range routes {
		if !known[id] {
			t.Errorf("%s is in the matrix, and no operation of the API", id)
		}
	}
	if after := s.holdings(a, ids); after != before {
		t.Errorf("what A has: got %s, want as before %s", after, before)
	}
	if strings.Contains(s.Log.String(), canary) {
		t.Error("the log has the victim's canary in it")
	}
	s.ask(http.MethodGet, "/metrics", "", "", "")
}

// own are the routes by which everybody minds their own things.
var own = map[string]bool{"end-session": true, "end-other-sessions": true, "revoke-own-ssh-key": true, "set-notice-switch": true, "change-preferences": true}

// crossTenant asks as B for a thing of A and for one that nobody has, or, where
// the path names no thing of A's, for B's own.
func (s *server) crossTenant(op operation, p probe, token string, ids map[string]string) {
	s.T.Helper()
	body := strings.ReplaceAll(strings.ReplaceAll(p.body, `"A"`, `"tenant-1"`), "KEY", ids["key"])
	if p.victim == "" {
		got := s.askWith(p.header, op.method, strings.Replace(op.path, "{id}", p.common, 1), p.query+"&tenant=tenant-1", token, body)
		if got.status != p.status {
			s.T.Errorf("%s %s as B: got %d %s, want %d", op.method, op.path, got.status, got.body, p.status)
		}
		for kind, id := range ids {
			if kind != "run" && strings.Contains(got.body, id) {
				s.T.Errorf("%s %s as B: got %s, which names A's %s %s", op.method, op.path, got.body, kind, id)
			}
		}
		return
	}
	id, nobodys := ids[p.victim], madeUp(ids[p.victim])
	got := s.askWith(p.header, op.method, strings.Replace(op.path, "{id}", id, 1), p.query, token, body).about(id)
	want := s.askWith(p.header, op.method, strings.Replace(op.path, "{id}", nobodys, 1), p.query, token, body).about(nobodys)
	if got != want || got.status != absent && got.status != denied {
		s.T.Errorf("%s %s as B with A's id: got %d %s, want as for a made-up id %d %s", op.method, op.path, got.status, got.body, want.status, want.body)
	}
}

// belongings gives A one of everything and returns the ids.
func (s *server) belongings(a, b party) map[string]string {
	s.T.Helper()
	ctx, t := s.T.Context(), s.T
	key := publicKey(t)
	user := must(a.CreateUser(ctx, client.NewUser{Email: "a@example.com", Name: "Ann", Role: "tenant_user", Password: "a long enough password", SSHPublicKey: key}))(t)
	session := must(s.As("").SignIn(ctx, client.SignIn{Login: user.Login, Password: "a long enough password", NewPassword: "another long password"}))(t)
	apiKey := must(a.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_user", Name: "second"}))(t)
	sub := a.Accepted(t, date, servertest.Values(1, date, canary+",y,10", "x,y,11"))
	b.Accepted(t, date, servertest.Values(2, date, "x,y,20"))
	run := must(s.As(s.Token).StartRuns(ctx, []string{analysis}, date))(t).Items[0]
	if run = must(s.As(s.Token).WaitRun(ctx, run.ID, nil))(t); run.State != "succeeded" {
		t.Fatalf("run: got %s (%s), want succeeded", run.State, run.Reason)
	}
	schedule := must(s.As(s.Token).CreateSchedule(ctx, client.NewSchedule{ID: "provider-yearly", Analyses: []string{analysis}, Cron: "@yearly", DateOffsetDays: new(int64)}))(t)
	erasure := must(a.EraseUser(ctx, client.EraseUser{User: canary}))(t) // before a hold
	hold := must(s.As(s.Token).SetHold(ctx, client.NewHold{Tenant: a.ID, Reason: "a case"}))(t)
	if told := must(a.Outbox(ctx, client.MailFilter{Kind: "result.ready"}))(t).Items; len(told) != 1 || told[0].User != user.ID {
		t.Errorf("told of the result: got %+v, want %s", told, user.ID)
	}
	hook := must(a.CreateWebhook(ctx, client.NewWebhook{URL: "https://" + canary + ".invalid/hook"}))(t)
	delivery := must(a.TestWebhook(ctx, hook.ID))(t)
	invitation := must(a.Invite(ctx, client.NewInvitation{Email: "invited-a@example.com", Role: "tenant_user"}))(t)
	domain := must(s.As(s.Token).AddDomain(ctx, client.NewDomain{Tenant: a.ID, Domain: canary + ".example"}))(t)
	must(s.As(s.Token).ApplyPlan(ctx, []byte("events: [{type: login}]\n")))(t)
	source := must(a.CreateSource(ctx, client.NewSource{Name: canary}))(t)
	if sent := must(a.SendEvents(ctx, []byte(`{"specversion":"1.0","id":"`+canary+`","source":"/a"}`)))(t); sent.Items[0].Result != "drop" {
		t.Errorf("an event without a type: got %+v, want it in quarantine", sent)
	}
	held := must(a.Quarantine(ctx, client.QuarantineFilter{}))(t).Items[0]
	must(a.SendEvents(ctx, []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"login"}`)))(t) // what was done may not be published yet
	if err := s.As(s.Token).FlushArchive(ctx); err != nil {
		t.Fatal(err)
	}
	archived := must(a.Archive(ctx, client.ArchiveFilter{}))(t).Items[0]
	return map[string]string{"archived": archived.ID, "erasure": erasure.ID, "source": source.ID, "held": held.ID, "invitation": invitation.ID, "domain": domain.ID, "hold": hold.ID, "webhook": hook.ID, "delivery": delivery.ID, "upload": s.unfinished(a), "user": user.ID, "schedule": schedule.ID, "session": session.ID, "apikey": apiKey.ID, "sshkey": must(a.SSHKeys(ctx, user.ID))(t).Items[0].ID,
		"submission": sub.ID, "run": run.ID, "result": must(a.Results(ctx, client.ResultFilter{}))(t).Items[0].ID, "tenant": a.ID,
		"organisation": a.Tenant.Organisation, "key": strings.TrimSpace(publicKey(t))}
}

// unfinished begins an upload of a party's and returns its id.
func (s *server) unfinished(p party) string {
	s.T.Helper()
	return s.uploads(p.Key).begun(10, "filename", servertest.InputName(p.Number, date))
}

// holdings is what A sees of its own, without what its own looking changes.
func (s *server) holdings(a party, ids map[string]string) string {
	s.T.Helper()
	ctx, t := s.T.Context(), s.T
	var content bytes.Buffer
	must(a.SubmissionContent(ctx, ids["submission"], &content, nil))(t)
	must(a.ResultContent(ctx, ids["result"], "csv", &content, nil))(t)
	users, keys := must(a.Users(ctx, client.UserFilter{}))(t).Items, must(a.APIKeys(ctx, client.TenantPage{}))(t).Items
	for n := range keys {
		keys[n].UsedAt = nil
	}
	source, held := must(a.Source(ctx, ids["source"]))(t), must(a.HeldEvent(ctx, ids["held"]))(t)
	hook := must(a.Webhook(ctx, ids["webhook"]))(t)
	hook.FailingSince = nil // its host does not exist
	var result []time.Time
	for _, k := range must(a.SSHKeys(ctx, ids["user"]))(t).Items {
		result = append(result, k.CreatedAt)
	}
	raw := must(json.Marshal([]any{users, keys, result, must(a.Submission(ctx, ids["submission"]))(t), must(a.OwnTenant(ctx))(t), hook, source, held, content.String()}))(t)
	return string(raw)
}

// TestRoutesPassTheirIDOn asks every route that names a thing, as somebody who
// may, for one that there is not and for one that there is.
func TestRoutesPassTheirIDOn(t *testing.T) {
	t.Parallel()
	s := started(t, "")
	a, b := s.exchange()
	ids := s.belongings(a, b)
	// One's own session, which no other credential of the tenant ends.
	own := must(s.As("").SignIn(t.Context(), client.SignIn{Login: "tenant-1.a", Password: "a long enough password"}))(t)
	must(struct{}{}, s.As(own.Token).EndSession(t.Context(), own.ID))(t)
	if _, err := s.As(own.Token).Me(t.Context()); !client.Is(err, client.Unauthenticated) {
		t.Errorf("me after the session's end: got %v, want 401", err)
	}
	all := s.operations()
	slices.SortStableFunc(all, func(x, y operation) int { return slices.Index(last, x.id) - slices.Index(last, y.id) })
	for _, op := range all {
		if !strings.Contains(op.path, "{id}") {
			continue
		}
		how, ok := rightful[op.id]
		if op.id == "revoke-own-ssh-key" { // a session's, not a key's: see package account
			continue
		}
		if !ok {
			t.Errorf("%s %s (%s) is not among the rightful requests", op.method, op.path, op.id)
			continue
		}
		p := routes[op.id]
		body, token := p.body, a.Key
		if how.body != "" {
			body = how.body
		}
		if how.staff {
			token = s.Token
		}
		body = strings.ReplaceAll(body, "KEY", ids["key"])
		id := ids[p.victim] + p.common
		if how.status == 0 {
			how.status = http.StatusOK
		}
		nobodys := madeUp(id)
		if got := s.askWith(p.header, op.method, strings.Replace(op.path, "{id}", nobodys, 1), p.query, token, body, owns); got.status != absent || op.method != http.MethodHead && !strings.Contains(got.body, nobodys) {
			t.Errorf("%s %s for what is not there: got %d %s, want 404 that names %s", op.method, op.path, got.status, got.body, nobodys)
		}
		if got := s.askWith(p.header, op.method, strings.Replace(op.path, "{id}", id, 1), p.query, token, body, owns); got.status != how.status {
			t.Errorf("%s %s for what is there: got %d %s, want %d", op.method, op.path, got.status, got.body, how.status)
		}
	}
}
