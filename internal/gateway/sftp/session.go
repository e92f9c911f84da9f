package sftp

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// session is one SFTP session of a connection: what the library calls.
type session struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the library's requests are ended by their own contexts, and this is the connection's
	scope  tenant.Scope
	who    policy.Principal
	log    *slog.Logger
	end    func() // closes the connection

	mu      sync.Mutex
	results map[string]listing // by analysis
}

// listing is what a folder of results was a moment ago: programs list it and then
// ask for each file.
type listing struct {
	at      time.Time
	results []exchange.Result
}

func (s *session) handlers() sftp.Handlers {
	return sftp.Handlers{FileGet: s, FilePut: s, FileCmd: s, FileList: s}
}

// survive answers a request that the library cannot read, which panics over attributes
// that are cut off, with an error.
func (s *session) survive(err *error) {
	if cause := recover(); cause != nil {
		s.log.Error("request stopped", "cause", cause, "stack", string(debug.Stack()))
		*err = refuse(sftp.ErrSSHFxBadMessage, "the request cannot be read")
	}
}

// Fileread implements sftp.FileReader.
func (s *session) Fileread(r *sftp.Request) (_ io.ReaderAt, err error) {
	defer s.survive(&err)
	closed, err := s.server.opened.handle(s.scope.Tenant())
	if err != nil {
		return nil, err
	}
	f, err := s.read(r.Filepath)
	if err != nil {
		closed()
		return nil, s.answer(err)
	}
	end := f.close
	f.close = func() error {
		closed()
		return end()
	}
	return f, nil
}

func (s *session) read(path string) (*outgoing, error) {
	p, _, err := s.find(path)
	if err != nil {
		return nil, err
	}
	switch {
	case p.name == "":
		return nil, refuse(sftp.ErrSSHFxFailure, "it is a folder")
	case p.store == output:
		res, form, err := s.result(p)
		if err != nil {
			return nil, err
		}
		r, _, err := s.server.Exchange.ResultContent(s.ctx, s.scope, res.ID, form)
		if err != nil {
			return nil, err
		}
		return &outgoing{session: s, r: r, size: r.Size(), close: r.Close}, nil
	}
	if of, _ := p.verdict(); of != "" {
		text, _, err := s.said(p)
		if err != nil {
			return nil, err
		}
		return &outgoing{session: s, r: bytes.NewReader(text), size: int64(len(text)), close: func() error { return nil }}, nil
	}
	e, err := s.server.Exchange.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	if err != nil {
		return nil, err
	}
	if e.Submission == "" {
		return nil, refuse(sftp.ErrSSHFxPermissionDenied, "the file has not arrived as a whole; it can be read once it is submitted")
	}
	r, _, err := s.server.Exchange.Content(s.ctx, s.scope, e.Submission)
	if err != nil {
		return nil, err
	}
	return &outgoing{session: s, r: r, size: r.Size(), close: r.Close}, nil
}

// Filewrite implements sftp.FileWriter.
func (s *session) Filewrite(r *sftp.Request) (_ io.WriterAt, err error) {
	defer s.survive(&err)
	closed, err := s.server.opened.handle(s.scope.Tenant())
	if err != nil {
		return nil, err
	}
	f, err := s.write(r.Filepath, r.Pflags())
	if err != nil {
		closed()
		return nil, s.answer(err)
	}
	f.closed = closed
	return f, nil
}

func (s *session) write(path string, flags sftp.FileOpenFlags) (*incoming, error) {
	p, err := s.target(path)
	if err != nil {
		return nil, err
	}
	x := s.server.Exchange
	if !p.folder().Root() {
		if _, err := x.Dataset(s.ctx, p.dataset, 0); err != nil {
			return nil, err
		}
	}
	f := &incoming{session: s, place: p}
	s.server.opened.add(context.WithoutCancel(s.ctx), f, !flags.Trunc)
	there, err := x.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	switch {
	case err == nil && flags.Excl:
		err = refuse(sftp.ErrSSHFxFailure, "there is a file of this name already")
	case fault.Is(err, fault.NotFound) && flags.Creat:
		err = nil
	}
	if err == nil && there.Upload != "" && flags.Trunc {
		err = x.DropUpload(s.ctx, s.scope, there.Upload)
	}
	if err != nil {
		s.server.opened.remove(f)
		return nil, err
	}
	if !flags.Trunc {
		f.base, f.next = there, there.Size
	}
	return f, nil
}

