package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// The channels of what arrives as an Upload.
const (
	SFTP = "sftp"
	Web  = "web"
)

// Folder is where a tenant's files lie for somebody who sees them as files: those of
// one dataset and business date, or the root of input (both empty), where the
// name of a file says what it is for. A file that was submitted in the root is in
// the folder of its dataset and date too.
type Folder struct{ Dataset, Date string }

// Root reports whether the folder is the root of input.
func (f Folder) Root() bool { return f == Folder{} }

// maxListed bounds the files of a folder that are listed, the newest first.
const maxListed = 10_000

// Entry is a file in a folder: a submission, or an upload that is none yet.
type Entry struct {
	Name     string
	Size     int64
	FileTime time.Time // when the sender's file was changed if it said so, otherwise when this one arrived
	// Submission is empty for an upload, and State is then too.
	Submission string
	State      State
	Upload     string
}

// Recognise says what a file in a folder would be submitted for. The error is Invalid
// and says why it would not be: its name is one of those that programs give to
// files that are still being sent, or says nothing, or too little, or too much.
func (x *Exchange) Recognise(ctx context.Context, f Folder, name string) (Folder, error) {
	if err := checkName(name); err != nil {
		return f, err
	}
	if Temporary(name) {
		return f, fault.New(fault.Invalid, "%q is the name of a file that is still being sent. It is submitted once it is renamed.", name)
	}
	if !f.Root() {
		_, err := x.Dataset(ctx, f.Dataset, 0)
		return f, err
	}
	fits, err := x.fitting(ctx, name)
	if err != nil {
		return f, err
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return f, fault.New(fault.Invalid, "No dataset's file names are like %q. Rename it, or put it into /input/DATASET/YYYY-MM-DD/.", name)
	}
	return f, fault.New(fault.Invalid, "%q could be for dataset %q or %q. Put it into /input/DATASET/YYYY-MM-DD/.", name, fits[0].Dataset, fits[1].Dataset)
}

// Temporary reports whether a name is one that programs give to files which they
// rename once all is there: WinSCP, rclone, lftp, rsync, browsers and many scripts.
func Temporary(name string) bool {
	lower := strings.ToLower(name)
	for _, ending := range []string{".filepart", ".part", ".partial", ".tmp", ".temp", ".upload", ".uploading", ".crdownload", ".writing", ".inprogress", "~"} {
		if strings.HasSuffix(lower, ending) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")
}

// every lists the current version of all datasets.
func (x *Exchange) every(ctx context.Context) ([]Dataset, error) {
	var all []Dataset
	page := meta.Page{Limit: 500}
	for {
		list, next, err := x.Datasets(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if next == "" {
			return all, nil
		}
		page.After = next
	}
}

// Files lists what is in a folder of the scope's tenant, by name: of several
// submissions of one name the newest that still has its bytes, and of an upload and a
// submission the upload.
func (x *Exchange) Files(ctx context.Context, scope tenant.Scope, f Folder) ([]Entry, error) {
	return x.files(ctx, scope, f, nil)
}

// FileNamed finds one file in a folder; NotFound if there is none.
func (x *Exchange) FileNamed(ctx context.Context, scope tenant.Scope, f Folder, name string) (Entry, error) {
	list, err := x.files(ctx, scope, f, x.nameKey(scope.Tenant(), name))
	if err != nil {
		return Entry{}, err
	}
	for _, e := range list {
		if e.Name == name {
			return e, nil
		}
	}
	return Entry{}, fault.New(fault.NotFound, "There is no file %q.", name)
}

// files lists a folder, or those of its files that may have the name of a key.
func (x *Exchange) files(ctx context.Context, scope tenant.Scope, f Folder, key []byte) ([]Entry, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return nil, err
	}
	owner := scope.Tenant()
	all := int64(0)
	if key == nil {
		key, all = []byte{}, 1
	}
	rows, err := x.DB.For(owner).Query(ctx, `
		SELECT 0, id, name, size, file_time, changed_at, '' FROM (
			SELECT u.id, u.name, CAST((SELECT COALESCE(SUM(p.size), 0) FROM upload_parts p WHERE p.upload = u.id AND p.tenant = u.tenant) AS BIGINT) AS size, u.file_time, u.changed_at
			FROM uploads u WHERE u.tenant = $1 AND u.channel = 'sftp' AND u.dataset = $2 AND u.date = $3 AND u.submission = '' AND ($4 = 1 OR u.name_key = $5)
		) AS mine
		UNION ALL
		SELECT 1, id, name, size, file_time, received_at, state FROM submissions
		WHERE tenant = $1 AND ($2 = '' AND root = 1 OR dataset = $2 AND date = $3) AND object <> '' AND ($4 = 1 OR name_key = $5 OR name_key IS NULL)
		ORDER BY 1, 6 DESC, 2 DESC LIMIT $6`, string(owner), f.Dataset, f.Date, all, key, int64(maxListed))
	if err != nil {
		return nil, fmt.Errorf("list folder: %w", err)
	}
	var list []Entry
	seen := map[string]bool{}
	for rows.Next() {
		var submitted, size, at int64
		var id, state string
		var sealed []byte
		var fileTime sql.NullInt64
		if err := rows.Scan(&submitted, &id, &sealed, &size, &fileTime, &at, &state); err != nil {
			return nil, fmt.Errorf("list folder: %w", err)
		}
		aad := uploadContext(id)
		if submitted == 1 {
			aad = nameContext(id)
		}
		name, err := x.Keys.Decrypt(ctx, owner, keys.Pool, sealed, aad)
		if err != nil {
			return nil, fmt.Errorf("open name of %s: %w", id, err)
		}
		if seen[string(name)] {
			continue
		}
		seen[string(name)] = true
		e := Entry{Name: string(name), Size: size, FileTime: meta.Time(at), State: State(state)}
		if fileTime.Valid {
			e.FileTime = meta.Time(fileTime.Int64)
		}
		if submitted == 1 {
			e.Submission = id
		} else {
			e.Upload = id
		}
		list = append(list, e)
	}
	return list, nil
}

// FileDates lists the business dates of a dataset for which the scope's tenant has
// files, the newest first.
func (x *Exchange) FileDates(ctx context.Context, scope tenant.Scope, dataset string) ([]string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Submissions); err != nil {
		return nil, err
	}
	owner := scope.Tenant()
	return texts(ctx, x.DB.For(owner), `
		SELECT date FROM submissions WHERE tenant = $1 AND dataset = $2 AND object <> ''
		UNION SELECT date FROM uploads WHERE tenant = $1 AND dataset = $2 AND channel = 'sftp' AND submission = '' AND date <> ''
		ORDER BY 1 DESC LIMIT $3`, string(owner), dataset, int64(maxListed))
}

