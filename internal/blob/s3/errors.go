package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// answer is what the service said, the zero value if it said nothing.
func answer(err error) minio.ErrorResponse {
	var e minio.ErrorResponse
	_ = errors.As(err, &e)
	return e
}

func codeOf(err error) string { return answer(err).Code }

// isTaken reports whether a conditional write was refused.
func isTaken(err error) bool {
	a := answer(err)
	return a.Code == "PreconditionFailed" || a.StatusCode == http.StatusPreconditionFailed
}

func isMissing(err error) bool {
	a := answer(err)
	return a.Code == "NoSuchKey" || a.Code == "NotFound" || a.StatusCode == http.StatusNotFound && a.Code != "NoSuchBucket"
}

// failure gives an error of the service, or of the way to it, its kind.
func (s *Store) failure(ctx context.Context, doing string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal && ctx.Err() == nil {
		return err
	}
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return cause
	}
	chain := fmt.Errorf("%s: %w", doing, err)
	a := answer(err)
	switch {
	case isMissing(err):
		return fault.Wrap(fault.NotFound, chain, "There is no such stored object.")
	case a.StatusCode == http.StatusInsufficientStorage, a.Code == "QuotaExceeded", a.Code == "XMinioStorageFull", a.Code == "InsufficientCapacity",
		strings.Contains(a.Code, "QuotaExceeded"):
		return fault.Wrap(fault.StorageFull, chain, "The service that holds the stored objects is full.")
	}
	return fault.Wrap(fault.Unavailable, chain, "The service that holds the stored objects does not work as it should. Nothing was acknowledged; try again later.")
}

// unusable is failure while the store is opened, where the operator reads what the
// service said.
func (s *Store) unusable(doing string, err error) error {
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	chain := fmt.Errorf("%s: %w", doing, err)
	a := answer(err)
	switch {
	case a.Code == "NoSuchBucket":
		return fault.Wrap(fault.Invalid, chain, "There is no bucket %q at %s. Make it first.", s.place.Bucket, s.place.Host)
	case isMissing(err):
		return fault.Wrap(fault.NotFound, chain, "There is no such stored object.")
	case a.StatusCode == http.StatusForbidden, a.StatusCode == http.StatusUnauthorized:
		return fault.Wrap(fault.Invalid, chain, "The object store %s refuses the credentials (%s, asked to %s). They come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the file that AWS_SHARED_CREDENTIALS_FILE names.", s.place, a.Code, doing)
	case a.Code != "":
		return fault.Wrap(fault.Unavailable, chain, "The object store %s answers %s, asked to %s.", s.place, a.Code, doing)
	}
	return fault.Wrap(fault.Unavailable, chain, "The object store %s does not answer.", s.place)
}

func taken(k blob.Key) error {
	return fault.New(fault.Conflict, "There is a stored object %s already.", k)
}

func missing(k blob.Key) error {
	return fault.New(fault.NotFound, "There is no stored object %s.", k)
}
