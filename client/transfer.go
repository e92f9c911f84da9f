package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Progress is told of a transfer while it goes on: bytes done, and how many there
// will be, -1 if that is not known. It is called from one goroutine at a time.
type Progress func(done, total int64)

// Upload is a file to submit.
type Upload struct {
	Dataset string
	Date    string // the business date, YYYY-MM-DD
	Name    string // the file's name, without folders
	// Body is the file. If it is an io.Seeker it is read twice: first for its
	// SHA-256, which the server then checks what arrives against.
	Body io.Reader
	// Hashing and Sending are told of the two passes; either may be nil.
	Hashing, Sending Progress
}

// errChanged is about a file that was written to while it was being sent.
var errChanged = errors.New("the file changed while it was being sent; nothing was kept")

// Submit sends a file. It returns once the server has it safe; what the server
// thinks of it comes later, see WaitSubmission. It is never sent twice.
func (c *Client) Submit(ctx context.Context, u Upload) (Submission, error) {
	var none Submission
	size, digest := int64(-1), ""
	if seeker, ok := u.Body.(io.Seeker); ok {
		var err error
		if size, digest, err = measure(ctx, u.Body, seeker, u.Hashing); err != nil {
			return none, err
		}
	}
	query := params{}.text("dataset", u.Dataset).text("date", u.Date).text("name", u.Name)
	body := &outgoing{r: u.Body, left: size, size: size, progress: u.Sending}
	var res *http.Response
	for try := 1; ; try++ {
		req, err := c.request(ctx, request{method: http.MethodPost, path: "/submissions", query: query, contentType: "application/octet-stream"}, body)
		if err != nil {
			return none, err
		}
		// The server says whether to go on before the file is sent for nothing.
		req.Header.Set("Expect", "100-continue")
		req.Header.Set("Tributary-Channel", c.channel)
		if size >= 0 {
			req.ContentLength = size
			req.Header.Set("Content-Digest", digest)
		}
		if size == 0 {
			req.Body = http.NoBody
		}
		if res, err = c.once(ctx, req); err == nil {
			break
		}
		// A connection that the server closed meanwhile is found out only now. As
		// long as nothing of the file has left, another one can be tried.
		var gone *UnreachableError
		if !errors.As(err, &gone) || body.done > 0 || size == 0 || try == 3 || ctx.Err() != nil {
			return none, err
		}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return none, c.unreachable(ctx, err)
	}
	var sub Submission
	if err := json.Unmarshal(raw, &sub); err != nil {
		return none, fmt.Errorf("read answer to the submission: %w", err)
	}
	if c.answer != nil {
		c.answer(raw)
	}
	return sub, nil
}

// measure reads a file once from where it stands, for its size and digest, and
// goes back there.
func measure(ctx context.Context, r io.Reader, s io.Seeker, progress Progress) (size int64, digest string, err error) {
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, "", fmt.Errorf("read file: %w", err)
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = s.Seek(start, io.SeekStart)
	}
	if err != nil {
		return 0, "", fmt.Errorf("read file: %w", err)
	}
	h := sha256.New()
	counted := &outgoing{r: r, left: -1, size: end - start, progress: progress, ctx: ctx}
	if size, err = io.CopyBuffer(h, counted, make([]byte, 1<<20)); err != nil {
		var local *localError
		if errors.As(err, &local) {
			err = local.Err
		}
		return 0, "", err
	}
	if _, err = s.Seek(start, io.SeekStart); err != nil {
		return 0, "", fmt.Errorf("read file: %w", err)
	}
	return size, "sha-256=:" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + ":", nil
}

// outgoing is a file being read, to the size that was announced and no more.
type outgoing struct {
	r        io.Reader
	left     int64 // of the size announced; negative: not announced
	size     int64
	done     int64
	progress Progress
	ctx      context.Context //nolint:containedctx // lives for one transfer only
}

func (o *outgoing) Read(p []byte) (int, error) {
	if o.ctx != nil && o.ctx.Err() != nil {
		return 0, o.ctx.Err()
	}
	if o.left == 0 {
		return 0, io.EOF
	}
	if o.left > 0 && int64(len(p)) > o.left {
		p = p[:o.left]
	}
	n, err := o.r.Read(p)
	o.done += int64(n)
	if o.left > 0 {
		o.left -= int64(n)
		if o.left > 0 && errors.Is(err, io.EOF) {
			return n, &localError{errChanged}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &localError{fmt.Errorf("read file: %w", err)}
	}
	if n > 0 && o.progress != nil {
		o.progress(o.done, o.size)
	}
	return n, err
}

// Download says what was downloaded.
type Download struct {
	Name string // the file's name as the server gives it: not to be trusted as a path
	Size int64
}

// download writes a file to w as it comes. A file that ends early is an error,
// whatever was written by then.
func (c *Client) download(ctx context.Context, path string, query params, w io.Writer, progress Progress) (Download, error) {
	res, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return Download{}, err
	}
	defer res.Body.Close()
	d := Download{Name: nameIn(res.Header.Get("Content-Disposition"))}
	in := &incoming{r: res.Body, size: res.ContentLength, progress: progress}
	d.Size, err = io.CopyBuffer(struct{ io.Writer }{w}, in, make([]byte, 256<<10))
	switch {
	case in.failed != nil:
		return d, c.unreachable(ctx, fmt.Errorf("the download ended after %d bytes: %w", d.Size, in.failed))
	case err != nil:
		return d, fmt.Errorf("write download: %w", err)
	case res.ContentLength >= 0 && d.Size != res.ContentLength:
		return d, c.unreachable(ctx, fmt.Errorf("the download ended after %d of %d bytes", d.Size, res.ContentLength))
	}
	return d, nil
}

// incoming is a download being read.
type incoming struct {
	r          io.Reader
	done, size int64
	progress   Progress
	failed     error
}

func (i *incoming) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.done += int64(n)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		i.failed = err
	}
	if n > 0 && i.progress != nil {
		i.progress(i.done, i.size)
	}
	return n, err
}

// nameIn returns the file name of a Content-Disposition; empty if there is none.
func nameIn(header string) string {
	_, parameters, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(parameters["filename"])
}

// newKey makes an Idempotency-Key.
func newKey() string { return rand.Text() }
