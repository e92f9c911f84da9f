package exchange

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tributary/internal/audit"
	"tributary/internal/exchange/contract"
	"tributary/internal/exchange/parse"
	"tributary/internal/fault"
	"tributary/internal/job"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
	"tributary/internal/vault"
)

// State is where a submission is in its life.
//
//	received -> validating -> accepted -> superseded (a later one was accepted)
//	                      \-> rejected
//	any but withdrawn -> withdrawn
type State string

// The states.
const (
	Received   State = "received"
	Validating State = "validating"
	Accepted   State = "accepted"
	Rejected   State = "rejected"
	Superseded State = "superseded"
	Withdrawn  State = "withdrawn"
)

// Submission is a file that a participant sent for a dataset and a business
// date. Submit makes it; validation decides it; a later accepted one of the same
// dataset and date supersedes it; its tenant may withdraw it.
type Submission struct {
	ID             string
	Tenant         tenant.ID
	Dataset        string
	DatasetVersion int64
	Date           string // business date, YYYY-MM-DD
	Revision       int64  // counts from 1 for this tenant, dataset and date
	State          State
	Name           string // as the sender called it; never used as a path
	Channel        string
	Size           int64
	Rows           *int64
	Columns        *int64
	ErrorCount     *int64
	Problems       []parse.Problem // the first 100; only for the tenant's own scope
	SHA256         []byte          // of the file; only for the tenant's own scope
	Commitment     []byte
	ReceivedAt     time.Time
	DueAt          *time.Time // nil: its contract has no due time
	CutOffAt       *time.Time
	Late           bool   // received after it was due
	AfterCutOff    bool   // and after the cut-off, when the period was not open for this tenant
	DuplicateOf    string // the submission before it, if that had the same bytes
	ValidatedAt    *time.Time
	ClosedAt       *time.Time
	DeletesAt      *time.Time // when retention removes its bytes; nil: never, or not while it is held
	DeletedAt      *time.Time // when its bytes were removed
	DeletedFor     string     // by whom: tenant or retention
	Held           bool       // a legal hold keeps its bytes
	SubmittedBy    string

	object, accepted string // in the vault
	job              string
	verdict          []byte // sealed
}

// NewSubmission describes a file that is about to be sent.
type NewSubmission struct {
	Dataset string
	Date    string // YYYY-MM-DD
	Name    string
	Channel string
	SHA256  []byte // what the sender says the bytes hash to; empty: not said
	Size    int64  // what the sender says; negative: not said
	Root    bool   // it was put into the root of input, where its name says what it is
}

// maxName bounds file names, in bytes, as file systems do.
const maxName = 255

// Submit takes a file: hashes it, seals it while it arrives and makes it durable
// before it returns. What was acknowledged is validated even after a crash; what
// was not leaves nothing behind. A truncated file, or one that does not match
// its checksum, is Invalid.
func (x *Exchange) Submit(ctx context.Context, scope tenant.Scope, n NewSubmission, body io.Reader) (Submission, error) {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return Submission{}, err
	}
	d, err := x.Dataset(ctx, n.Dataset, 0)
	if err != nil {
		return Submission{}, err
	}
	if err := checkNew(n); err != nil {
		return Submission{}, err
	}
	if limit := d.Contract.Limits.Bytes; n.Size > limit {
		return Submission{}, tooLarge(n.Dataset, limit)
	}
	release, err := x.admit(scope.Tenant())
	if err != nil {
		return Submission{}, err
	}
	defer release()

	w, err := x.Vault.Create(ctx, scope, vault.Input, vault.File)
	if err != nil {
		return Submission{}, err
	}
	if err := receive(w, n, d, body); err != nil {
		w.Abort()
		return Submission{}, err
	}
	object, err := w.Finish(ctx)
	if err != nil {
		return Submission{}, err
	}
	return x.record(ctx, scope, n, d, arrival{sum: w.SHA256(), file: func(ctx context.Context, tx *meta.DB) (vault.Object, error) {
		return object, x.Vault.Insert(ctx, tx, scope, object)
	}})
}

