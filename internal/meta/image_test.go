package meta_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/meta/metatest"
)

// contents is every table's rows as text, sorted.
func contents(t *testing.T, url string) (i meta.Image, rows map[string][]string) {
	t.Helper()
	rows = map[string][]string{}
	err := meta.ReadImage(t.Context(), meta.Config{URL: url}, func(image *meta.Image) error {
		i = *image
		for _, table := range image.Tables {
			if err := image.Each(t.Context(), table, func(row []any) error {
				text := ""
				for k, v := range row {
					text += fmt.Sprintf("%s=%T:%v ", table.Columns[k], v, v)
				}
				rows[table.Name] = append(rows[table.Name], text)
				return nil
			}); err != nil {
				return err
			}
			slices.Sort(rows[table.Name])
		}
		return nil
	})
	if err != nil {
		t.Fatalf("image of %s: %v", url, err)
	}
	return i, rows
}

// move loads an image of one database into another.
func move(ctx context.Context, from, to string) error {
	return meta.ReadImage(ctx, meta.Config{URL: from}, func(i *meta.Image) error {
		return meta.Load(ctx, meta.Config{URL: to}, i.Schema, func(l meta.Loader) error {
			for _, table := range i.Tables {
				var rows [][]any
				if err := i.Each(ctx, table, func(row []any) error { rows = append(rows, row); return nil }); err != nil {
					return err
				}
				if err := l.Fill(ctx, table, func() ([]any, error) {
					if len(rows) == 0 {
						return nil, io.EOF
					}
					row := rows[0]
					rows = rows[1:]
					return row, nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func TestAnImageMovesBetweenDatabases(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, from string) {
		db := metatest.Open(t, from)
		fill(t, db)
		_, want := contents(t, from) // beside the one that has it open
		if len(want["tenants"]) != 1 || len(want["settings"]) != 1 {
			t.Fatalf("image: got %v, want a tenant and a setting", want)
		}
		metatest.EachURL(t, func(t *testing.T, to string) {
			if err := move(t.Context(), from, to); err != nil {
				t.Fatal(err)
			}
			if _, err := meta.Open(t.Context(), meta.Config{URL: to}); !fault.Is(err, fault.Conflict) {
				t.Fatalf("open before it is whole: got %v, want conflict", err)
			}
			if err := meta.ReadImage(t.Context(), meta.Config{URL: to}, func(*meta.Image) error { return nil }); !fault.Is(err, fault.Conflict) {
				t.Fatalf("image before it is whole: got %v, want conflict", err)
			}
			if err := move(t.Context(), from, to); err != nil { // again, after one that was cut off
				t.Fatal(err)
			}
			db, err := meta.Open(t.Context(), meta.Config{URL: to, Loading: true})
			if err == nil {
				err = errors.Join(db.Loaded(t.Context()), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			_, got := contents(t, to)
			for table, rows := range want {
				if !slices.Equal(got[table], rows) {
					t.Errorf("table %s: got %q, want %q", table, got[table], rows)
				}
			}
			if problems, err := metatest.Open(t, to).Verify(t.Context()); err != nil || len(problems) > 0 {
				t.Errorf("verify: got %v, %v, want nothing wrong", problems, err)
			}
			if _, err := meta.Unload(t.Context(), meta.Config{URL: to}); err == nil {
				t.Error("unload of a whole database that is open: got nil, want conflict")
			}
		})
		if err := move(t.Context(), from, from); !fault.Is(err, fault.Conflict) {
			t.Errorf("load where something is: got %v, want conflict", err)
		}
	})
}

// What Load cannot finish leaves nothing that Unload does not take away.
func TestLoadIsAllOrNothing(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		broken := errors.New("the source broke")
		for name, fill := range map[string]func(meta.Loader) error{
			"a source that breaks": func(l meta.Loader) error {
				n := 0
				return l.Fill(t.Context(), meta.Table{Name: "settings", Columns: []string{"name", "value"}}, func() ([]any, error) {
					if n++; n > 1 {
						return nil, broken
					}
					return []any{"a", []byte("b")}, nil
				})
			},
			"a reference to nothing": func(l meta.Loader) error {
				rows := [][]any{{"ten", "vault", int64(1), []byte("m")}}
				return l.Fill(t.Context(), meta.Table{Name: "tenant_keys", Columns: []string{"tenant", "purpose", "created_at", "mac"}}, func() ([]any, error) {
					if len(rows) == 0 {
						return nil, io.EOF
					}
					row := rows[0]
					rows = nil
					return row, nil
				})
			},
			"an unknown column": func(l meta.Loader) error {
				return l.Fill(t.Context(), meta.Table{Name: "settings", Columns: []string{"name", "colour"}}, nil)
			},
		} {
			if err := meta.Load(t.Context(), meta.Config{URL: url}, 1, fill); err == nil {
				t.Errorf("%s: got nil, want an error", name)
			}
			if _, err := meta.Open(t.Context(), meta.Config{URL: url}); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: open: got %v, want conflict", name, err)
			}
		}
		if err := meta.Load(t.Context(), meta.Config{URL: url}, 1_000_000, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("a newer schema: got %v, want conflict", err)
		}
		if whole, err := meta.Unload(t.Context(), meta.Config{URL: url}); err != nil || whole {
			t.Fatalf("unload: got whole %t, %v, want it taken away", whole, err)
		}
		if err := meta.ReadImage(t.Context(), meta.Config{URL: url}, func(*meta.Image) error { return nil }); !fault.Is(err, fault.NotFound) {
			t.Errorf("image of what was taken away: got %v, want not-found", err)
		}
		db := metatest.Open(t, url) // it is as good as new
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if whole, err := meta.Unload(t.Context(), meta.Config{URL: url}); err != nil || !whole {
			t.Errorf("unload of what is whole: got whole %t, %v, want it left", whole, err)
		}
	})
}

// A word can be added beside the one active server, and the server reads it.
func TestBesideTakesNoLock(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, url string) {
		if _, err := meta.Open(t.Context(), meta.Config{URL: url, Beside: true}); !fault.Is(err, fault.NotFound) {
			t.Errorf("beside nothing: got %v, want not-found", err)
		}
		server := metatest.Open(t, url)
		beside, err := meta.Open(t.Context(), meta.Config{URL: url, Beside: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := beside.Transact(t.Context(), func(tx *meta.DB) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO settings (name, value) VALUES ('word', $1)`, []byte("w"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := beside.Close(); err != nil {
			t.Fatal(err)
		}
		var value []byte
		if err := server.QueryRow(t.Context(), `SELECT value FROM settings WHERE name = 'word'`).Scan(&value); err != nil || string(value) != "w" {
			t.Errorf("word: got %q, %v, want w", value, err)
		}
		if _, err := server.Exec(t.Context(), `UPDATE settings SET value = $1 WHERE name = 'word'`, []byte("x")); err != nil {
			t.Errorf("server after it: %v", err)
		}
	})
}

// fill puts rows with every kind of value and reference into a fresh database.
func fill(t *testing.T, db *meta.DB) {
	t.Helper()
	if err := db.Transact(t.Context(), func(tx *meta.DB) error {
		for _, q := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO settings (name, value) VALUES ('secrets', $1)`, []any{[]byte{0, 1, 255}}},
			{`INSERT INTO organisations (id, name, created_at, created_by, modified_at, modified_by, mac) VALUES ('org', 'Ω', 1, 'x', 1, 'x', $1)`, []any{[]byte{}}},
			{`INSERT INTO tenants (id, slug, name, organisation, tier, type, state, created_at, created_by, modified_at, modified_by, mac)
				VALUES ('ten', 's', 'n', 'org', 'basic', 'POC', 'active', 9007199254740993, 'x', -1, 'x', $1)`, []any{[]byte("m")}},
			{`INSERT INTO vault_objects (id, tenant, store, kind, version, blob_key, size, sealed_size, digest, commitment, created_at, created_by)
				VALUES ('obj', 'ten', 'input', 'file', 1, 'a/b', 1, 2, $1, $1, 1, 'x')`, []any{[]byte("d")}},
			{`INSERT INTO tenant_keys (tenant, purpose, wrapped, created_at, mac) VALUES ('ten', 'vault', NULL, 1, $1)`, []any{[]byte("m")}},
		} {
			if _, err := tx.Unscoped().Exec(t.Context(), q.query, q.args...); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
