package sftp

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// session is one SFTP session of a connection: what the library calls.
type session struct {
	server *Server
	ctx    context.Context //nolint:containedctx // the library's requests are ended by their own contexts, and this is the connection's
	scope  tenant.Scope
	who    policy.Principal
	began  time.Time // of the connection
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
	f, err := s.write(r.Filepath, r.Pflags(), closed)
	if err != nil {
		closed()
		return nil, s.answer(err)
	}
	return f, nil
}

func (s *session) write(path string, flags sftp.FileOpenFlags, closed func()) (*incoming, error) {
	p, err := s.target(path)
	if err != nil {
		return nil, err
	}
	x, owner := s.server.Exchange, s.scope.Tenant()
	if err := s.scope.Check(s.ctx, tenant.Write, tenant.Submissions); err != nil {
		return nil, err
	}
	if s.server.Clock.Now().Sub(s.began) > oldest {
		return nil, refuse(sftp.ErrSSHFxFailure, "the connection is too old to begin a file; connect again")
	}
	defer s.server.opened.enter(openedKey{owner, p})()
	if flags.Excl {
		_, err := x.FileNamed(s.ctx, s.scope, p.folder(), p.name)
		if err == nil || s.server.opened.find(owner, p) != nil {
			return nil, refuse(sftp.ErrSSHFxFailure, "there is a file of this name already")
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	if err := s.settled(p); err != nil {
		return nil, err
	}
	f := &incoming{session: s, place: p, closed: closed}
	s.server.opened.add(context.WithoutCancel(s.ctx), f, !flags.Trunc)
	there, err := x.FileNamed(s.ctx, s.scope, p.folder(), p.name)
	if fault.Is(err, fault.NotFound) && flags.Creat {
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
		f.on(there, flags.Append)
	}
	return f, nil
}

// settled sees to it that nothing of a file waits to be kept.
func (s *session) settled(p place) error {
	if f := s.server.opened.find(s.scope.Tenant(), p); f != nil && !f.retry(context.WithoutCancel(s.ctx)) {
		return errWaits
	}
	return nil
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
	dataset := p.dataset
	if p.folder().Root() {
		dataset = p.name
	}
	_, err := s.server.Exchange.Dataset(s.ctx, dataset, 0)
	if p.folder().Root() {
		if err == nil {
			return p, refuse(sftp.ErrSSHFxFailure, "that is the folder of a dataset; put the file into a folder of a date in it")
		}
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
	}
	return p, err
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
	f := s.server.opened.find(s.scope.Tenant(), p)
	if size := int64(attributes.Size); flags.Size && size != at.Size() && (f == nil || !f.whole(size)) {
		return refuse(sftp.ErrSSHFxOpUnsupported, "a file cannot be cut off; send it anew")
	}
	if !flags.Acmodtime || p.store != input || p.name == "" {
		return nil
	}
	when := time.Unix(int64(attributes.Mtime), 0)
	if f != nil {
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
	x, owner := s.server.Exchange, s.scope.Tenant()
	both := []openedKey{{owner, source}, {owner, target}}
	slices.SortFunc(both, func(a, b openedKey) int {
		return cmp.Or(cmp.Compare(a.place.dataset, b.place.dataset), cmp.Compare(a.place.date, b.place.date), cmp.Compare(a.place.name, b.place.name))
	})
	for _, k := range slices.Compact(both) {
		defer s.server.opened.enter(k)()
		if err := s.settled(k.place); err != nil {
			return err
		}
		if s.server.opened.find(owner, k.place) != nil {
			return refuse(sftp.ErrSSHFxFailure, "the file is still being written")
		}
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
		if !replace { // what is there goes with the rename, not before
			return refuse(sftp.ErrSSHFxFailure, "there is a file of this name already")
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
	u.Folder, u.Name = target.folder(), target.name
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