func tooLarge(dataset string, limit int64) error {
	return fault.New(fault.TooLarge, "The file is larger than the %d bytes that dataset %q takes. Split it, or ask the provider to raise the limit.", limit, dataset)
}

func checkNew(n NewSubmission) error {
	if _, err := contract.ParseDate(n.Date); err != nil {
		return err
	}
	if n.SHA256 != nil && len(n.SHA256) != 32 {
		return fault.New(fault.Invalid, "The checksum is not a SHA-256: it must be 32 bytes.")
	}
	return checkName(n.Name)
}

func checkName(name string) error {
	switch {
	case name == "":
		return fault.New(fault.Invalid, "The file needs a name.")
	case len(name) > maxName:
		return fault.New(fault.Invalid, "The file's name is longer than %d bytes.", maxName)
	case !utf8.ValidString(name):
		return fault.New(fault.Invalid, "The file's name is not valid UTF-8.")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return fault.New(fault.Invalid, "The file's name has control characters in it.")
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return fault.New(fault.Invalid, "The file's name must not be a path: leave out what is before the last slash.")
	}
	return nil
}

// admit bounds how many files a tenant sends at once, so that one tenant cannot
// take every descriptor and all memory.
func (x *Exchange) admit(id tenant.ID) (release func(), err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.uploading[id] >= x.Uploads {
		return nil, fault.New(fault.Throttled, "%d files are being sent already; wait until one is finished.", x.Uploads)
	}
	x.uploading[id]++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.uploading[id]--; x.uploading[id] == 0 {
			delete(x.uploading, id)
		}
	}, nil
}

// receive copies the body to the vault and checks what the sender said of it.
func receive(w *vault.Writer, n NewSubmission, d Dataset, body io.Reader) error {
	limit := d.Contract.Limits.Bytes
	if _, err := io.CopyBuffer(w, io.LimitReader(body, limit+1), make([]byte, 256<<10)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.Wrap(fault.Invalid, err, "The file ended before all of it arrived. Nothing was kept; send it again.")
		}
		return fmt.Errorf("receive file: %w", err)
	}
	return arrived(w, n, d)
}

// arrived checks what the sender said of a file that has arrived.
func arrived(w *vault.Writer, n NewSubmission, d Dataset) error {
	limit := d.Contract.Limits.Bytes
	switch {
	case w.Size() > limit:
		return tooLarge(n.Dataset, limit)
	case n.Size >= 0 && w.Size() != n.Size:
		return fault.New(fault.Invalid, "%d bytes arrived of %d. Nothing was kept; send the file again.", w.Size(), n.Size)
	case w.Size() == 0:
		return fault.New(fault.Invalid, "The file is empty.")
	case n.SHA256 != nil && subtle.ConstantTimeCompare(n.SHA256, w.SHA256()) != 1:
		return fault.New(fault.Invalid, "What arrived does not match its checksum. Nothing was kept; send the file again.")
	}
	return nil
}

// arrival is a file that has arrived.
type arrival struct {
	sum  []byte                                                // SHA-256
	file func(context.Context, *meta.DB) (vault.Object, error) // makes its object exist when the transaction commits
	also func(context.Context, *meta.DB, Submission) error     // what else belongs to it; nil: nothing
}

