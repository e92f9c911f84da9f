package test

import "net/http"

// rightful is how those who may ask the routes that name a thing: what they are
// answered for one that there is, where that is not 200. The rest of a request is
// as in routes. What ends a thing comes last, in the order of last.
var rightful = map[string]struct {
	staff  bool // a system admin asks, otherwise A's admin
	status int
	body   string
}{
	"end-session":               {status: absent}, // another's own, even for an admin
	"show-user":                 {},
	"update-user":               {body: `{"name":"Anna"}`},
	"set-password":              {status: http.StatusNoContent, body: `{"new":"a third long password"}`},
	"add-ssh-key":               {status: created},
	"list-ssh-keys":             {},
	"resend-invitation":         {},
	"revoke-invitation":         {status: http.StatusNoContent},
	"remove-domain":             {status: http.StatusNoContent},
	"revoke-ssh-key":            {status: http.StatusNoContent},
	"revoke-api-key":            {status: http.StatusNoContent},
	"show-organisation":         {staff: true},
	"verify-organisation":       {staff: true, body: `{"evidence":"the register"}`},
	"show-tenant":               {staff: true},
	"update-tenant":             {staff: true, body: `{"name":"Tenant A"}`},
	"suspend-tenant":            {staff: true, body: `{"reason":"a test"}`},
	"activate-tenant":           {staff: true},
	"show-onboarding":           {staff: true},
	"offboard-tenant":           {staff: true, body: `{"confirm":"tenant-1"}`},
	"show-offboarding":          {staff: true},
	"hasten-offboarding":        {staff: true, status: denied}, // by the one who asked for it
	"keep-tenant":               {staff: true},
	"show-dataset":              {},
	"download-dataset-template": {},
	"preview-submission":        {},
	"show-submission":           {},
	"download-submission":       {},
	"withdraw-submission":       {},
	"delete-submission":         {},
	"list-receipts":             {},
	"show-upload":               {},
	"find-upload-offset":        {},
	"continue-upload":           {status: http.StatusConflict}, // it is at its beginning
	"drop-upload":               {status: http.StatusNoContent},
	"show-result":               {},
	"download-result":           {},
	"show-result-rows":          {},
	"show-period":               {},
	"reopen-period":             {staff: true, status: created, body: `{"tenant":"tenant-1","reason":"a test","until":"` + soon + `"}`},
	"close-period":              {staff: true, body: `{"tenant":"tenant-1"}`},
	"show-analysis":             {},
	"accept-analysis":           {},
	"decline-analysis":          {},
	"list-acceptances":          {staff: true},
	"show-run":                  {staff: true},
	"show-run-log":              {staff: true},
	"follow-run":                {staff: true},
	"reset-totp":                {status: http.StatusConflict}, // there is none
	"show-identity":             {staff: true},
	"unlink-identity":           {staff: true, status: http.StatusConflict}, // a tenant's user has none
	"cancel-run":                {staff: true, status: http.StatusConflict}, // it has ended
	"retry-run":                 {staff: true, status: http.StatusConflict}, // it has succeeded
	"show-manifest":             {staff: true},
	"show-schedule":             {staff: true},
	"update-schedule":           {staff: true},
	"pause-schedule":            {staff: true},
	"resume-schedule":           {staff: true},
	"list-firings":              {staff: true},
	"delete-schedule":           {staff: true},
	"release-hold":              {staff: true},
	"recall-result":             {staff: true, body: `{"reason":"a test"}`},
	"recall-run":                {staff: true, body: `{"reason":"a test"}`},
	"set-notice-switch":         {status: http.StatusConflict}, // a key gets no mails
	"show-webhook":              {},
	"update-webhook":            {body: `{"kinds":["result.ready"]}`},
	"delete-webhook":            {status: http.StatusNoContent},
	"test-webhook":              {status: http.StatusAccepted},
	"list-deliveries":           {},
	"redeliver":                 {status: http.StatusConflict}, // it waits for its next attempt
	"list-stream-events":        {},
	"show-archived":             {},
	"show-erasure":              {},
	"tail-stream":               {},
	"show-source":               {},
	"revoke-source":             {},
	"show-plan":                 {},
	"show-held-event":           {},
	"replay-held-event":         {},
	"drop-held-event":           {status: http.StatusNoContent},
	"create-pixels":             {status: created},
	"show-named-query":          {},
	"run-named-query":           {},
	"list-query-versions":       {staff: true},
	"delete-query":              {staff: true, status: http.StatusConflict}, // it is built in
	"cancel-query":              {status: absent},                           // none runs
}

// last are the operations that end things, in the order in which they can be done.
var last = []string{"resend-invitation", "revoke-invitation", "remove-domain", "drop-upload", "recall-result", "recall-run", "release-hold", "reopen-period", "close-period", "withdraw-submission", "delete-submission", "revoke-ssh-key", "revoke-api-key", "delete-webhook", "revoke-source", "drop-held-event", "suspend-tenant", "activate-tenant",
	"offboard-tenant", "show-offboarding", "hasten-offboarding", "keep-tenant", "pause-schedule", "resume-schedule", "delete-schedule"}
