package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// Page says which part of a list is wanted: at most Limit things (0: the server's
// default, 50; at most 500) from behind the cursor After.
type Page struct {
	Limit int
	After string
}

func (p Page) from(cursor string) Page {
	p.After = cursor
	return p
}

// limited asks for a number of things at a time where nothing was said.
func (p Page) limited(n int) Page {
	if p.Limit == 0 {
		p.Limit = n
	}
	return p
}

func (p Page) values() params { return params{}.number("limit", int64(p.Limit)).text("after", p.After) }

// View says which things of a list are wanted, and in which order. The operation's
// description in the API's documentation has the columns.
type View struct {
	Search  string   // a part, in any case, of what people search in
	Filters []string // COLUMN:is:VALUE, COLUMN:not:VALUE or COLUMN:contains:VALUE
	Sort    string   // COLUMN, or -COLUMN for the greatest first
}

func (v View) narrow(p params) params {
	if len(v.Filters) > 0 {
		p["filter"] = v.Filters
	}
	return p.text("search", v.Search).text("sort", v.Sort)
}

// Filter is what a list takes to narrow it, with the Page in it.
type Filter[F any] interface {
	from(cursor string) F
	limited(n int) F
}

// All goes through a whole list, page by page:
//
//	for t, err := range client.All(ctx, c.Tenants, client.TenantFilter{State: "active"}) {
//
// It ends at the first error.
func All[F Filter[F], T any](ctx context.Context, list func(context.Context, F) (List[T], error), filter F) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		filter := filter.limited(500)
		for {
			page, err := list(ctx, filter)
			if err != nil {
				var nothing T
				yield(nothing, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			filter = filter.from(page.Next)
		}
	}
}

// params are the parameters of a query. What is empty is left out.
type params url.Values

func (p params) text(name, value string) params {
	if value != "" {
		p[name] = []string{value}
	}
	return p
}

func (p params) number(name string, value int64) params {
	if value != 0 {
		p[name] = []string{strconv.FormatInt(value, 10)}
	}
	return p
}

func (p params) time(name string, value time.Time) params {
	if !value.IsZero() {
		p[name] = []string{value.UTC().Format(time.RFC3339Nano)}
	}
	return p
}

func (p params) yes(name string, value bool) params {
	if value {
		p[name] = []string{"true"}
	}
	return p
}

// TenantPage narrows a list to a tenant. A tenant's credential has its own only,
// and leaves Tenant empty.
type TenantPage struct {
	Page
	Tenant string // id or slug
}

func (f TenantPage) from(cursor string) TenantPage { f.After = cursor; return f }
func (f TenantPage) limited(n int) TenantPage      { f.Page = f.Page.limited(n); return f }
func (f TenantPage) values() params                { return f.Page.values().text("tenant", f.Tenant) }
