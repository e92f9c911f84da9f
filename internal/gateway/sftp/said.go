package sftp

import (
	"fmt"
	"os"
	"strings"
	"time"

	"tributary/internal/exchange"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/tenant"
)

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
		} else if u, err := s.server.Exchange.Upload(s.ctx, s.scope, e.Upload); err == nil && u.Arrived() {
			text = "All of the file arrived, but it could not be submitted. Rename it, to the same name if you like, and it is."
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
	if len(all) == 0 { // no such analysis
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil || len(s.results) >= 4 {
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