// target is the place that a path names for something to be written.
func (s *session) target(path string) (place, error) {
	all := places(path)
	if len(all) == 0 {
		return place{}, refuse(sftp.ErrSSHFxNoSuchFile, "files go into /input or /input/DATASET/YYYY-MM-DD")
	}
	p := all[len(all)-1]
	of, _ := p.verdict()
	switch {
	case p.store == output:
		return p, errReadOnly
	case p.name == "":
		return p, errFolders
	case of != "":
		return p, errReserved
	}
	return p, nil
}

// submitted is told of each file that was submitted.
func (s *session) submitted(ctx context.Context, sub exchange.Submission) {
	s.server.counted.files.Add(ctx, 1)
	s.server.counted.bytes.Add(ctx, sub.Size)
	s.log.Info("submission", "submission", sub.ID, "dataset", sub.Dataset, "date", sub.Date, "bytes", sub.Size)
}

// Filecmd implements sftp.FileCmder.
func (s *session) Filecmd(r *sftp.Request) (err error) {
	defer s.survive(&err)
	switch r.Method {
	case "Setstat":
		err = s.setstat(r)
	case "Rename":
		err = s.rename(r.Filepath, r.Target, false)
	case "Remove":
		err = s.remove(r.Filepath)
	case "Mkdir":
		err = s.mkdir(r.Filepath)
	case "Rmdir":
		err = s.rmdir(r.Filepath)
	case "Link", "Symlink":
		err = errLinks
	default:
		err = refuse(sftp.ErrSSHFxOpUnsupported, "the server does not do that")
	}
	return s.answer(err)
}

// PosixRename implements sftp.PosixRenameFileCmder.
func (s *session) PosixRename(r *sftp.Request) (err error) {
	defer s.survive(&err)
	return s.answer(s.rename(r.Filepath, r.Target, true))
}

// setstat takes the time of a file, since programs compare it, and passes over
// owners and permissions, which files here do not have.
func (s *session) setstat(r *sftp.Request) error {
	p, at, err := s.find(r.Filepath)
	if err != nil {
		return err
	}
	flags, attributes := r.AttrFlags(), r.Attributes()
	if flags.Size && int64(attributes.Size) != at.Size() { //nolint:gosec // no file is that large
		return refuse(sftp.ErrSSHFxOpUnsupported, "a file cannot be cut off; send it anew")
	}
	if !flags.Acmodtime || p.store != input || p.name == "" {
		return nil
	}
	when := time.Unix(int64(attributes.Mtime), 0)
	if f := s.server.opened.find(s.scope.Tenant(), p); f != nil {
		f.setTime(when)
		return nil
	}
	if of, _ := p.verdict(); of != "" {
		return nil
	}
	e, err := s.server.Exchange.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	if err != nil {
		return err
	}
	return s.server.Exchange.SetFileTime(s.ctx, s.scope, e, when)
}