// record makes the submission exist, with its job, in one transaction.
func (x *Exchange) record(ctx context.Context, scope tenant.Scope, n NewSubmission, d Dataset, a arrival) (Submission, error) {
	s := Submission{
		ID: x.Clock.ID("sub"), Tenant: scope.Tenant(), Dataset: d.Name, DatasetVersion: d.Version, Date: n.Date, State: Received,
		Name: n.Name, Channel: n.Channel, SubmittedBy: scope.Actor(),
	}
	var err error
	if s.DuplicateOf, err = x.sameAs(ctx, scope, s, a.sum); err != nil {
		return s, err
	}
	name, err := x.Keys.Encrypt(ctx, s.Tenant, keys.Pool, []byte(n.Name), nameContext(s.ID))
	if err != nil {
		return s, fmt.Errorf("seal name of %s: %w", s.ID, err)
	}
	insert := func(tx *meta.DB) error {
		if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
			return err
		}
		s.ReceivedAt = x.Clock.Now() // as late as can be: a run at the cut-off must see what came before it
		if err := tx.For(s.Tenant).QueryRow(ctx, `SELECT COALESCE(MAX(revision), 0) + 1 FROM submissions WHERE tenant = $1 AND dataset = $2 AND date = $3`,
			string(s.Tenant), s.Dataset, s.Date).Scan(&s.Revision); err != nil {
			return fmt.Errorf("number submission: %w", err)
		}
		object, err := a.file(ctx, tx)
		if err != nil {
			return err
		}
		s.object, s.Size, s.Commitment = object.ID, object.Size, object.Commitment
		if s.job, err = x.Jobs.Add(ctx, tx, job.Work{Kind: validateKind, Tenant: s.Tenant, Subject: s.ID, Payload: validatePayload{s.ID}}); err != nil {
			return err
		}
		if _, err := tx.For(s.Tenant).Exec(ctx, `
			INSERT INTO submissions (id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, object, commitment, job, received_at, submitted_by, duplicate_of, root, name_key)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
			s.ID, string(s.Tenant), s.Dataset, s.DatasetVersion, s.Date, s.Revision, string(s.State), name, s.Channel, s.Size, s.object,
			s.Commitment, s.job, meta.Micros(s.ReceivedAt), s.SubmittedBy, s.DuplicateOf, flag(n.Root), x.nameKey(s.Tenant, n.Name)); err != nil {
			return fmt.Errorf("insert submission: %w", err)
		}
		if a.also != nil {
			if err := a.also(ctx, tx, s); err != nil {
				return err
			}
		}
		if err := x.Tenants.Claim(ctx, tx, s.Tenant); err != nil {
			return err
		}
		return x.Audit.Append(ctx, tx, audit.Entry{Tenant: s.Tenant, Actor: s.SubmittedBy, Verb: "submission.receive", Subject: s.ID, Outcome: "ok",
			Details: map[string]any{"dataset": s.Dataset, "date": s.Date, "name": s.Name, "bytes": s.Size, "channel": s.Channel}})
	}
	err = x.DB.Transact(ctx, insert)
	// Another upload for the same date took the revision meanwhile; each of those
	// under way can do so once.
	for range x.Uploads {
		if !meta.IsUnique(err) {
			break
		}
		err = x.DB.Transact(ctx, insert)
	}
	if err != nil {
		return s, err
	}
	x.Jobs.Wake()
	if err := x.foresee(ctx, &s); err != nil { // it is received all the same
		x.Log.ErrorContext(ctx, "what a file's time means for it is not told", "submission", s.ID, "error", err)
	}
	return s, nil
}

func nameContext(id string) []byte    { return []byte("submission name " + id) }
func verdictContext(id string) []byte { return []byte("submission verdict " + id) }

const submissionColumns = `id, tenant, dataset, dataset_version, date, revision, state, name, channel, size, row_count, column_count, error_count,
	verdict, object, accepted_object, commitment, job, received_at, validated_at, closed_at, deleted_at, deleted_for, submitted_by, duplicate_of`

// listedColumns are submissionColumns without the verdict, which may be long and is
// not opened in lists.
var listedColumns = strings.Replace(submissionColumns, "verdict", "NULL", 1)

type scanner interface{ Scan(...any) error }

// scan reads a row, opening the name (pooled metadata, which the provider's
// people read too) but not the verdict.
func (x *Exchange) scan(ctx context.Context, row scanner) (Submission, error) {
	var s Submission
	var name []byte
	var received int64
	var rows, columns, problems, validated, closed, deleted sql.NullInt64
	if err := row.Scan(&s.ID, &s.Tenant, &s.Dataset, &s.DatasetVersion, &s.Date, &s.Revision, &s.State, &name, &s.Channel, &s.Size,
		&rows, &columns, &problems, &s.verdict, &s.object, &s.accepted, &s.Commitment, &s.job, &received, &validated, &closed, &deleted, &s.DeletedFor, &s.SubmittedBy, &s.DuplicateOf); err != nil {
		return s, err
	}
	s.Rows, s.Columns, s.ErrorCount = number(rows), number(columns), number(problems)
	s.ReceivedAt, s.ValidatedAt, s.ClosedAt, s.DeletedAt = meta.Time(received), meta.Moment(validated), meta.Moment(closed), meta.Moment(deleted)
	plain, err := x.Keys.Decrypt(ctx, s.Tenant, keys.Pool, name, nameContext(s.ID))
	if err != nil {
		return s, fmt.Errorf("open name of %s: %w", s.ID, err)
	}
	s.Name = string(plain)
	return s, nil
}

func number(n sql.NullInt64) *int64 {
	if !n.Valid {
		return nil
	}
	return &n.Int64
}

func (x *Exchange) find(ctx context.Context, db *meta.DB, id tenant.ID, submission string) (Submission, error) {
	s, err := x.scan(ctx, db.For(id).QueryRow(ctx, `SELECT `+submissionColumns+` FROM submissions WHERE id = $1 AND tenant = $2`, submission, string(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return s, fault.New(fault.NotFound, "There is no submission %q.", submission)
	}
	if err != nil {
		return s, fmt.Errorf("find submission %s: %w", submission, err)
	}
	return s, nil
}

// Submission returns one of the scope's tenant's submissions, with its problems.
func (x *Exchange) Submission(ctx context.Context, scope tenant.Scope, id string) (Submission, error) {
	s, err := x.find(ctx, x.DB, scope.Tenant(), id)
	if err != nil {
		return s, err
	}
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions.One(id)); err != nil {
		return s, err
	}
	if s.verdict != nil {
		plain, err := x.Keys.Decrypt(ctx, s.Tenant, keys.Vault, s.verdict, verdictContext(s.ID))
		if err != nil {
			return s, fmt.Errorf("open verdict of %s: %w", id, err)
		}
		if err := json.Unmarshal(plain, &s.Problems); err != nil {
			return s, fmt.Errorf("decode verdict of %s: %w", id, err)
		}
	}
	if s.object != "" {
		if s.SHA256, _, err = x.Vault.Digest(ctx, scope, s.object); err != nil {
			return s, err
		}
	}
	return s, x.foresee(ctx, &s)
}

// Salt returns the salt of a submission's commitment; NotFound once its bytes
// were deleted.
func (x *Exchange) Salt(ctx context.Context, scope tenant.Scope, id string) ([]byte, error) {
	s, err := x.find(ctx, x.DB, scope.Tenant(), id)
	if err != nil {
		return nil, err
	}
	_, salt, err := x.Vault.Digest(ctx, scope, s.object)
	return salt, err
}

// SubmissionFilter narrows a list; empty fields do not.
type SubmissionFilter struct {
	Dataset, Date string
	State         State
}

// Submissions lists the scope's tenant's submissions, the newest first.
func (x *Exchange) Submissions(ctx context.Context, scope tenant.Scope, f SubmissionFilter, page meta.Page) ([]Submission, string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return nil, "", err
	}
	return x.list(ctx, x.DB.For(scope.Tenant()), scope.Tenant(), f, page)
}

// UnscopedSubmissions lists submissions of all tenants, or of one, as metadata:
// who sent what when, and whether it was accepted, not what is in it.
func (x *Exchange) UnscopedSubmissions(ctx context.Context, id tenant.ID, f SubmissionFilter, page meta.Page) ([]Submission, string, error) {
	return x.list(ctx, x.DB.Unscoped(), id, f, page)
}

// UnscopedSubmission returns one submission's metadata.
func (x *Exchange) UnscopedSubmission(ctx context.Context, id string) (Submission, error) {
	s, err := x.scan(ctx, x.DB.Unscoped().QueryRow(ctx, `SELECT `+submissionColumns+` FROM submissions WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return s, fault.New(fault.NotFound, "There is no submission %q.", id)
	}
	if err != nil {
		return s, fmt.Errorf("find submission %s: %w", id, err)
	}
	return s, x.foresee(ctx, &s)
}

