package archive

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The bounds of what one request looks at.
const (
	mostObjects = 100
	mostBytes   = 256 << 20
)

// visit is what is done with an object, of which what comes before a block was had already.
type visit func(o Object, from uint64) error

// errMeanwhile is in the error of who found the catalogue another than it was a moment ago.
var errMeanwhile = errors.New("the catalogue of the archive has changed meanwhile")

// walk does something with each object of a tenant, or with "" of all and of the provider, in
// the order of chains. Blocks that compaction puts into another object meanwhile are there once.
func (a *Archive) walk(ctx context.Context, id tenant.ID, f Filter, do visit) error {
	for at := (place{}); ; {
		list, err := a.after(ctx, id, f, at, mostObjects)
		if err != nil {
			return err
		}
		for _, o := range list {
			if at, err = a.visit(ctx, o, at, do); err != nil {
				return err
			}
		}
		if len(list) < mostObjects {
			return nil
		}
	}
}

// some does it with as many as one request looks at, which it returns, after the next of the
// request before. It says where to go on; empty: that was all.
func (a *Archive) some(ctx context.Context, id tenant.ID, f Filter, after string, do visit) (read []Object, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	at, err := parsePlace(after)
	if err != nil {
		return nil, "", err
	}
	list, err := a.after(ctx, id, f, at, mostObjects+1)
	if err != nil {
		return nil, "", err
	}
	bytes := int64(0)
	for n, o := range list {
		if n == mostObjects || bytes >= mostBytes {
			return list[:n], at.String(), nil
		}
		if at, err = a.visit(ctx, o, at, do); err != nil {
			return nil, "", err
		}
		bytes += o.SealedSize
	}
	return list, "", nil
}

// visit does it with an object, or if it was replaced since it was listed, with those that
// have its blocks now, and returns the place after it.
func (a *Archive) visit(ctx context.Context, o Object, at place, do visit) (place, error) {
	at, err := at.visit(o, do)
	if !errors.Is(err, errMeanwhile) {
		return at, err
	}
	now, err := a.overlapping(ctx, o)
	for _, x := range now {
		if at, err = at.visit(x, do); err != nil {
			break
		}
	}
	return at, err
}

// place is a place in the order of chains: after an object with these blocks, which may be
// there no more, and after the blocks that were had.
type place struct {
	Stream string `json:"s"`
	Tenant string `json:"t"`
	Last   int64  `json:"l"`
	First  int64  `json:"f"`
	Had    uint64 `json:"h"` // all up to this one
}

// visit does something with what of an object was not had, if there is anything.
func (p place) visit(o Object, do visit) (place, error) {
	next := place{Stream: string(o.Stream), Tenant: string(o.Tenant), Last: int64(o.Last), First: int64(o.First)}
	if next.Stream == p.Stream && next.Tenant == p.Tenant {
		next.Had = p.Had
	}
	if o.sound() != nil { // and what it says of its blocks is not so
		return next, do(o, o.First)
	}
	if o.Last <= next.Had {
		return next, nil
	}
	err := do(o, max(o.First, next.Had+1))
	if err == nil {
		next.Had = o.Last
	}
	return next, err
}

func (p place) String() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("archive: cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parsePlace(s string) (p place, err error) {
	if s == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, fault.Wrap(fault.Invalid, err, "The cursor %q is not one that was returned; start again without it.", s)
	}
	return p, nil
}

// after lists objects after a place in the order of chains.
func (a *Archive) after(ctx context.Context, id tenant.ID, f Filter, at place, most int) ([]Object, error) {
	from, to := f.bounds()
	where, args := "", []any{from, to, at.Stream, at.Tenant, at.Last, at.First, int64(most)}
	db := a.DB.Unscoped()
	if id != "" {
		db, where, args = a.DB.For(id), where+`tenant = $8 AND `, append(args, string(id))
	}
	if f.Stream != "" {
		args = append(args, string(f.Stream))
		where += fmt.Sprintf(`stream = $%d AND `, len(args))
	}
	rows, err := db.Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE `+where+`day >= $1 AND day <= $2
		AND (stream, tenant, last_block, first_block) > ($3, $4, $5, $6) ORDER BY stream, tenant, last_block, first_block LIMIT $7`, args...)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return a.scanAll(rows)
}
