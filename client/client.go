package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxAnswer  = 256 << 20        // most bytes of a JSON answer
	maxTries   = 4                // of a request that may be repeated
	maxPause   = 20 * time.Second // longest Retry-After that is waited for
	answerTime = 2 * time.Minute  // from the end of a request to the answer's header
	stallTime  = time.Minute      // how long an answer's body may stand still
)

// Client calls the API of one server with one credential. It is safe for use by
// several goroutines.
type Client struct {
	base    *url.URL
	http    *http.Client
	agent   string
	channel string
	renewed func(token string)
	answer  func(body []byte)
	pause   func(try int) time.Duration // before a try is repeated, where the server does not say
	stall   time.Duration               // how long an answer's body may stand still
	piece   int64                       // most bytes of one request of a resumable upload

	mu    sync.Mutex
	token string
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient sends requests by h, for another transport or proxy. Redirects
// are never followed.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) {
		own := *h
		c.http = &own
	}
}

// WithUserAgent names the program that calls.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// WithChannel says in submissions what sends them: "api", which is the default,
// or "cli".
func WithChannel(channel string) Option { return func(c *Client) { c.channel = channel } }

// WithRenewal calls renewed with a session's new token whenever the server
// rotates it. The client uses the new one by itself; whoever keeps the token
// elsewhere must replace it, since the old one soon ends the session.
func WithRenewal(renewed func(token string)) Option {
	return func(c *Client) { c.renewed = renewed }
}

// WithAnswers calls answer with the body of each successful JSON answer, as the
// server sent it.
func WithAnswers(answer func(body []byte)) Option { return func(c *Client) { c.answer = answer } }

// New makes a client of the server at an address such as
// https://tributary.example.com. Token is an API key or a session's token; it
// may be empty for what needs none.
func New(server, token string, options ...Option) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(server, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://tributary.example.com", server)
	}
	c := &Client{base: base, token: strings.TrimSpace(token), agent: "tributary-go", channel: "api", stall: stallTime, piece: pieceSize, http: &http.Client{Transport: transport()}}
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token has characters that no token has; is it the right file or variable?")
	}
	c.pause = func(try int) time.Duration { return 250 * time.Millisecond << try }
	for _, o := range options {
		o(c)
	}
	// A redirect could carry the credential elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: answerTime,
		ExpectContinueTimeout: 5 * time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   16,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // so that a download's Content-Length is the file's
	}
}

// Server returns the address of the server.
func (c *Client) Server() string { return c.base.String() }

// Token returns the credential in use: the one given, or what a session's was
// rotated to.
func (c *Client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// request is one request, sent once or more.
type request struct {
	method, path string
	query        params
	contentType  string
	body         []byte
	key          string // Idempotency-Key
	prefer       string // Prefer
	accept       string // Accept; empty: JSON
	open         bool   // without a credential
}

// get asks for a thing.
func get[T any](ctx context.Context, c *Client, path string, query params) (T, error) {
	return call[T](ctx, c, request{method: http.MethodGet, path: path, query: query})
}

// post sends a thing and decodes the answer. The request has an Idempotency-Key,
// so that repeating it after a lost answer does it once.
func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	return send[T](ctx, c, request{method: http.MethodPost, path: path, key: newKey()}, body)
}

// send encodes body as JSON into a request.
func send[T any](ctx context.Context, c *Client, r request, body any) (T, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, fmt.Errorf("encode request: %w", err)
	}
	r.body, r.contentType = raw, "application/json"
	return call[T](ctx, c, r)
}

// none is the answer of routes that answer with nothing.
type none struct{}

// call sends a request and decodes its answer.
func call[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	res, err := c.do(ctx, r)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return out, c.unreachable(ctx, err)
	case len(raw) > maxAnswer:
		return out, fmt.Errorf("%s %s: the answer is longer than %d bytes", r.method, r.path, maxAnswer)
	}
	if _, nothing := any(out).(none); !nothing {
		if err := json.Unmarshal(raw, &out); err != nil {
			return out, fmt.Errorf("%s %s: the answer is not what was expected; is %s a Tributary server? %w", r.method, r.path, c.base, err)
		}
	}
	if c.answer != nil {
		c.answer(raw)
	}
	return out, nil
}