// SubmissionList is how submissions are searched, filtered and sorted.
var SubmissionList = meta.List[Submission]{
	Select: listedColumns, From: "FROM submissions", Order: "-received_at", Key: []meta.Key{{SQL: "id", Kind: meta.Text}},
	Columns: []meta.Column[Submission]{
		{Name: "id", Kind: meta.Ident, SQL: "id", Search: true},
		{Name: "name", Kind: meta.Text, Opened: func(s Submission) string { return s.Name }, Search: true},
		{Name: "dataset", Kind: meta.Text, SQL: "dataset", Search: true, Sort: true},
		{Name: "date", Kind: meta.Text, SQL: "date", Search: true, Sort: true},
		{Name: "state", Kind: meta.Choice, SQL: "state", Values: []string{string(Received), string(Validating), string(Accepted), string(Rejected), string(Superseded), string(Withdrawn)}},
		{Name: "channel", Kind: meta.Choice, SQL: "channel", Values: []string{"web", "sftp", "api", "cli"}},
		{Name: "tenant", Kind: meta.Text, SQL: "t.slug", Within: ofTenant, Search: true},
		{Name: "tenant_name", Kind: meta.Text, SQL: "t.name", Within: ofTenant, Search: true},
		{Name: "submitted_by", Kind: meta.Ident, SQL: "submitted_by"},
		{Name: "size", Kind: meta.Number, SQL: "size", Sort: true},
		{Name: "received_at", Kind: meta.Instant, SQL: "received_at", Sort: true},
	},
}

