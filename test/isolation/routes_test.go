package isolation

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// operation is an operation of the API as the model knows it. Each one that
// docs/openapi.json lists needs a line in operations.
type operation struct {
	id, method, path string // as the document has them

	// roles who may do it, as letters; "*": needs no credential.
	roles string
	// names is what the path names.
	names kind
	// metadata is the classes of canaries that system admins and auditors see of it.
	metadata string
	// weight is how often it is done, in comparison; 0 means 10.
	weight int
	// make makes a request; nil: one that says nothing and is answered 200.
	make func(w *world, c *credential, id string) shot
}

const (
	dataset  = "numbers"
	analysis = "means"  // two organisations are enough
	lonely   = "alone"  // takes five
	everyone = "SRNAUD" // every role
	members  = "AUD"
	staff    = "SRN"
)

const (
	ok, created, empty     = http.StatusOK, http.StatusCreated, http.StatusNoContent
	accepted               = http.StatusAccepted
	denied, absent, clash  = http.StatusForbidden, http.StatusNotFound, http.StatusConflict
	invalid, tooMany, anon = http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusUnauthorized
)

const datasetText = `dataset: numbers
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: Client, type: text, role: participant}
  - {name: Tag, type: text, required: true, max_length: 64}
  - {name: Note, type: text, max_length: 64}
  - {name: Value, type: decimal, scale: 2, required: true}
unique: [Tag]
cadence: daily
due: {after_days: 1, at: "12:00", zone: UTC}
`

const analysisText = `analysis: means
datasets: [numbers]
groups: [Tag]
measures:
  - {name: Value, function: mean, column: Value, decimals: 1}
recipients: contributors
own_value: true
output:
  file_name: "output-{date}-{participant}.csv"
  date_column: Date
  date_format: YYYYMMDD
  id_column: YourId
  own_prefix: Your
rules: {min_contributors: 2, p_percent: 0, dominance: off}
quorum: 2
`

var lonelyText = strings.Replace(strings.Replace(analysisText, "analysis: means", "analysis: alone", 1),
	"rules: {min_contributors: 2, p_percent: 0, dominance: off}\nquorum: 2\n", "", 1)

var dates = []string{"2026-03-01", "2026-03-02", "2026-03-03"}

