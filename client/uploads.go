package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	pieceSize = 256 << 20 // most bytes of one request; the server keeps them all, or those that arrived before the connection broke
	maxLost   = 10        // requests of a resumable upload that fail one after the other before it gives up
)

// WebUploadFilter narrows the list of resumable uploads.
type WebUploadFilter struct {
	Page
	Dataset string
	Date    string // YYYY-MM-DD
	Name    string
}

func (f WebUploadFilter) from(cursor string) WebUploadFilter { f.After = cursor; return f }
func (f WebUploadFilter) limited(n int) WebUploadFilter      { f.Page = f.Page.limited(n); return f }

// WebUploads lists a page of the tenant's resumable uploads, the newest first: those
// on their way, and those that were submitted in the last week.
func (c *Client) WebUploads(ctx context.Context, f WebUploadFilter) (List[WebUpload], error) {
	return get[List[WebUpload]](ctx, c, "/uploads", f.values().text("dataset", f.Dataset).text("date", f.Date).text("name", f.Name))
}

// WebUpload finds a resumable upload.
func (c *Client) WebUpload(ctx context.Context, upload string) (WebUpload, error) {
	return get[WebUpload](ctx, c, "/uploads/"+id(upload), nil)
}

// Recognise says what files would be taken for by their names, before they are sent.
func (c *Client) Recognise(ctx context.Context, files []FileToRecognise) (List[RecognisedFile], error) {
	return post[List[RecognisedFile]](ctx, c, "/uploads/recognise", FilesToRecognise{files})
}

// DropWebUpload ends a resumable upload; what arrived of it is gone.
func (c *Client) DropWebUpload(ctx context.Context, upload string) error {
	req, err := c.tus(ctx, http.MethodDelete, "/uploads/"+id(upload), nil)
	if err != nil {
		return err
	}
	res, err := c.once(ctx, req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// SubmitResumable sends a file, which must be an io.ReadSeeker, as Submit does, and
// goes on where it was when the connection breaks or the server is away for a moment.
// When it fails or its context ends, what has arrived is kept for a week: called again
// with the same file, also by another process, it goes on from there. A dataset and
// date that are not said are read from the file's name.
func (c *Client) SubmitResumable(ctx context.Context, u Upload) (Submission, error) {
	file, ok := u.Body.(io.ReadSeeker)
	if !ok {
		return Submission{}, errors.New("a file that cannot be read twice cannot be sent so that it can be gone on with")
	}
	size, digest, err := measure(ctx, file, file, u.Hashing)
	if err != nil {
		return Submission{}, err
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return Submission{}, fmt.Errorf("read file: %w", err)
	}
	sum, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(digest, "sha-256=:"), ":"))
	if err != nil {
		return Submission{}, err
	}
	s := &sending{c: c, upload: u, file: file, start: start, size: size}
	if s.at, err = s.find(ctx, hex.EncodeToString(sum)); err == nil && s.at.ID == "" {
		s.at, err = s.create(ctx, hex.EncodeToString(sum))
	}
	for lost := 0; err == nil && s.at.Submission == ""; {
		before := s.at.Offset
		failed := s.piece(ctx)
		if failed == nil {
			lost = 0
			continue
		}
		if lost++; lost > maxLost || !passing(failed) || ctx.Err() != nil {
			return Submission{}, failed
		}
		if err = sleep(ctx, c.wait(failed, lost)); err != nil {
			break
		}
		if failed = s.look(ctx); failed != nil && !passing(failed) {
			return Submission{}, failed
		}
		if s.at.Offset > before {
			lost = 0
		}
	}
	if err != nil {
		return Submission{}, err
	}
	return c.Submission(ctx, s.at.Submission)
}

// sending is a resumable upload on its way.
type sending struct {
	c           *Client
	upload      Upload
	file        io.ReadSeeker
	start, size int64
	at          WebUpload
}