// ofTenant picks rows by their tenant, and so by what staff call it.
const ofTenant = "tenant IN (SELECT t.id FROM tenants AS t WHERE %s)"

func (x *Exchange) list(ctx context.Context, db *meta.DB, id tenant.ID, f SubmissionFilter, page meta.Page) ([]Submission, string, error) {
	var where meta.Where
	where.AndIs("tenant", string(id))
	where.AndIs("dataset", f.Dataset)
	where.AndIs("date", f.Date)
	where.AndIs("state", string(f.State))
	list, next, err := SubmissionList.Read(ctx, db, &where, page, func(row meta.Scanner) (Submission, error) { return x.scan(ctx, row) })
	if err != nil {
		return nil, "", fmt.Errorf("list submissions: %w", err)
	}
	all := make([]*Submission, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return list, next, x.foresee(ctx, all...)
}

// Content opens the bytes of a submission as they were sent. The reading is in
// the audit log before the first byte is out.
func (x *Exchange) Content(ctx context.Context, scope tenant.Scope, id string) (*vault.Reader, Submission, error) {
	s, err := x.find(ctx, x.DB, scope.Tenant(), id)
	if err != nil {
		return nil, s, err
	}
	if s.object == "" {
		return nil, s, gone("submission", id, s.DeletedAt, s.DeletedFor)
	}
	r, _, err := x.Vault.Open(ctx, scope, s.object)
	if err != nil {
		return nil, s, err
	}
	if err := x.Audit.Record(ctx, audit.Entry{Tenant: s.Tenant, Actor: scope.Actor(), Verb: "submission.read", Subject: id, Outcome: "ok"}); err != nil {
		r.Close()
		return nil, s, err
	}
	return r, s, nil
}