// rename gives an upload its name, and submits it if that says what it is for.
func (s *session) rename(from, to string, replace bool) error {
	source, _, err := s.find(from)
	if err != nil {
		return err
	}
	target, err := s.target(to)
	if err != nil {
		return err
	}
	of, _ := source.verdict()
	if source.store != input || source.name == "" || of != "" {
		return refuse(sftp.ErrSSHFxPermissionDenied, "it cannot be renamed")
	}
	x := s.server.Exchange
	if s.server.opened.find(s.scope.Tenant(), source) != nil {
		return refuse(sftp.ErrSSHFxFailure, "the file is still being written")
	}
	e, err := x.FileNamed(s.ctx, s.scope, source.folder(), source.name)
	if err != nil {
		return err
	}
	if e.Submission != "" {
		return refuse(sftp.ErrSSHFxPermissionDenied, fmt.Sprintf("the file is submission %s already; send it again under the other name", e.Submission))
	}
	there, err := x.FileNamed(s.ctx, s.scope, target.folder(), target.name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if there.Upload != "" && there.Upload != e.Upload {
		if !replace {
			return refuse(sftp.ErrSSHFxFailure, "there is a file of this name already")
		}
		if err := x.DropUpload(s.ctx, s.scope, there.Upload); err != nil {
			return err
		}
	}
	folder, err := x.Recognise(s.ctx, target.folder(), target.name)
	if fault.Is(err, fault.Invalid) {
		return x.RenameUpload(s.ctx, s.scope, e.Upload, target.folder(), target.name)
	}
	if err != nil {
		return err
	}
	u, err := x.Upload(s.ctx, s.scope, e.Upload)
	if err != nil {
		return err
	}
	sub, err := x.SubmitUpload(s.ctx, s.scope, u, submission(folder, target, u.Size))
	if err == nil {
		s.submitted(s.ctx, sub)
	}
	return err
}

func (s *session) remove(path string) error {
	p, _, err := s.find(path)
	if err != nil {
		return err
	}
	of, _ := p.verdict()
	switch {
	case p.store == output:
		return errReadOnly
	case p.name == "":
		return errFolders
	case of != "":
		return errReserved
	}
	e, err := s.server.Exchange.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	if err != nil {
		return err
	}
	if e.Upload != "" {
		return s.server.Exchange.DropUpload(s.ctx, s.scope, e.Upload)
	}
	if err := s.server.Policy.Allow(s.ctx, s.who, policy.SubmissionDelete, policy.Resource{Type: "submission", Tenant: s.scope.Tenant(), ID: e.Submission}); err != nil {
		return err
	}
	_, err = s.server.Exchange.Delete(s.ctx, s.scope, e.Submission)
	return err
}

// mkdir makes nothing: the folders of all datasets and dates are there.
func (s *session) mkdir(path string) error {
	p, _, err := s.find(path)
	if err == nil && p.name == "" && p.store != output {
		return nil
	}
	if err == nil || fault.Is(err, fault.NotFound) {
		return errFolders
	}
	return err
}

// rmdir removes nothing: an empty folder is not listed.
func (s *session) rmdir(path string) error {
	p, _, err := s.find(path)
	if err != nil {
		return err
	}
	if p.store != input || p.date == "" || p.name != "" {
		return errFolders
	}
	list, err := s.server.Exchange.Files(s.ctx, s.scope, p.folder())
	if err == nil && len(list) > 0 {
		err = refuse(sftp.ErrSSHFxFailure, "the folder is not empty")
	}
	return err
}

// Filelist implements sftp.FileLister.
func (s *session) Filelist(r *sftp.Request) (_ sftp.ListerAt, err error) {
	defer s.survive(&err)
	switch r.Method {
	case "List":
		closed, err := s.server.opened.handle(s.scope.Tenant())
		if err != nil {
			return nil, err
		}
		list, err := s.list(r.Filepath)
		if err != nil {
			closed()
			return nil, s.answer(err)
		}
		return &folder{list, closed}, nil
	case "Stat":
		_, at, err := s.find(r.Filepath)
		return entries{at}, s.answer(err)
	}
	return nil, errLinks
}

// Lstat implements sftp.LstatFileLister; there are no links.
func (s *session) Lstat(r *sftp.Request) (_ sftp.ListerAt, err error) {
	defer s.survive(&err)
	_, at, err := s.find(r.Filepath)
	return entries{at}, s.answer(err)
}

// entries is a list that the library takes piece by piece.
type entries []os.FileInfo

// ListAt implements sftp.ListerAt.
func (e entries) ListAt(to []os.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(e)) {
		return 0, io.EOF
	}
	n := copy(to, e[offset:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// folder is one that is open.
type folder struct {
	entries
	closed func()
}

// Close implements io.Closer.
func (f *folder) Close() error {
	f.closed()
	return nil
}

// find says what a path names, and describes it.
func (s *session) find(path string) (place, os.FileInfo, error) {
	err := fault.New(fault.NotFound, "There is no such file.")
	for _, p := range places(path) {
		var at os.FileInfo
		if at, err = s.stat(p); err == nil {
			return p, at, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return p, nil, err
		}
	}
	return place{}, nil, err
}

func (s *session) stat(p place) (os.FileInfo, error) {
	x := s.server.Exchange
	switch {
	case p.store == "":
		return s.folderInfo("/", 0o500), nil
	case p.store == output && p.analysis == "":
		return s.folderInfo(output, 0o500), nil
	case p.store == output && p.name == "":
		list, err := x.ResultAnalyses(s.ctx, s.scope)
		if err == nil && !slices.Contains(list, p.analysis) {
			err = fault.New(fault.NotFound, "There is no such folder.")
		}
		return s.folderInfo(p.analysis, 0o500), err
	case p.store == output:
		res, form, err := s.result(p)
		return resultInfo(res, form), err
	case p.name == "" && p.dataset == "":
		return s.folderInfo(input, 0o700), nil
	case p.name == "":
		_, err := x.Dataset(s.ctx, p.dataset, 0)
		return s.folderInfo(cmp.Or(p.date, p.dataset), 0o700), err
	}
	if f := s.server.opened.find(s.scope.Tenant(), p); f != nil {
		return info{p.name, f.size(), 0o600, s.server.Clock.Now()}, nil
	}
	if of, _ := p.verdict(); of != "" {
		text, at, err := s.said(p)
		return info{p.name, int64(len(text)), 0o400, at}, err
	}
	e, err := x.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	return info{e.Name, e.Size, 0o600, e.FileTime}, err
}

func (s *session) folderInfo(name string, mode os.FileMode) info {
	return info{name, 0, os.ModeDir | mode, s.server.Clock.Now()}
}

// list lists a folder.
func (s *session) list(path string) ([]os.FileInfo, error) {
	p, _, err := s.find(path)
	if err != nil {
		return nil, err
	}
	x := s.server.Exchange
	var list []os.FileInfo
	folders := func(names []string, mode os.FileMode, err error) ([]os.FileInfo, error) {
		for _, name := range names {
			list = append(list, s.folderInfo(name, mode))
		}
		return list, err
	}
	switch {
	case p.name != "":
		return nil, refuse(sftp.ErrSSHFxFailure, "it is not a folder")
	case p.store == "":
		return []os.FileInfo{s.folderInfo(input, 0o700), s.folderInfo(output, 0o500)}, nil
	case p.store == output && p.analysis == "":
		names, err := x.ResultAnalyses(s.ctx, s.scope)
		return folders(names, 0o500, err)
	case p.store == output:
		return s.listResults(p.analysis)
	case p.dataset != "" && p.date == "":
		names, err := x.FileDates(s.ctx, s.scope, p.dataset)
		return folders(names, 0o700, err)
	case p.dataset == "":
		names, err := s.datasets()
		if _, err := folders(names, 0o700, err); err != nil {
			return nil, err
		}
	}
	found, err := x.Files(s.ctx, s.scope, p.folder())
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		list = append(list, info{e.Name, e.Size, 0o600, e.FileTime})
		beside := p
		switch {
		case e.State == exchange.Accepted:
			beside.name = e.Name + accepted
		case e.State == exchange.Rejected:
			beside.name = e.Name + rejected
		case e.Upload != "":
			beside.name = e.Name + waiting
		default:
			continue
		}
		text, at, err := s.saidOf(e, p, beside.name)
		if fault.Is(err, fault.NotFound) {
			continue // a name that says that the file is still being sent
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info{beside.name, int64(len(text)), 0o400, at})
	}
	return list, nil
}

func (s *session) datasets() ([]string, error) {
	var names []string
	page := meta.Page{Limit: 500}
	for {
		list, next, err := s.server.Exchange.Datasets(s.ctx, page)
		for _, d := range list {
			names = append(names, d.Name)
		}
		if err != nil || next == "" {
			return names, err
		}
		page.After = next
	}
}

// said returns the file of what the server says of another.
func (s *session) said(p place) ([]byte, time.Time, error) {
	of, _ := p.verdict()
	e, err := s.server.Exchange.FileNamed(s.ctx, s.scope, p.folder(), of)
	if err != nil {
		return nil, time.Time{}, err
	}
	return s.saidOf(e, p, p.name)
}

func (s *session) saidOf(e exchange.Entry, p place, name string) ([]byte, time.Time, error) {
	none := fault.New(fault.NotFound, "There is no such file.")
	if e.Upload != "" {
		_, why := s.server.Exchange.Recognise(s.ctx, p.folder(), e.Name)
		if name != e.Name+waiting || exchange.Temporary(e.Name) {
			return nil, e.FileTime, none
		}
		text := "The connection ended before all of the file arrived. Go on with it (put -a), or send it again."
		if why != nil {
			text = fault.Message(why)
		}
		return fmt.Appendf(nil, "{\n  \"upload\": %q,\n  \"bytes\": %d,\n  \"reason\": %q\n}\n", e.Upload, e.Size, text), e.FileTime, nil
	}
	if name != e.Name+"."+string(e.State)+".json" {
		return nil, e.FileTime, none
	}
	sub, err := s.server.Exchange.Submission(s.ctx, s.scope, e.Submission)
	if err != nil {
		return nil, e.FileTime, err
	}
	text, err := exchange.Verdict(sub)
	at := sub.ReceivedAt
	if sub.ValidatedAt != nil {
		at = *sub.ValidatedAt
	}
	return text, at, err
}

// resultForms are the two files of a result.
var resultForms = map[string]exchange.Form{".csv": exchange.CSV, ".parquet": exchange.Parquet}

// resultsOf lists the results of an analysis, the newest first.
func (s *session) resultsOf(analysis string) ([]exchange.Result, error) {
	now := s.server.Clock.Now()
	s.mu.Lock()
	known := s.results[analysis]
	s.mu.Unlock()
	if age := now.Sub(known.at); age >= 0 && age < time.Second {
		return known.results, s.scope.Check(s.ctx, tenant.Read, tenant.Results)
	}
	var all []exchange.Result
	page := meta.Page{Limit: 500}
	for len(all) < maxResults {
		list, next, err := s.server.Exchange.Results(s.ctx, s.scope, exchange.ResultFilter{Analysis: analysis}, page)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); next == "" {
			break
		}
		page.After = next
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil {
		s.results = map[string]listing{}
	}
	s.results[analysis] = listing{now, all}
	return all, nil
}

// maxResults bounds the results of an analysis that are listed, the newest first.
const maxResults = 10_000

// result finds the newest result with a file's name.
func (s *session) result(p place) (exchange.Result, exchange.Form, error) {
	list, err := s.resultsOf(p.analysis)
	if err != nil {
		return exchange.Result{}, "", err
	}
	for ending, form := range resultForms {
		name, ok := strings.CutSuffix(p.name, ending)
		if !ok {
			continue
		}
		for _, r := range list {
			if r.Name == name && r.State() != exchange.Deleted {
				return r, form, nil
			}
		}
	}
	return exchange.Result{}, "", fault.New(fault.NotFound, "There is no such file.")
}

func resultInfo(r exchange.Result, form exchange.Form) info {
	return info{r.Name + "." + string(form), r.SizeOf(form), 0o400, r.CreatedAt}
}

func (s *session) listResults(analysis string) ([]os.FileInfo, error) {
	all, err := s.resultsOf(analysis)
	if err != nil {
		return nil, err
	}
	var list []os.FileInfo
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.Name] || r.State() == exchange.Deleted {
			continue
		}
		seen[r.Name] = true
		if r.State() == exchange.Recalled { // nor one before it in its place; who opens it reads why
			continue
		}
		list = append(list, resultInfo(r, exchange.CSV), resultInfo(r, exchange.Parquet))
	}
	return list, nil
}