// ResultAnalyses lists the analyses of which the scope's tenant has results.
func (x *Exchange) ResultAnalyses(ctx context.Context, scope tenant.Scope) ([]string, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Results); err != nil {
		return nil, err
	}
	owner := scope.Tenant()
	return texts(ctx, x.DB.For(owner), `SELECT DISTINCT analysis FROM results WHERE tenant = $1 ORDER BY analysis LIMIT $2`, string(owner), int64(maxListed))
}

func texts(ctx context.Context, db *meta.DB, query string, args ...any) ([]string, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list folder: %w", err)
	}
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("list folder: %w", err)
		}
		list = append(list, text)
	}
	return list, nil
}

// SetFileTime notes when the sender's file was changed, as programs that compare
// times want it.
func (x *Exchange) SetFileTime(ctx context.Context, scope tenant.Scope, e Entry, at time.Time) error {
	if err := scope.Check(ctx, tenant.Write, tenant.Submissions); err != nil {
		return err
	}
	owner, query, id := scope.Tenant(), `UPDATE submissions SET file_time = $1 WHERE id = $2 AND tenant = $3`, e.Submission
	if e.Upload != "" {
		query, id = `UPDATE uploads SET file_time = $1 WHERE id = $2 AND tenant = $3`, e.Upload
	}
	if _, err := x.DB.For(owner).Exec(ctx, query, meta.Micros(at), id, string(owner)); err != nil {
		return fmt.Errorf("set time of %s: %w", id, err)
	}
	return nil
}

// Verdict is what a tenant reads about a submission that has been decided, in a file
// beside the one that it sent: JSON.
func Verdict(s Submission) ([]byte, error) {
	v := struct {
		Submission string    `json:"submission"`
		Dataset    string    `json:"dataset"`
		Version    int64     `json:"dataset_version"`
		Date       string    `json:"date"`
		Revision   int64     `json:"revision"`
		State      State     `json:"state"`
		Late       bool      `json:"late"`
		ReceivedAt time.Time `json:"received_at"`
		Rows       *int64    `json:"rows"`
		Columns    *int64    `json:"columns"`
		ErrorCount *int64    `json:"error_count"`
		Errors     any       `json:"errors"` // the first 100
	}{s.ID, s.Dataset, s.DatasetVersion, s.Date, s.Revision, s.State, s.Late, s.ReceivedAt.UTC(), s.Rows, s.Columns, s.ErrorCount, s.Problems}
	if s.Problems == nil {
		v.Errors = []struct{}{}
	}
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

// ValidDate reports whether a text is a business date.
func ValidDate(text string) bool {
	_, err := contract.ParseDate(text)
	return err == nil
}
