package notify

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"tributary/internal/policy"
)

// Kind is what a notice tells. It is the type of a webhook's message, and the name
// of a mail's template.
type Kind string

// The kinds.
const (
	SubmissionAccepted Kind = "submission.accepted"
	SubmissionRejected Kind = "submission.rejected"
	SubmissionDue      Kind = "submission.due"     // tomorrow; told once for a period
	SubmissionOverdue  Kind = "submission.overdue" // told once for a period
	ResultReady        Kind = "result.ready"
	ResultRecalled     Kind = "result.recalled"
	NewCredential      Kind = "credential.new" //nolint:gosec // it is the name of a kind
	NewSignIn          Kind = "sign-in.new"
	SecondFactorOff    Kind = "second-factor.off"
	WebhookDisabled    Kind = "webhook.disabled"
	WorkWaits          Kind = "work.waits" // for what cannot be reached, and for too long

	// Letters: to one address, with a secret in them.
	Invitation    Kind = "invitation"
	PasswordReset Kind = "password.reset"
	SignUpCode    Kind = "sign-up.code"
	SignUpKnown   Kind = "sign-up.known" // the address has an account already

	webhookTest Kind = "webhook.test" // asked for, and sent to that webhook only
)

// rules say who is told of a kind. A kind with a file in templates is told by mail;
// all are told by webhooks.
type rules struct {
	security bool // nobody can turn it off, and no number of mails is too many
	users    bool // a tenant's users are told like its admins, where nobody is named
	shared   bool // the provider's webhooks are told of tenants' too
	provider bool // it is never a tenant's
	letter   bool // it goes to Notice.To and to nobody else, and no webhook is told
}

var kinds = map[Kind]rules{
	SubmissionAccepted: {shared: true},
	SubmissionRejected: {users: true, shared: true},
	SubmissionDue:      {users: true, shared: true},
	SubmissionOverdue:  {users: true, shared: true},
	ResultReady:        {users: true, shared: true},
	ResultRecalled:     {users: true, shared: true},
	NewCredential:      {security: true},
	NewSignIn:          {security: true},
	SecondFactorOff:    {security: true},
	WebhookDisabled:    {},
	WorkWaits:          {provider: true},
	Invitation:         {security: true, letter: true},
	PasswordReset:      {security: true, letter: true},
	SignUpCode:         {security: true, letter: true},
	SignUpKnown:        {security: true, letter: true},
}

// Kinds lists the kinds that webhooks can ask for.
func Kinds() []Kind {
	var list []Kind
	for k, r := range kinds {
		if !r.letter {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list
}

// tells reports whether people with a role get mails of a kind.
func (r rules) tells(role policy.Role) bool {
	return role.Admin() || r.users && role == policy.TenantUser
}

//go:embed templates
var templateFiles embed.FS

// templates have the subject in their first line; "end" is below each.
var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*.txt"))

func (k Kind) template() *template.Template { return templates.Lookup(string(k) + ".txt") }

// mailed reports whether a kind is told by mail.
func (k Kind) mailed() bool { return k.template() != nil }

// write makes a mail's subject and text.
func (k Kind) write(x Notice, server string) (subject, text string, err error) {
	for _, field := range []*string{&x.Subject, &x.Dataset, &x.Date, &x.Analysis, &x.Detail, &x.Secret, &x.Until} {
		*field = plain(*field)
	}
	var b strings.Builder
	data := struct {
		Notice
		Server           string
		Security, Letter bool
	}{x, server, kinds[k].security, kinds[k].letter}
	for _, name := range []string{string(k) + ".txt", "end"} {
		if err := templates.ExecuteTemplate(&b, name, data); err != nil {
			return "", "", fmt.Errorf("write mail: %w", err)
		}
	}
	subject, text, _ = strings.Cut(b.String(), "\n")
	return subject, strings.TrimLeft(text, "\n"), nil
}

// plain leaves of what others wrote one line of text that can be read.
func plain(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