// operations has a line for each operation of the API.
func operations() map[string]*operation {
	return map[string]*operation{
		"sign-in":         {roles: "*", weight: 2, make: signIn},
		"setup":           {roles: "*", weight: 1, make: setup},
		"list-audit-keys": {roles: "*", weight: 2},
		"show-sftp":       {roles: "*", weight: 2},
		"show-collector":  {roles: "*", weight: 2},

		"entrance":    {roles: "*", weight: 2},
		"begin-oidc":  {roles: "*", weight: 1, make: stray(clash, nil)},
		"finish-oidc": {roles: "*", weight: 1, make: stray(clash, map[string]any{"state": "nonsense", "code": "nonsense"})},

		"look-invitation":   {roles: "*", weight: 1, make: stray(absent, map[string]any{"token": "trl_nonsense"})},
		"accept-invitation": {roles: "*", weight: 2, make: acceptInvitation},
		"forgot-password":   {roles: "*", weight: 1, make: stray(clash, map[string]any{"login": "nobody"})},
		"look-reset":        {roles: "*", weight: 1, make: stray(absent, map[string]any{"token": "trl_nonsense"})},
		"reset-password":    {roles: "*", weight: 1, make: stray(absent, map[string]any{"token": "trl_nonsense", "password": "a long enough password"})},
		"sign-up":           {roles: "*", weight: 1, make: stray(clash, map[string]any{"email": "x@example.com"})},
		"prove-sign-up":     {roles: "*", weight: 1, make: stray(denied, map[string]any{"id": "ask_nonsense", "code": "000000"})},
		"finish-sign-up":    {roles: "*", weight: 1, make: stray(clash, map[string]any{"ticket": "trt_nonsense", "password": "a long enough password"})},

		"list-sessions":          {roles: everyone},
		"end-session":            {roles: everyone, names: sessions, weight: 16, make: endSession},
		"me":                     {roles: everyone, make: me},
		"end-other-sessions":     {roles: everyone, weight: 3, make: endOtherSessions},
		"show-own-identity":      {roles: staff, weight: 2, make: showTOTP},
		"unlink-own-identity":    {roles: staff, weight: 1, make: unlinkOwn},
		"show-totp":              {roles: everyone, weight: 2, make: showTOTP},
		"start-totp":             {roles: everyone, weight: 1, make: startTOTP},
		"confirm-totp":           {roles: everyone, weight: 1, make: confirmTOTP},
		"replace-recovery-codes": {roles: everyone, weight: 1, make: withTOTP},
		"end-totp":               {roles: everyone, weight: 1, make: withTOTP},
		"list-own-ssh-keys":      {roles: everyone, metadata: "k", weight: 6},
		"add-own-ssh-key":        {roles: "AU", metadata: "k", weight: 2, make: addOwnSSHKey},
		"revoke-own-ssh-key":     {roles: everyone, names: sshKeys, weight: 3, make: revokeSSHKey},
		"change-password":        {roles: everyone, weight: 1, make: changePassword},

		"create-user":       {roles: "SA", metadata: "sp", weight: 14, make: createUser},
		"list-users":        {roles: "SRA", metadata: "sp", make: viewed},
		"invite":            {roles: "SA", metadata: "sp", weight: 8, make: invite},
		"list-invitations":  {roles: "SRA", metadata: "sp", make: listed},
		"resend-invitation": {roles: "SA", names: invitations, metadata: "sp", weight: 6, make: resendInvitation},
		"revoke-invitation": {roles: "SA", names: invitations, weight: 6, make: revokeInvitation},
		"add-domain":        {roles: "SA", metadata: "s", weight: 6, make: addDomain},
		"list-domains":      {roles: "SRA", make: listed},
		"remove-domain":     {roles: "SA", names: domains, weight: 4, make: removeDomain},

		"show-user":       {roles: "SRA", names: users, metadata: "sp", weight: 16},
		"update-user":     {roles: "SA", names: users, metadata: "sp", weight: 14, make: updateUser},
		"set-password":    {roles: "SA", names: users, metadata: "s", weight: 2, make: setPassword},
		"reset-totp":      {roles: "SA", names: users, metadata: "s", weight: 3, make: resetTOTP},
		"show-identity":   {roles: "SR", names: users, weight: 2},
		"unlink-identity": {roles: "S", names: users, weight: 2, make: unlink},
		"add-ssh-key":     {roles: "SA", names: users, metadata: "sk", weight: 14, make: addSSHKey},
		"list-ssh-keys":   {roles: "SRA", names: users, metadata: "k", weight: 14},
		"revoke-ssh-key":  {roles: "SA", names: sshKeys, make: revokeSSHKey},
		"create-api-key":  {roles: "SA", metadata: "sk", weight: 14, make: createAPIKey},
		"list-api-keys":   {roles: "SRA", metadata: "k", make: listed},
		"revoke-api-key":  {roles: "SA", names: apiKeys, weight: 14, make: revokeAPIKey},

		"create-organisation": {roles: "S", metadata: "o", weight: 3, make: createOrganisation},
		"list-organisations":  {roles: "SR", metadata: "o", weight: 5},
		"show-organisation":   {roles: "SR", names: organisation, metadata: "o"},
		"verify-organisation": {roles: "S", names: organisation, metadata: "o", weight: 4, make: verifyOrganisation},
		"create-tenant":       {roles: "S", metadata: "snxo", weight: 8, make: createTenant},
		"list-tenants":        {roles: "SR", metadata: "snxo", make: viewed},
		"show-tenant":         {roles: "SR", names: tenants, metadata: "snxo"},
		"update-tenant":       {roles: "S", names: tenants, metadata: "snxo", weight: 6, make: updateTenant},
		"suspend-tenant":      {roles: "S", names: tenants, metadata: "snxo", weight: 4, make: suspendTenant},
		"activate-tenant":     {roles: "S", names: tenants, metadata: "snxo", weight: 14, make: activateTenant},
		"show-onboarding":     {roles: "SR", names: tenants},
		"offboard-tenant":     {roles: "S", names: tenants, metadata: "s", weight: 8, make: offboardTenant},
		"hasten-offboarding":  {roles: "S", names: tenants, metadata: "s", weight: 3, make: hastenOffboarding},
		"keep-tenant":         {roles: "S", names: tenants, metadata: "snxo", weight: 6, make: keepTenant},
		"show-offboarding":    {roles: "SR", names: tenants, metadata: "s", make: showOffboarding},
		"show-own-tenant":     {roles: members},
		"export-tenant":       {roles: "AD", weight: 4},

		"apply-dataset":             {roles: "S", weight: 2, make: func(*world, *credential, string) shot { return shot{body: []byte(datasetText), yaml: true} }},
		"list-datasets":             {roles: everyone, weight: 4},
		"show-dataset":              {roles: everyone, names: datasets, weight: 4},
		"submit":                    {roles: "AU", weight: 12, make: submit},
		"download-dataset-template": {roles: everyone, names: datasets, weight: 4},
		"preview-submission":        {roles: members, names: submissions, weight: 4, make: previewSubmission},
		"recognise-uploads":         {roles: "AU", weight: 4, make: recogniseUploads},
		"list-submissions":          {roles: "SRAUD", metadata: "f", weight: 14, make: viewed},
		"show-submission":           {roles: "SRAUD", names: submissions, metadata: "f", weight: 20},
		"download-submission":       {roles: members, names: submissions, weight: 20, make: downloadSubmission},
		"withdraw-submission":       {roles: "AU", names: submissions, weight: 8, make: func(*world, *credential, string) shot { return shot{want: []int{ok, clash}} }},
		"delete-submission":         {roles: "A", names: submissions, weight: 8, make: deleteSubmission},
		"list-receipts":             {roles: members, names: submissions, weight: 14},
		"discover-uploads":          {roles: "*", weight: 2, make: func(*world, *credential, string) shot { return shot{want: []int{empty}} }},
		"create-upload":             {roles: "AU", weight: 12, make: createUpload},
		"list-uploads":              {roles: members, make: func(*world, *credential, string) shot { return shot{} }},
		"show-upload":               {roles: members, names: uploads, weight: 16},
		"find-upload-offset":        {roles: "AU", names: uploads, weight: 14, make: func(*world, *credential, string) shot { return shot{header: tus()} }},
		"continue-upload":           {roles: "AU", names: uploads, weight: 20, make: continueUpload},
		"drop-upload":               {roles: "AU", names: uploads, weight: 8, make: dropUpload},
		"list-results":              {roles: "SRAUD", metadata: "x", weight: 14, make: viewed},
		"show-result":               {roles: "SRAUD", names: results, metadata: "x", weight: 16},
		"show-result-rows":          {roles: members, names: results, weight: 10, make: showResultRows},
		"download-result":           {roles: members, names: results, weight: 20, make: downloadResult},

		"list-periods":  {roles: "SRAUD", metadata: "s", weight: 14, make: viewed},
		"show-period":   {roles: "SRAUD", names: datasets, metadata: "s", weight: 14},
		"reopen-period": {roles: "S", names: datasets, metadata: "s", weight: 8, make: reopenPeriod},
		"close-period":  {roles: "S", names: datasets, metadata: "s", weight: 4, make: closePeriod},

		"apply-analysis":   {roles: "S", weight: 2, make: func(*world, *credential, string) shot { return shot{body: []byte(analysisText), yaml: true} }},
		"list-analyses":    {roles: everyone, weight: 5},
		"show-analysis":    {roles: everyone, names: analyses, weight: 5},
		"accept-analysis":  {roles: "A", names: analyses, weight: 10, make: decide},
		"decline-analysis": {roles: "A", names: analyses, weight: 3, make: decide},
		"list-acceptances": {roles: "SR", names: analyses, metadata: "s", weight: 4},
		"start-runs":       {roles: "S", weight: 5, make: startRuns},
		"list-runs":        {roles: staff, make: learnRuns},
		"plan-runs": {roles: "SR", metadata: "s", weight: 3, make: func(w *world, _ *credential, _ string) shot {
			return shot{query: url.Values{"analysis": {analysis, lonely}, "date": {pick(w, dates)}}, want: []int{ok, absent}}
		}},
		"show-run":      {roles: staff, names: runs, metadata: "s"},
		"show-run-log":  {roles: staff, names: runs},
		"follow-run":    {roles: staff, names: runs, weight: 1, make: stream},
		"watch-changes": {roles: everyone, weight: 1, make: stream},
		"cancel-run":    {roles: "S", names: runs, weight: 2, make: func(*world, *credential, string) shot { return shot{want: []int{ok, clash}} }},
		"retry-run":     {roles: "S", names: runs, weight: 2, make: retryRun},
		"show-manifest": {roles: staff, names: runs, make: func(*world, *credential, string) shot { return shot{want: []int{ok, absent}} }},

		"report-received": {roles: "SR", metadata: "s", weight: 2, make: func(w *world, _ *credential, _ string) shot {
			return shot{query: url.Values{"by": {pick(w, []string{"tenant", "dataset", "channel"})}}}
		}},
		"report-runs":     {roles: "SR", weight: 2},
		"create-schedule": {roles: "S", weight: 2, make: createSchedule},
		"list-schedules":  {roles: staff, weight: 3},
		"show-schedule":   {roles: staff, names: schedules, weight: 4},
		"update-schedule": {roles: "S", names: schedules, weight: 2, make: updateSchedule},
		"preview-schedule": {roles: staff, weight: 1, make: func(*world, *credential, string) shot {
			return shot{query: url.Values{"cron": {"@daily"}, "zone": {"Europe/Zurich"}}}
		}},
		"pause-schedule": {roles: "S", names: schedules, weight: 1, make: func(*world, *credential, string) shot {
			return shot{body: document(map[string]any{}), want: []int{ok, clash}}
		}},
		"resume-schedule": {roles: "S", names: schedules, weight: 2, make: func(*world, *credential, string) shot {
			return shot{body: document(map[string]any{}), want: []int{ok, clash}}
		}},
		"delete-schedule":      {roles: "S", names: schedules, weight: 1, make: deleteSchedule},
		"list-firings":         {roles: staff, names: schedules, weight: 4},
		"set-hold":             {roles: "S", weight: 4, make: setHold},
		"list-holds":           {roles: "SRAUD", weight: 6, make: listed},
		"release-hold":         {roles: "S", names: holds, weight: 8, make: releaseHold},
		"preview-retention":    {roles: "SR", weight: 2},
		"recall-result":        {roles: "S", names: results, metadata: "x", weight: 2, make: recallResult},
		"recall-run":           {roles: "S", names: runs, weight: 1, make: recallRun},
		"list-outbox":          {roles: "SAD", make: viewed},
		"list-notice-switches": {roles: everyone, weight: 4, make: noticeSwitches},
		"set-notice-switch":    {roles: everyone, names: notices, weight: 4, make: setNoticeSwitch},
		"show-preferences":     {roles: everyone, weight: 4, make: preferences},
		"change-preferences":   {roles: everyone, weight: 4, make: changePreferences},
		"create-webhook":       {roles: "SA", weight: 6, make: createWebhook},
		"list-webhooks":        {roles: "SAD"},
		"show-webhook":         {roles: "SAD", names: webhooks},
		"update-webhook":       {roles: "SA", names: webhooks, weight: 6, make: updateWebhook},
		"delete-webhook":       {roles: "SA", names: webhooks, weight: 4, make: deleteWebhook},
		"test-webhook":         {roles: "SA", names: webhooks, weight: 6, make: testWebhook},
		"list-deliveries":      {roles: "SAD", names: webhooks},
		"redeliver":            {roles: "SA", names: deliveries, weight: 6, make: func(*world, *credential, string) shot { return shot{want: []int{accepted, clash}} }},

		"send-events":       {roles: "AU", weight: 12, make: sendEvents},
		"create-source":     {roles: "SA", weight: 6, make: createSource},
		"list-sources":      {roles: "SRA"},
		"show-source":       {roles: "SRA", names: sources},
		"revoke-source":     {roles: "SA", names: sources, weight: 4},
		"create-pixels":     {roles: "SA", names: sources, metadata: "e", weight: 6, make: createPixels},
		"apply-plan":        {roles: "S", weight: 2, make: func(*world, *credential, string) shot { return shot{body: []byte(planText), yaml: true} }},
		"list-plans":        {roles: "SRNAU", weight: 4},
		"show-plan":         {roles: "SRNAU", names: plans, weight: 4},
		"list-quarantine":   {roles: "SA", metadata: "se", make: listHeld},
		"show-held-event":   {roles: "SA", names: heldEvents, metadata: "se"},
		"replay-quarantine": {roles: "SA", weight: 4, make: func(*world, *credential, string) shot { return shot{body: []byte("{}")} }},
		"replay-held-event": {roles: "SA", names: heldEvents, metadata: "e", weight: 6}, // the verdict has the event's id
		"drop-held-event":   {roles: "SA", names: heldEvents, weight: 4, make: dropHeld},

		"list-tables":         {roles: "SNAU", weight: 1},
		"query":               {roles: "SNAU", metadata: "snoe", weight: 5, make: query},
		"list-queries":        {roles: "SNAU", metadata: "s", weight: 2},
		"cancel-query":        {roles: "SNAU", names: running, weight: 2},
		"list-named-queries":  {roles: "SNAU", weight: 4},
		"show-named-query":    {roles: "SNAU", names: queries, weight: 4},
		"list-query-versions": {roles: "SN", names: queries, weight: 2},
		"run-named-query":     {roles: "SNAU", names: queries, metadata: "snoe", weight: 12, make: runQuery},
		"save-query": {roles: "SN", weight: 2, make: func(*world, *credential, string) shot {
			return shot{body: document(map[string]any{"name": "events-of-all", "source": "-- for tenants\nSELECT * FROM fact_event"})}
		}},
		"delete-query": {roles: "SN", names: queries, weight: 1, make: func(*world, *credential, string) shot { return shot{want: []int{clash}} }},

		"list-freshness": {roles: "SRNA", weight: 3, make: func(w *world, c *credential, _ string) shot {
			query, t := about(w, c)
			return shot{query: query, want: relaxed(t, ok)}
		}},
		"show-warehouse": {roles: "SRN", weight: 2},
		"start-rebuild":  {roles: "S", make: func(*world, *credential, string) shot { return shot{body: []byte("{}"), want: []int{accepted, clash}} }},
		"cancel-rebuild": {roles: "S", make: func(*world, *credential, string) shot { return shot{want: []int{ok, absent}} }},

		"list-audit":         {roles: "SRAD", metadata: "snxopk", weight: 14, make: audit},
		"list-audit-records": {roles: "SRAD", metadata: "snxopk", weight: 10, make: listed},
		"list-checkpoints":   {roles: "SRAD", weight: 5, make: listed},

		"list-archive":  {roles: "SRNAD", metadata: "s", weight: 5, make: listed},
		"show-archived": {roles: "SRNAD", names: archived, metadata: "s", weight: 5},
		"erase-user":    {roles: "SA", weight: 3, make: eraseUser},
		"list-erasures": {roles: "SA", weight: 3, make: listed},
		"show-erasure":  {roles: "SA", names: erasures, weight: 3},
		"flush-archive": {roles: "S", weight: 3, make: func(*world, *credential, string) shot {
			return shot{want: []int{empty}}
		}},
		"verify-archive":  {roles: "S", weight: 2, make: func(*world, *credential, string) shot { return shot{body: []byte("{}")} }},
		"restore-archive": {roles: "S", weight: 2, make: func(*world, *credential, string) shot { return shot{body: []byte("{}")} }},
		"rebuild-archive": {roles: "S", weight: 2},

		"list-streams":       {roles: "SRNAD", weight: 2},
		"list-stream-events": {roles: "SRNAD", names: streams, metadata: "sne", weight: 10, make: listed},
		"tail-stream": {roles: "SRNAD", names: streams, metadata: "sne", weight: 1, make: func(w *world, c *credential, _ string) shot {
			query, t := about(w, c)
			query.Set("seconds", "1")
			query.Set("after", "0")
			return shot{query: query, want: relaxed(t, ok)}
		}},
	}
}

