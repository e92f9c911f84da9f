package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
	"tributary/internal/policy"
)

// maxKey is how long an Idempotency-Key may be.
const maxKey = 200

// answer is what an idempotency key remembers, sealed in the database: with the
// tenant's pool key, or the server's own for the provider's people.
type answer struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        []byte `json:"body"`
}

// remembered answers a POST with an Idempotency-Key: the first request is done
// and its answer kept for a day; the same request again gets that answer, and
// another one with the same key a Conflict. Answers with secrets are not kept:
// then the same request again is a Conflict that says so. What was begun goes on
// if the client leaves, or its next request would get the answer that nobody waited.
func (s *server) remembered(r route, c *call, hc huma.Context, next func(huma.Context)) {
	req, w := humago.Unwrap(hc)
	ctx := hc.Context()
	key := req.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		s.refuse(w, req, fault.New(fault.Invalid, "The Idempotency-Key is longer than %d bytes.", maxKey))
		return
	}
	limit := r.body
	if limit == 0 {
		limit = defaultBody
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, limit+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p := problemOf(fault.Wrap(fault.TimedOut, err, "The request did not arrive within %.0f s.", BodyTime.Seconds()), noteOf(ctx).id)
		p.Status, p.Title = http.StatusRequestTimeout, http.StatusText(http.StatusRequestTimeout)
		writeProblem(w, p)
		return
	}
	if err != nil {
		s.refuse(w, req, fault.Wrap(fault.Invalid, err, "The request ended before all of it arrived."))
		return
	}
	ctx = context.WithoutCancel(ctx)
	req.Body = io.NopCloser(bytes.NewReader(body))
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%d\n", req.Method, req.URL.RequestURI(), len(body))
	h.Write(body)
	sum := h.Sum(nil)

	mine := claimed{c.principal.Actor(), key, meta.Micros(s.Clock.Now())}
	var earlier answer
	var found bool
	if err = s.settleLate(ctx, mine); err == nil {
		earlier, found, err = s.claim(ctx, r, c.principal, mine, sum)
	}
	switch {
	case err != nil:
		s.refuse(w, req, err)
	case found:
		w.Header().Set("Idempotency-Replayed", "true")
		w.Header().Set("Content-Type", earlier.ContentType)
		w.WriteHeader(earlier.Status)
		_, _ = w.Write(earlier.Body) // the client may be gone
	default:
		tee := &teeWriter{ResponseWriter: w}
		defer func() { s.settle(ctx, r, c.principal, mine, tee) }()
		next(humago.NewContext(hc.Operation(), req.WithContext(ctx), tee))
	}
}

// claimed is an idempotency key in the hand of one request: another may have it when
// that has let go of it.
type claimed struct {
	actor, key string
	at         int64
}

// claim takes the key for this request, or finds the answer to an earlier one.
func (s *server) claim(ctx context.Context, r route, p policy.Principal, mine claimed, sum []byte) (a answer, found bool, err error) {
	actor, key := mine.actor, mine.key
	err = s.DB.Transact(ctx, func(tx *meta.DB) error {
		found = false
		var hash, sealed []byte
		var status int64
		err := tx.QueryRow(ctx, `SELECT request_hash, status, response FROM idempotency_keys WHERE actor = $1 AND key = $2`, actor, key).Scan(&hash, &status, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			_, err := tx.Exec(ctx, `INSERT INTO idempotency_keys (actor, key, request_hash, status, created_at) VALUES ($1, $2, $3, 0, $4)`,
				actor, key, sum, mine.at)
			return err
		}
		switch {
		case err != nil:
			return fmt.Errorf("look up idempotency key: %w", err)
		case subtle.ConstantTimeCompare(hash, sum) != 1:
			return fault.New(fault.Conflict, "This Idempotency-Key was used for another request.")
		case status == 0:
			return fault.New(fault.Conflict, "The first request with this Idempotency-Key is still being answered; ask again in a moment.")
		case sealed == nil && (!r.secret || status >= 400):
			return fault.New(fault.Conflict, "This request was done before, and its answer could not be kept. Look whether what it asked for is there, and use another key to ask again.")
		case sealed == nil:
			return fault.New(fault.Conflict, "This request was done before, and its answer had a secret in it, which is shown once only.")
		}
		var plain []byte
		if p.Tenant != "" {
			plain, err = s.Keys.Decrypt(ctx, p.Tenant, keys.Pool, sealed, keyContext(actor, key))
		} else {
			plain, err = s.Keys.DecryptOwn(sealed, keyContext(actor, key))
		}
		if err != nil {
			return fmt.Errorf("open remembered answer: %w", err)
		}
		found = true
		return json.Unmarshal(plain, &a)
	})
	return a, found, err
}

