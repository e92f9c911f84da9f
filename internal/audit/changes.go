package audit

import (
	"strings"

	"tributary/internal/clock"
	"tributary/internal/live"
	"tributary/internal/meta"
)

// changed lists what an act changes, besides what it is done to: verbs by their first
// word, and those that change something else.
var changed = map[string][]live.Kind{
	"submission":         {live.Submission, live.Period},
	"result":             {live.Result},
	"upload":             {live.Upload},
	"run":                {live.Run},
	"organisation":       {live.Organisation},
	"tenant":             {live.Tenant},
	"user":               {live.User},
	"second-factor":      {live.User},
	"invitation":         {live.User},
	"identity":           {live.User, live.Session},
	"domain":             {live.Tenant},
	"password-reset":     {live.User, live.Session},
	"password-reset.ask": nil,
	"sshkey":             {live.Key},
	"apikey":             {live.Key},
	"session":            {live.Session, live.User},
	"credentials":        {live.Tenant, live.User, live.Key},
	"analysis":           {live.Analysis, live.Period},
	"dataset":            {live.Dataset, live.Period},
	"period":             {live.Period},
	"schedule":           {live.Schedule},
	"webhook":            {live.Webhook},
	"hold":               {live.Hold},
	"source":             {live.Key},
	"source.pixel":       nil,
	"plan":               nil,
	"quarantine":         nil,
	"warehouse":          nil,
	"query":              nil,
	"archive":            nil,
	"freshness":          nil,
	// Reading changes nothing: a page that read again because it was told of its own
	// reading would read for ever. That a result was downloaded for the first time its
	// capability tells.
	"submission.read":    nil,
	"result.read":        nil,
	"upload.read":        nil,
	"submission.receive": {live.Submission, live.Period, live.Upload},
	"result.deliver":     {live.Result, live.Submission}, // which have a receipt now
	"run.grant":          nil,
	"tenant.export":      nil,
}

// refusals are outcomes that change nothing. That they are told would make who asks
// again at each change ask for ever.
var refusals = map[string]bool{"denied": true, "not found": true, "refused": true}

// Refused reports whether the act was not done. What it names then may be another's, or
// nothing.
func (r Record) Refused() bool { return refusals[r.Outcome] }

// tell passes on what an entry says has changed, once its transaction is committed.
func (l *Log) tell(tx *meta.DB, r Record) {
	word, _, _ := strings.Cut(r.Verb, ".")
	kinds, known := changed[r.Verb]
	if !known {
		kinds = changed[word]
	}
	if l.cfg.Changes == nil || r.Refused() || len(kinds) == 0 {
		return
	}
	list := make([]live.Change, len(kinds))
	for n, kind := range kinds {
		list[n] = live.Change{Kind: kind, Tenant: r.Tenant, By: r.Actor,
			Common: r.Tenant == "" && (word == "dataset" || word == "analysis")}
	}
	// What is known by a name that somebody gave it goes without.
	if prefix, _, ok := strings.Cut(r.Subject, "_"); ok && clock.ValidID(prefix, r.Subject) {
		list[0].ID = r.Subject
	}
	tx.AfterCommit(func() { l.cfg.Changes.Tell(list...) })
}
