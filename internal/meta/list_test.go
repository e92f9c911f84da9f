package meta_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
	"tributary/internal/tenant"
)

// thing is what the lists of these tests are of. Its secret is kept backwards, which
// is sealed enough for a database.
type thing struct {
	id, name, kind, secret string
	size                   *int64
	at                     int64
}

var thingTables = fstest.MapFS{"0001_things.sql": {Data: []byte(`-- +goose Up
CREATE TABLE things (
    id     TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name   TEXT NOT NULL,
    kind   TEXT NOT NULL,
    secret TEXT NOT NULL,
    size   BIGINT,
    at     BIGINT NOT NULL
);
`)}}

var things = meta.List[thing]{
	Select: "id, name, kind, secret, size, at", From: "FROM things", Order: "-at", Key: []meta.Key{{SQL: "id", Kind: meta.Text}},
	Columns: []meta.Column[thing]{
		{Name: "id", Kind: meta.Ident, SQL: "id", Search: true},
		{Name: "name", Kind: meta.Text, SQL: "name", Search: true, Sort: true},
		{Name: "kind", Kind: meta.Choice, SQL: "kind", Values: []string{"big", "small"}},
		{Name: "size", Kind: meta.Number, SQL: "size", Null: true, Sort: true},
		{Name: "at", Kind: meta.Instant, SQL: "at", Sort: true},
	},
}

// sealedThings are things of which the secret is searched too.
func sealedThings() meta.List[thing] {
	l := things
	l.Columns = append(slices.Clone(l.Columns), meta.Column[thing]{Name: "secret", Kind: meta.Text, Opened: func(x thing) string { return x.secret }, Search: true})
	return l
}

