package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"tributary/client"
)

// listFlags are the flags of every list.
type listFlags struct {
	Limit int    `placeholder:"N" help:"How many at most, up to 500; 50 if not said."`
	After string `placeholder:"CURSOR" help:"Go on behind where an earlier list ended: its next."`
	All   bool   `help:"Everything, however many pages."`
}

func (l listFlags) page() client.Page { return client.Page{Limit: l.Limit, After: l.After} }

// viewFlags are the flags of lists that are searched, filtered and sorted.
type viewFlags struct {
	Search string   `placeholder:"TEXT" help:"Only with this in what people search in, in any case: names, slugs, ids."`
	Filter []string `placeholder:"COLUMN:OP:VALUE" sep:"none" help:"Only where a column is, not or contains a value, as in state:is:active; repeatable."`
	Sort   string   `placeholder:"COLUMN" help:"In this order; with a - before it the greatest first, as in --sort=-name."`
}

func (v viewFlags) view() client.View {
	return client.View{Search: v.Search, Filters: v.Filter, Sort: v.Sort}
}

// columns say how a thing is a row of a table.
type columns[T any] struct {
	header []string
	row    func(T) []string
}

// printList prints a list: a page of it, or with --all the whole.
func printList[F client.Filter[F], T any](ctx context.Context, out *output, l listFlags, list func(context.Context, F) (client.List[T], error), filter F, c columns[T]) error {
	if l.All {
		return printAll(ctx, out, list, filter, c)
	}
	page, err := list(ctx, filter)
	if err != nil {
		return err
	}
	if err := printItems(out, page, c); err != nil {
		return err
	}
	if page.Searched > 0 && !out.json {
		out.note("looked at %d so far, and not at all", page.Searched)
	}
	if page.Next != "" && !out.json {
		out.note("there is more: --after %s, or --all", page.Next)
	}
	return nil
}

// printItems prints a list that has no pages.
func printItems[T any](out *output, items client.List[T], c columns[T]) error {
	return out.answer(func() { out.table(c.header, rows(items.Items, c)) })
}

func rows[T any](items []T, c columns[T]) [][]string {
	all := make([][]string, 0, len(items))
	for _, item := range items {
		all = append(all, c.row(item))
	}
	return all
}

// printAll prints all pages as one list. With --json the items are as the server
// sent them.
func printAll[F client.Filter[F], T any](ctx context.Context, out *output, list func(context.Context, F) (client.List[T], error), filter F, c columns[T]) error {
	var merged []json.RawMessage
	var broken error
	if out.json {
		out.gather = func(body []byte) {
			var page client.List[json.RawMessage]
			if err := json.Unmarshal(body, &page); err != nil {
				broken = fmt.Errorf("read list: %w", err)
			}
			merged = append(merged, page.Items...)
		}
		defer func() { out.gather = nil }()
	}
	var found []T
	for item, err := range client.All(ctx, list, filter) {
		if err != nil {
			return err
		}
		if !out.json {
			found = append(found, item)
		}
	}
	if broken != nil {
		return broken
	}
	if !out.json {
		out.table(c.header, rows(found, c))
		return nil
	}
	return out.raw(listOf(merged))
}

// listOf makes a list's body of bodies as the server sent them.
func listOf(items []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(bytes.TrimSpace(item))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