// ForgetUnanswered lets go of the keys whose requests ended with the process before
// this one. It is called once at start, before anything is answered: until then
// the same requests would be refused as still being answered.
func ForgetUnanswered(ctx context.Context, db *meta.DB) error {
	if _, err := db.Exec(ctx, `DELETE FROM idempotency_keys WHERE status = 0`); err != nil {
		return fmt.Errorf("forget unanswered idempotency keys: %w", err)
	}
	return nil
}

func keyContext(actor, key string) []byte { return []byte("idempotency " + actor + " " + key) }

// outcome is what becomes of an idempotency key when its request has ended: its
// answer is kept, without a body where that has a secret or cannot be sealed, or it
// is let go of (status 0).
type outcome struct {
	status int
	sealed []byte
}

// settle keeps the answer, or lets go of the key after one that may be different
// next time.
func (s *server) settle(ctx context.Context, r route, p policy.Principal, mine claimed, tee *teeWriter) {
	var o outcome
	if tee.status != 0 && tee.status < statuses[fault.Cancelled] && tee.status != http.StatusTooManyRequests {
		o.status = tee.status
		if !r.secret || tee.status >= 400 {
			var err error
			if o.sealed, err = s.sealAnswer(ctx, p, mine, answer{tee.status, tee.Header().Get("Content-Type"), tee.body.Bytes()}); err != nil {
				s.Log.ErrorContext(ctx, "answer not kept for its idempotency key", "actor", mine.actor, "error", err)
			}
		}
	}
	if err := s.write(ctx, mine, o); err != nil {
		kept := s.late.add(mine, o)
		s.Log.ErrorContext(ctx, "answer not remembered for its idempotency key", "actor", mine.actor, "error", err, "tried again", kept)
	}
}

func (s *server) sealAnswer(ctx context.Context, p policy.Principal, mine claimed, a answer) ([]byte, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if p.Tenant != "" {
		return s.Keys.Encrypt(ctx, p.Tenant, keys.Pool, raw, keyContext(mine.actor, mine.key))
	}
	return s.Keys.EncryptOwn(raw, keyContext(mine.actor, mine.key))
}

// write puts an outcome in the database. It is safe to repeat.
func (s *server) write(ctx context.Context, mine claimed, o outcome) (err error) {
	if o.status == 0 {
		_, err = s.DB.Exec(ctx, `DELETE FROM idempotency_keys WHERE actor = $1 AND key = $2 AND created_at = $3`, mine.actor, mine.key, mine.at)
	} else {
		_, err = s.DB.Exec(ctx, `UPDATE idempotency_keys SET status = $1, response = $2 WHERE actor = $3 AND key = $4 AND created_at = $5`,
			int64(o.status), o.sealed, mine.actor, mine.key, mine.at)
	}
	return err
}

// unsettled are outcomes that could not be written, as on a full disk. Their requests
// have ended, and may have done what was asked: they are written when the database
// takes them, and their keys are not free before.
type unsettled struct {
	mu    sync.Mutex // held while they are written: none is written after its key is free
	all   map[claimed]outcome
	bytes int
}

const (
	mostUnsettled = 16 << 20 // bytes in memory; what is over keeps its key until a restart
	eachUnsettled = 1 << 10  // beside the answer
)

// add keeps an outcome for later, without its answer or not at all if there are too many.
func (u *unsettled) add(k claimed, o outcome) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes+eachUnsettled+len(o.sealed) > mostUnsettled {
		o.sealed = nil
	}
	if u.bytes+eachUnsettled > mostUnsettled {
		return false
	}
	if u.all == nil {
		u.all = map[claimed]outcome{}
	}
	u.all[k] = o
	u.bytes += eachUnsettled + len(o.sealed)
	return true
}

// settleLate writes outcomes that could not be written, first those of the key that
// a request comes with, and returns an error if it cannot write these.
func (s *server) settleLate(ctx context.Context, mine claimed) error {
	u := &s.late
	u.mu.Lock()
	defer u.mu.Unlock()
	one := func(k claimed, o outcome) error {
		err := s.write(ctx, k, o)
		if err == nil {
			delete(u.all, k)
			u.bytes -= eachUnsettled + len(o.sealed)
		}
		return err
	}
	for k, o := range u.all {
		if k.actor != mine.actor || k.key != mine.key {
			continue
		}
		if err := one(k, o); err != nil {
			return fmt.Errorf("settle idempotency key of a request that has ended: %w", err)
		}
	}
	for k, o := range u.all {
		if one(k, o) != nil {
			break // one says enough, and this request is not about it
		}
	}
	return nil
}

// teeWriter keeps a copy of the answer.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }
