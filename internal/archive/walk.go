package archive

import (
	"context"
	"encoding/base64"
	"encoding/json"
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

// walk does something with each object of a tenant, or with "" of all and of the provider, in
// the order of chains.
func (a *Archive) walk(ctx context.Context, id tenant.ID, f Filter, do visit) error {
	for at, last := (chained{}), (Object{}); ; {
		list, err := a.chained(ctx, id, f, at, mostObjects)
		if err != nil {
			return err
		}
		for _, o := range list {
			if last, err = a.visit(ctx, o, last, do); err != nil {
				return err
			}
			at = chainedOf(o)
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
	at, err := parseChained(after)
	if err != nil {
		return nil, "", err
	}
	list, err := a.chained(ctx, id, f, at, mostObjects+1)
	if err != nil {
		return nil, "", err
	}
	bytes, last := int64(0), Object{}
	for n, o := range list {
		if n == mostObjects || bytes >= mostBytes {
			return list[:n], at.String(), nil
		}
		if last, err = a.visit(ctx, o, last, do); err != nil {
			return nil, "", err
		}
		at = chainedOf(o)
		bytes += o.SealedSize
	}
	return list, "", nil
}

// visit does it with an object, or if it was replaced since it was listed, with those that
// have its blocks now. last is the last one that it was done with, before and after.
func (a *Archive) visit(ctx context.Context, o, last Object, do visit) (Object, error) {
	if o.Stream == last.Stream && o.Tenant == last.Tenant && o.Last <= last.Last {
		return last, nil
	}
	err := do(o, o.First)
	if !fault.Is(err, fault.Conflict) {
		return o, err
	}
	now, err := a.overlapping(ctx, o)
	for _, x := range now {
		if err = do(x, o.First); err != nil {
			break
		}
		last = x
	}
	return last, err
}

// chained is a place in the order of chains: the object that begins there.
type chained struct {
	Stream string `json:"s"`
	Tenant string `json:"t"`
	First  int64  `json:"f"`
}

func chainedOf(o Object) chained { return chained{string(o.Stream), string(o.Tenant), int64(o.First)} }

func (c chained) String() string {
	raw, err := json.Marshal(c)
	if err != nil {
		panic("archive: cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseChained(s string) (c chained, err error) {
	if s == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return c, fault.Wrap(fault.Invalid, err, "The cursor %q is not one that was returned; start again without it.", s)
	}
	return c, nil
}

// chained lists objects after a place in the order of chains.
func (a *Archive) chained(ctx context.Context, id tenant.ID, f Filter, after chained, most int) ([]Object, error) {
	from, to := f.bounds()
	where, args := "", []any{from, to, after.Stream, after.Tenant, after.First, int64(most)}
	db := a.DB.Unscoped()
	if id != "" {
		db, where, args = a.DB.For(id), where+`tenant = $7 AND `, append(args, string(id))
	}
	if f.Stream != "" {
		args = append(args, string(f.Stream))
		where += fmt.Sprintf(`stream = $%d AND `, len(args))
	}
	rows, err := db.Query(ctx, `SELECT `+objectColumns+` FROM archive_objects WHERE `+where+`day >= $1 AND day <= $2
		AND (stream > $3 OR stream = $3 AND (tenant > $4 OR tenant = $4 AND first_block > $5)) ORDER BY stream, tenant, first_block LIMIT $6`, args...)
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	return a.scanAll(rows)
}