// find looks for an upload of the same file that was not finished.
func (s *sending) find(ctx context.Context, sum string) (WebUpload, error) {
	for w, err := range All(ctx, s.c.WebUploads, WebUploadFilter{Dataset: s.upload.Dataset, Date: s.upload.Date, Name: s.upload.Name}) {
		if err != nil {
			return w, err
		}
		if w.Submission == "" && w.Length == s.size && w.SHA256 == sum {
			return w, nil
		}
	}
	return WebUpload{}, nil
}

func (s *sending) create(ctx context.Context, sum string) (WebUpload, error) {
	var pairs []string
	for _, p := range [][2]string{{"filename", s.upload.Name}, {"dataset", s.upload.Dataset}, {"date", s.upload.Date}, {"sha256", sum}} {
		if p[1] != "" {
			pairs = append(pairs, p[0]+" "+base64.StdEncoding.EncodeToString([]byte(p[1])))
		}
	}
	req, err := s.c.tus(ctx, http.MethodPost, "/uploads", nil)
	if err != nil {
		return WebUpload{}, err
	}
	req.Header.Set("Upload-Length", strconv.FormatInt(s.size, 10))
	req.Header.Set("Upload-Metadata", strings.Join(pairs, ","))
	res, err := s.c.once(ctx, req)
	if err != nil {
		return WebUpload{}, err
	}
	defer res.Body.Close()
	return WebUpload{ID: res.Header.Get("Location")[strings.LastIndexByte(res.Header.Get("Location"), '/')+1:], Length: s.size}, nil
}

// piece sends the next bytes.
func (s *sending) piece(ctx context.Context) error {
	from := s.at.Offset
	if _, err := s.file.Seek(s.start+from, io.SeekStart); err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	n := min(s.size-from, s.c.piece)
	body := &outgoing{r: s.file, left: n, size: n}
	if s.upload.Sending != nil {
		body.progress = func(done, _ int64) { s.upload.Sending(from+done, s.size) }
	}
	req, err := s.c.tus(ctx, http.MethodPatch, "/uploads/"+id(s.at.ID), body)
	if err != nil {
		return err
	}
	req.ContentLength = n
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	req.Header.Set("Upload-Offset", strconv.FormatInt(from, 10))
	req.Header.Set("Expect", "100-continue")
	return s.answered(s.c.once(ctx, req))
}

// look asks how much the server has.
func (s *sending) look(ctx context.Context) error {
	req, err := s.c.tus(ctx, http.MethodHead, "/uploads/"+id(s.at.ID), nil)
	if err != nil {
		return err
	}
	return s.answered(s.c.once(ctx, req))
}

func (s *sending) answered(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	offset, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 || offset > s.size {
		return fmt.Errorf("%s says that it has %q bytes of %d", s.c.base, res.Header.Get("Upload-Offset"), s.size)
	}
	s.at.Offset, s.at.Submission = offset, res.Header.Get("Tributary-Submission")
	if offset == s.size && s.at.Submission == "" {
		return fmt.Errorf("%s has all of the file and does not say what became of it", s.c.base)
	}
	return nil
}

// tus makes a request of the tus protocol.
func (c *Client) tus(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := c.request(ctx, request{method: method, path: path}, body)
	if err == nil {
		req.Header.Set("Tus-Resumable", "1.0.0")
	}
	return req, err
}

// passing reports whether an error may pass, so that an upload can go on.
func passing(err error) bool {
	var answered *Error
	if errors.As(err, &answered) {
		switch answered.Status {
		case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var gone *UnreachableError
	return errors.As(err, &gone)
}

// wait is how long to wait after a request that failed.
func (c *Client) wait(err error, try int) time.Duration {
	var answered *Error
	if errors.As(err, &answered) && answered.RetryAfter > 0 {
		return min(answered.RetryAfter, maxPause)
	}
	return min(c.pause(try), maxPause)
}