// do sends a request until it is answered, and returns the answer if it is a
// success. It repeats what may be repeated while the server asks to come back.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	for try := 0; ; try++ {
		var body io.Reader
		if r.body != nil {
			body = bytes.NewReader(r.body)
		}
		req, err := c.request(ctx, r, body)
		if err != nil {
			return nil, err
		}
		res, err := c.once(ctx, req)
		var answered *Error
		if !errors.As(err, &answered) || try+1 >= maxTries || !repeatable(r, answered.Status) {
			return res, err
		}
		wait := answered.RetryAfter
		if wait == 0 {
			wait = c.pause(try)
		}
		if wait > maxPause {
			return res, err
		}
		if waitErr := sleep(ctx, wait); waitErr != nil {
			return nil, waitErr
		}
	}
}

// repeatable reports whether a request may be sent again after an answer. What
// changes things is repeated only where the server knows it by its key, or when
// it was turned away at the door.
func repeatable(r request, status int) bool {
	switch status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return r.method == http.MethodGet || r.key != ""
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *Client) request(ctx context.Context, r request, body io.Reader) (*http.Request, error) {
	// The path is escaped already, so that an id with a slash stays one id.
	target := c.base.String() + "/api/v1" + r.path
	if len(r.query) > 0 {
		target += "?" + url.Values(r.query).Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", cmp.Or(r.accept, "application/json"))
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.prefer != "" {
		req.Header.Set("Prefer", r.prefer)
	}
	if token := c.Token(); token != "" && !r.open {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// once sends a request one time. An answer that is no success is an *Error; no
// answer an *UnreachableError.
func (c *Client) once(ctx context.Context, req *http.Request) (*http.Response, error) {
	own, cancel := context.WithCancelCause(ctx)
	res, err := c.http.Do(req.WithContext(own))
	if err != nil {
		cancel(nil)
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // its text repeats the whole address
			err = wrapped.Err
		}
		return nil, c.unreachable(ctx, err)
	}
	res.Body = newWatched(res.Body, c.stall, cancel)
	if token := res.Header.Get("Tributary-Session"); token != "" {
		c.mu.Lock()
		c.token = token
		c.mu.Unlock()
		if c.renewed != nil {
			c.renewed(token)
		}
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, c.refusal(req, res)
}

// unreachable wraps an error of the connection, unless it is the caller's giving
// up or about what is being sent.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var local *localError
	if errors.As(err, &local) {
		return local.Err
	}
	return &UnreachableError{Server: c.base.String(), Err: err}
}

// localError is an error of what is being sent, not of the connection.
type localError struct{ Err error }

func (e *localError) Error() string { return e.Err.Error() }
func (e *localError) Unwrap() error { return e.Err }

// refusal reads an answer that is no success.
func (c *Client) refusal(req *http.Request, res *http.Response) error {
	e := &Error{Method: req.Method, Path: req.URL.Path, RetryAfter: retryAfter(res.Header.Get("Retry-After"))}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		raw = nil // the status says enough
	}
	if json.Unmarshal(raw, &e.Problem) != nil || e.Type == "" {
		e.Problem = Problem{Title: http.StatusText(res.StatusCode), Instance: res.Header.Get("Request-Id")}
		switch {
		case res.StatusCode >= 300 && res.StatusCode < 400:
			e.Detail = fmt.Sprintf("%s redirects to %q. Redirects are not followed; use the server's own address.", c.base, res.Header.Get("Location"))
		case res.StatusCode == http.StatusNotFound:
			e.Detail = fmt.Sprintf("%s has no %s. Is it a Tributary server?", c.base, req.URL.Path)
		default:
			e.Detail = fmt.Sprintf("%s answered %d %s.", c.base, res.StatusCode, e.Title)
		}
	}
	e.Status = res.StatusCode
	return e
}

func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 || seconds > 1<<20 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// id escapes an id for a path.
func id(s string) string { return url.PathEscape(s) }