func backwards(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

func scanThing(row meta.Scanner) (x thing, err error) {
	err = row.Scan(&x.id, &x.name, &x.kind, &x.secret, &x.size, &x.at)
	x.secret = backwards(x.secret)
	return x, err
}

func eachThings(t *testing.T, f func(t *testing.T, db *meta.DB)) {
	t.Helper()
	metatest.EachURL(t, func(t *testing.T, url string) {
		db, err := meta.Open(t.Context(), meta.Config{URL: url}.WithMigrations(thingTables))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		f(t, db)
	})
}

// add inserts things of a tenant, many in a statement.
func add(t *testing.T, db *meta.DB, of tenant.ID, list ...thing) {
	t.Helper()
	for chunk := range slices.Chunk(list, 100) {
		args := []any{string(of)}
		var values []string
		for _, x := range chunk {
			n := len(args)
			values = append(values, fmt.Sprintf("($%d, $1, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6))
			args = append(args, x.id, x.name, x.kind, backwards(x.secret), x.size, x.at)
		}
		exec(t, db.For(of), `INSERT INTO things (id, tenant, name, kind, secret, size, at) VALUES `+strings.Join(values, ", "), args...)
	}
}

func own(of tenant.ID) *meta.Where {
	var w meta.Where
	w.And("tenant = ?", string(of))
	return &w
}

// all goes through a list of Alice's things page by page.
func all(t *testing.T, db *meta.DB, l *meta.List[thing], page meta.Page) []string {
	t.Helper()
	var got []string
	for {
		list, next, err := l.Read(t.Context(), db.For(alice), own(alice), page, scanThing)
		if err != nil {
			t.Fatalf("%+v: %v", page, err)
		}
		for _, x := range list {
			got = append(got, x.id)
		}
		if next == "" {
			return got
		}
		if page.After = next; len(list) != page.Size() && meta.Searched(next) == 0 {
			t.Fatalf("%+v: a page of %d is not the last", page, len(list))
		}
	}
}

func size(n int64) *int64 { return &n }

func TestPagesNeitherRepeatNorSkip(t *testing.T) {
	t.Parallel()
	eachThings(t, func(t *testing.T, db *meta.DB) {
		var list []thing
		for i := range 23 { // with many that are alike in what they are sorted by
			x := thing{id: fmt.Sprintf("t%02d", (i*7)%23), name: fmt.Sprintf("n%d", i%4), kind: "big", at: int64(i % 3)}
			if i%5 != 0 {
				x.size = size(int64(i % 2))
			}
			list = append(list, x)
		}
		add(t, db, alice, list...)
		add(t, db, bob, thing{id: "bob's", name: "n1", kind: "big", at: 1})
		by := map[string]func(a, b thing) int{
			"name": func(a, b thing) int { return strings.Compare(a.name, b.name) },
			"at":   func(a, b thing) int { return cmp.Compare(a.at, b.at) },
			"size": func(a, b thing) int { return cmp.Compare(*a.size, *b.size) },
		}
		for column, compare := range by {
			for _, down := range []bool{false, true} {
				sign, sort := 1, column
				if down {
					sign, sort = -1, "-"+column
				}
				slices.SortFunc(list, func(a, b thing) int {
					if column == "size" && (a.size == nil || b.size == nil) {
						if (a.size == nil) != (b.size == nil) { // none is last either way
							return map[bool]int{true: 1, false: -1}[a.size == nil]
						}
						return sign * strings.Compare(a.id, b.id)
					}
					return sign * cmp.Or(compare(a, b), strings.Compare(a.id, b.id))
				})
				var want []string
				for _, x := range list {
					want = append(want, x.id)
				}
				for _, limit := range []int{1, 2, 5, 22, 23, 24} {
					if got := all(t, db, &things, meta.Page{Limit: limit, View: meta.View{Sort: sort}}); !slices.Equal(got, want) {
						t.Errorf("by %s, pages of %d: got %v, want %v", sort, limit, got, want)
					}
				}
			}
		}
	})
}

func TestAViewFindsWhatItSays(t *testing.T) {
	t.Parallel()
	eachThings(t, func(t *testing.T, db *meta.DB) {
		add(t, db, alice,
			thing{id: "a", name: "100% Wool", kind: "big", secret: "Juli.csv", size: size(7), at: 1},
			thing{id: "b", name: `back\slash_`, kind: "small", secret: "august.csv", at: 2},
			thing{id: "c", name: "Ärzte: eins", kind: "big", secret: "", size: size(8), at: 3},
			thing{id: "thg_00000000000000000000000000", name: "-", kind: "other", at: 0, secret: "-"},
			thing{id: "d", name: "it's", kind: "small", secret: "wool", size: size(7), at: 4})
		add(t, db, bob, thing{id: "bob's", name: "100% Wool", kind: "big", secret: "juli.csv", size: size(7), at: 5})
		sealed := sealedThings()
		for _, c := range []struct {
			search  string
			filters []string
			want    string
		}{
			{"", []string{"kind:is:small", "kind:is:big"}, "dcba"},
			{"WOOL", nil, "a"},
			{"%", nil, "a"},
			{"_", nil, "b"},
			{`\`, nil, "b"},
			{"' OR 1=1 --", nil, ""},
			{"'", nil, "d"},
			{"Ä", nil, "c"},
			{"", []string{"name:is:it's"}, "d"},
			{"", []string{"name:is:IT'S"}, ""},
			{"", []string{"name:is:Ärzte: eins"}, "c"},
			{"", []string{"name:contains:O"}, "a"},
			{"", []string{"name:not:it's", "name:not:-"}, "cba"},
			{"", []string{"name:is:"}, ""},
			{"", []string{"kind:is:small"}, "db"},
			{"", []string{"kind:is:small", "kind:is:big"}, "dcba"},
			{"", []string{"kind:is:small", "name:not:it's"}, "b"},
			{"", []string{"name:contains:l", "name:contains:w"}, "a"},
			{"", []string{"size:is:7"}, "da"},
			{"", []string{"size:not:7", "name:not:-"}, "cb"}, // one that has none is not 7
			{"o", []string{"size:is:7"}, "a"},
			{"thg_00000000000000000000000000", nil, "thg_00000000000000000000000000"},
			{"thg_0000000000000000000000000", nil, ""},
			{"thg", nil, ""},
			{"", []string{"id:is:a"}, "a"},
		} {
			v := meta.View{Search: c.search, Filters: c.filters}
			if got := strings.Join(all(t, db, &things, meta.Page{View: v}), ""); got != c.want {
				t.Errorf("%q %v: got %q, want %q", c.search, c.filters, got, c.want)
			}
		}
		for _, c := range []struct {
			search  string
			filters []string
			want    string
		}{
			{"wool", nil, "da"}, // by what is sealed, and by what is not
			{"JULI", nil, "a"},
			{".csv", nil, "ba"},
			{".csv", []string{"kind:is:big"}, "a"},
			{"", []string{"secret:is:wool"}, "d"},
			{"", []string{"secret:is:wool", "secret:is:Juli.csv"}, "da"},
			{"", []string{"secret:not:wool", "secret:not:-"}, "cba"},
			{"", []string{"secret:contains:U", "secret:not:Juli.csv"}, "b"},
			{"s", []string{"secret:contains:w"}, "d"},
		} {
			for _, limit := range []int{1, 2, 50} {
				v := meta.View{Search: c.search, Filters: c.filters}
				if got := strings.Join(all(t, db, &sealed, meta.Page{Limit: limit, View: v}), ""); got != c.want {
					t.Errorf("sealed, %q %v, pages of %d: got %q, want %q", c.search, c.filters, limit, got, c.want)
				}
			}
		}
	})
}

func TestWhatAListDoesNotHaveIsInvalid(t *testing.T) {
	t.Parallel()
	sealed := sealedThings()
	for _, c := range []struct {
		view meta.View
		says string
	}{
		{meta.View{Sort: "kind"}, "it can be by name, size, at"},
		{meta.View{Sort: "name, id"}, "it can be by name, size, at"},
		{meta.View{Sort: "secret"}, "it can be by name, size, at"},
		{meta.View{Sort: "--name"}, "it can be by name, size, at"},
		{meta.View{Filters: []string{"name"}}, "COLUMN:OPERATOR:VALUE"},
		{meta.View{Filters: []string{"name:is"}}, "COLUMN:OPERATOR:VALUE"},
		{meta.View{Filters: []string{"tenant:is:ten_b"}}, "it can be by id, name, kind, size, secret"},
		{meta.View{Filters: []string{"at:is:1"}}, "it can be by id, name, kind, size, secret"},
		{meta.View{Filters: []string{"name:like:x"}}, "only with is, not, contains"},
		{meta.View{Filters: []string{"kind:contains:b"}}, "only with is, not"},
		{meta.View{Filters: []string{"kind:is:huge"}}, "one of big, small"},
		{meta.View{Filters: []string{"size:is:1 OR 1=1"}}, "whole number"},
		{meta.View{Filters: []string{"name:is:" + strings.Repeat("x", 201)}}, "at most 200 bytes"},
		{meta.View{Filters: slices.Repeat([]string{"name:is:x"}, 21)}, "at most 20 filters"},
		{meta.View{Search: strings.Repeat("x", 201)}, "at most 200 bytes"},
	} {
		_, _, err := sealed.Read(t.Context(), nil, &meta.Where{}, meta.Page{View: c.view}, scanThing)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), c.says) {
			t.Errorf("%+v: got %v, want Invalid that says %q", c.view, err, c.says)
		}
	}
}

func TestACursorIsOfItsQuestion(t *testing.T) {
	t.Parallel()
	eachThings(t, func(t *testing.T, db *meta.DB) {
		add(t, db, alice, thing{id: "a", name: "x", kind: "big", at: 1}, thing{id: "b", name: "x", kind: "big", at: 2}, thing{id: "c", name: "x", kind: "big", at: 3})
		add(t, db, bob, thing{id: "d", name: "x", kind: "big", at: 1}, thing{id: "e", name: "x", kind: "big", at: 2})
		read := func(of tenant.ID, page meta.Page) ([]thing, string, error) {
			page.Limit = 1
			return things.Read(t.Context(), db.For(of), own(of), page, scanThing)
		}
		view := meta.View{Search: "x", Filters: []string{"kind:is:big"}, Sort: "at"}
		_, next, err := read(alice, meta.Page{View: view})
		if err != nil || next == "" {
			t.Fatalf("got %q, %v", next, err)
		}
		for name, page := range map[string]meta.Page{
			"another order":  {After: next, View: meta.View{Search: "x", Filters: view.Filters, Sort: "-at"}},
			"another search": {After: next, View: meta.View{Search: "y", Filters: view.Filters, Sort: "at"}},
			"other filters":  {After: next, View: meta.View{Search: "x", Sort: "at"}},
			"rubbish":        {After: "rubbish", View: view},
			"not a cursor":   {After: base64.RawURLEncoding.EncodeToString([]byte(`[]`)), View: view},
		} {
			_, _, err := read(alice, page)
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: got %v, want Invalid", name, err)
			}
		}
		if _, _, err := read(bob, meta.Page{After: next, View: view}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Alice's cursor used by Bob: got %v, want Invalid", err)
		}
		_, bobs, err := read(bob, meta.Page{View: view})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(bobs)
		if err != nil {
			t.Fatal(err)
		}
		forge := func(old, fresh string) string {
			forged := strings.Replace(string(raw), old, fresh, 1)
			if forged == string(raw) {
				t.Fatalf("%s is not in %s", old, raw)
			}
			return base64.RawURLEncoding.EncodeToString([]byte(forged))
		}
		for name, cursor := range map[string]string{
			"text for a time": forge(`"s":1`, `"s":"1"`), "a number for an id": forge(`["d"]`, `[1]`), "no value": forge(`"s":1`, `"s":null`),
			"a list": forge(`"s":1`, `"s":[1]`), "a fraction": forge(`"s":1`, `"s":1.5`), "two ids": forge(`["d"]`, `["d","e"]`),
		} {
			if _, _, err := read(bob, meta.Page{After: cursor, View: view}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("a forged cursor with %s: got %v, want Invalid", name, err)
			}
		}
		got, _, err := read(bob, meta.Page{After: forge(`["d"]`, `["a"]`), View: view})
		if err != nil || len(got) != 1 || got[0].id != "d" {
			t.Errorf("a cursor that says it is behind one of Alice's: got %v, %v, want Bob's own", got, err)
		}
	})
}

// A search for what is rare and sealed pauses, says how far it came, and goes on.
func TestASearchOfWhatIsSealedIsBounded(t *testing.T) {
	t.Parallel()
	eachThings(t, func(t *testing.T, db *meta.DB) {
		const rows = 11_500
		list := make([]thing, rows)
		for i := range list {
			list[i] = thing{id: fmt.Sprintf("t%05d", i), name: "x", kind: "big", secret: "common", at: int64(i)}
		}
		list[3].secret, list[4].secret, list[rows-1].secret = "needle", "needle", "needle"
		add(t, db, alice, list...)
		l := sealedThings()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var found []string
		var searched []int
		page := meta.Page{Limit: 1, View: meta.View{Search: "NEEDLE"}}
		for {
			got, next, err := l.Read(ctx, db.For(alice), own(alice), page, scanThing)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range got {
				found = append(found, x.id)
			}
			if next == "" {
				break
			}
			searched = append(searched, meta.Searched(next))
			page.After = next
		}
		if want := []string{"t11499", "t00004", "t00003"}; !slices.Equal(found, want) {
			t.Errorf("got %v, want %v", found, want)
		}
		if want := []int{5000, 10_000, 0}; !slices.Equal(searched, want) {
			t.Errorf("searched %v, want %v", searched, want)
		}
	})
}
