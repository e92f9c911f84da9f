package sftp

import (
	"cmp"
	"io"
	"os"
	"slices"

	"github.com/pkg/sftp"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

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