// about lets the provider's people say which tenant they mean. What tenants say is
// for spoof.
func about(w *world, c *credential) (url.Values, *tenant) {
	if c == nil || c.tenant != nil || w.chance(30) {
		return url.Values{}, nil
	}
	t := pick(w, w.tenants)
	return url.Values{"tenant": {pick(w, []string{t.id, t.slug})}}, t
}

// relaxed adds what an erasure that may be under way can answer.
func relaxed(t *tenant, want ...int) []int {
	if t != nil && t.fading {
		want = append(want, ok, absent, clash)
	}
	return want
}

func listed(w *world, c *credential, _ string) shot {
	query, t := about(w, c)
	if w.chance(50) {
		query.Set("limit", fmt.Sprint(1+w.random.IntN(20)))
	}
	return shot{query: query, want: relaxed(t, ok)}
}

// stream ends by itself, or nothing else would be asked.
func stream(*world, *credential, string) shot { return shot{query: url.Values{"seconds": {"1"}}} }

// viewed is listed for lists that are searched, filtered and sorted, also by what is
// another's, and with the cursors of others' pages.
func viewed(w *world, c *credential, id string) shot {
	q := listed(w, c, id)
	if w.chance(30) {
		q.query.Set("search", pick(w, []string{"t", "2", "csv", pick(w, w.ids[pick(w, []kind{users, submissions, results, tenants})])}))
	}
	if w.chance(20) {
		q.query.Add("filter", "tenant:contains:t")
	}
	if w.chance(20) {
		q.query.Add("filter", "tenant:is:"+pick(w, w.tenants).slug)
	}
	if w.chance(40) {
		q.query.Set("sort", pick(w, []string{"date", "-date", "name", "created_at", "-received_at", "at"}))
	}
	if len(w.cursors) > 0 && w.chance(40) {
		q.query.Set("after", pick(w, w.cursors))
	}
	q.want = append(q.want, invalid) // a column that this list has not, or a cursor of another question
	q.then = func(a *answer) {
		if next := a.field("next"); next != "" {
			w.cursors = append(w.cursors, next)
		}
	}
	return q
}

func audit(w *world, c *credential, id string) shot {
	q := viewed(w, c, id)
	if w.chance(40) { // also about what is another's
		q.query.Set("subject", pick(w, w.ids[pick(w, []kind{users, apiKeys, submissions, tenants})]))
	}
	return q
}

func me(w *world, c *credential, _ string) shot {
	return shot{then: func(a *answer) {
		if c.tenant != nil && a.field("tenant") != c.tenant.id || a.field("credential") != c.id {
			w.fail("me as %s: got %s", w.who(c), a.body)
		}
	}}
}
