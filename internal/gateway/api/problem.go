package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tributary/client"
	"tributary/internal/fault"
)

// statuses is the one table from kinds of faults to HTTP statuses.
var statuses = map[fault.Kind]int{
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.SecondFactor:    http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Throttled:       http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.StorageFull:     http.StatusInsufficientStorage,
	fault.Cancelled:       499, // nginx's "client closed request": nobody reads it but the log
	fault.TimedOut:        http.StatusGatewayTimeout,
	fault.Damaged:         http.StatusInternalServerError,
	fault.Internal:        http.StatusInternalServerError,
}

// problem is a client.Problem that huma can answer with.
type problem struct {
	client.Problem
	headers http.Header
}

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetHeaders() http.Header   { return p.headers }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) ContentType(string) string { return "application/problem+json" }

func problemOf(err error, request string) *problem {
	k := fault.KindOf(err)
	status := statuses[k]
	var own *protocolFault
	if errors.As(err, &own) {
		status = own.status
	}
	p := &problem{Problem: client.Problem{Type: "urn:tributary:" + string(k), Title: title(status), Status: status, Detail: fault.Message(err), Instance: request}}
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) && later.RetryAfter() > 0 {
		p.headers = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(later.RetryAfter().Seconds())))}}
	}
	return p
}

func title(status int) string {
	if t := http.StatusText(status); t != "" {
		return t
	}
	if status == statusChecksum {
		return "Checksum Mismatch"
	}
	return "Client Closed Request"
}

// problem turns an error into the answer, and logs what the user must not read.
func (s *server) problem(ctx context.Context, err error) error {
	s.logFault(ctx, err)
	return problemOf(err, noteOf(ctx).id)
}

// logFault logs errors that are ours, with their whole chain.
func (s *server) logFault(ctx context.Context, err error) {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Damaged, fault.Unavailable, fault.StorageFull:
		s.Log.ErrorContext(ctx, "request failed", "request", noteOf(ctx).id, "tenant.id", string(noteOf(ctx).principal.Tenant),
			"tenant.tier", string(noteOf(ctx).principal.Tier), "error", err)
	}
	noteOf(ctx).fault = err
}

// refuse answers with an error before a route's own code runs.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.logFault(r.Context(), err)
	writeProblem(w, problemOf(err, noteOf(r.Context()).id))
}

func writeProblem(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	maps.Copy(w.Header(), p.headers)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem) // the client may be gone
}

var setProblems sync.Once

// ownProblems makes huma's own complaints (about bodies and parameters) have the
// same form as ours. It never repeats a value, which may be a secret.
func ownProblems() {
	setProblems.Do(func() {
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			kind := fault.Invalid
			switch status {
			case http.StatusRequestEntityTooLarge:
				kind = fault.TooLarge
			case http.StatusRequestTimeout:
				kind = fault.TimedOut
			case http.StatusInternalServerError:
				kind = fault.Internal
			}
			p := &problem{Problem: client.Problem{Type: "urn:tributary:" + string(kind), Title: title(status), Status: status, Detail: message}}
			for _, err := range errs {
				e := client.ProblemError{Message: err.Error()}
				if d, ok := err.(huma.ErrorDetailer); ok {
					e = client.ProblemError{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
				}
				p.Errors = append(p.Errors, e)
			}
			if len(p.Errors) > 0 {
				var said []string
				for _, e := range p.Errors {
					said = append(said, strings.TrimSpace(e.Location+": "+e.Message))
				}
				p.Detail = "The request is not right: " + strings.Join(said, "; ") + "."
			}
			return p
		}
	})
}
