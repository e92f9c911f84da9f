package s3

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"tributary/internal/blob"
	"tributary/internal/fault"
)

// Delete implements blob.Store. Two at once may both return nil.
func (s *Store) Delete(ctx context.Context, k blob.Key) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	doing := "delete object " + string(k)
	there, _, err := s.look(ctx, s.name(k)) // the service says nothing about it
	if err != nil {
		return s.failure(ctx, doing, err)
	}
	if !there {
		return missing(k)
	}
	return s.failure(ctx, doing, s.remove(ctx, s.name(k)))
}

func (s *Store) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return s.client.RemoveObject(ctx, s.place.Bucket, name, minio.RemoveObjectOptions{})
}

// List implements blob.Store. It holds a page of 1,000 names in memory.
func (s *Store) List(ctx context.Context, prefix string, f func(blob.Info) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_.-/") != "" {
		return nil // no key begins so, and the service need not be asked about odd names
	}
	var last blob.Key
	return s.each(ctx, s.place.Prefix+objects+prefix, func(o minio.ObjectInfo) error {
		k, ok := s.key(o.Key)
		if !ok || !strings.HasPrefix(string(k), prefix) {
			return nil // not ours
		}
		if k <= last {
			return fault.New(fault.Unavailable, "The service that holds the stored objects does not list them in the order of their names.")
		}
		last = k
		return f(blob.Info{Key: k, Size: o.Size, Modified: o.LastModified.UTC()})
	})
}

// each calls f for each object whose name begins with prefix.
func (s *Store) each(ctx context.Context, prefix string, f func(minio.ObjectInfo) error) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for o := range s.client.Client.ListObjects(asking, s.place.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Err != nil {
			return s.failure(ctx, "list objects", o.Err)
		}
		if err := f(o); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Check implements blob.Store: it writes an object of 4 KiB and removes it.
func (s *Store) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id := s.clock.ID("new")
	name := s.place.Prefix + probes + id
	if err := s.put(ctx, name, make([]byte, 4096), id, false); err != nil {
		return s.failure(ctx, "write a probe", err)
	}
	return s.failure(ctx, "remove a probe", s.remove(ctx, name))
}

// Sweep removes what writers left that never came to Commit or Abort, if it was
// begun more than olderThan ago, and returns how many it removed. A writer that
// still lives is not harmed but its Commit fails; at start, before any, olderThan
// may be 0, whatever the service's clock says.
func (s *Store) Sweep(ctx context.Context, olderThan time.Duration) (int, error) {
	before := s.clock.Now().Add(-olderThan)
	old := func(begun time.Time) bool { return olderThan == 0 || begun.Before(before) }
	removed := 0
	for _, below := range []string{objects, probes} { // not all of the prefix: others may be nested in it
		n, err := s.sweepUploads(ctx, s.place.Prefix+below, old)
		removed += n
		if err != nil {
			return removed, s.failure(ctx, "sweep unfinished uploads", err)
		}
	}
	err := s.each(ctx, s.place.Prefix+probes, func(o minio.ObjectInfo) error {
		if !old(o.LastModified) {
			return nil
		}
		removed++
		return s.remove(ctx, o.Key)
	})
	return removed, s.failure(ctx, "sweep probes", err)
}

// Clear removes every object, what is unfinished, and last the owner's name. It is
// Conflict if that is not the store's any more.
func (s *Store) Clear(ctx context.Context) error {
	whose, err := s.read(ctx, s.place.Prefix+owner)
	if err != nil {
		return err
	}
	if string(whose) != s.owner {
		return errAnothers(s.place)
	}
	if _, err := s.Sweep(ctx, 0); err != nil {
		return err
	}
	err = s.each(ctx, s.place.Prefix+objects, func(o minio.ObjectInfo) error { return s.remove(ctx, o.Key) })
	if err == nil {
		err = s.remove(ctx, s.place.Prefix+owner)
	}
	return s.failure(ctx, "clear the object store", err)
}

func (s *Store) sweepUploads(ctx context.Context, prefix string, old func(time.Time) bool) (removed int, err error) {
	type upload struct{ name, id string }
	var left []upload
	keyMarker, idMarker := "", ""
	for {
		call, cancel := context.WithTimeout(ctx, callTime)
		page, err := s.client.ListMultipartUploads(call, s.place.Bucket, prefix, keyMarker, idMarker, "", 1000)
		cancel()
		if err != nil {
			return 0, err
		}
		for _, u := range page.Uploads {
			if strings.HasPrefix(u.Key, prefix) && old(u.Initiated) {
				left = append(left, upload{u.Key, u.UploadID})
			}
		}
		if !page.IsTruncated {
			break
		}
		keyMarker, idMarker = page.NextKeyMarker, page.NextUploadIDMarker
	}
	for _, u := range left {
		call, cancel := context.WithTimeout(ctx, callTime)
		err := s.client.AbortMultipartUpload(call, s.place.Bucket, u.name, u.id)
		cancel()
		if err != nil && codeOf(err) != "NoSuchUpload" {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
