package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// tableFunctions are all that somebody else's SELECT may use as a table. The others
// read files, settings, or run SQL that they are handed as a text.
var tableFunctions = []string{"generate_series", "json_each", "json_tree", "range", "unnest"}

// forbidden are functions that somebody else's SELECT may not call: they tell of the
// process, change something, wait, or read bytes that only the engine should have made.
// The walls are the sandbox, the lock, and that the transaction is read-only.
var forbidden = []string{
	"combine", "create_sort_key", "current_setting", "currval", "finalize", "getenv", "getvariable", "json_serialize_plan",
	"nextval", "parse_duckdb_log_message", "pg_sleep", "setseed", "sleep_ms", "stats", "variant_bytes_to_variant", "vector_type", "write_log",
}

// gate refuses what is not exactly one SELECT of the tables that s may name. It looks at the
// tree of what the engine parses: preparing would execute the statements before the last one.
func (db *instance) gate(ctx context.Context, sql string, s query.Select) error {
	return db.judge(ctx, sql, s, map[string]bool{})
}

// judge is gate, and adds the tables that the SELECT names to used.
func (db *instance) judge(ctx context.Context, sql string, s query.Select, used map[string]bool) error {
	var text []byte
	err := db.texts(ctx, query.Statement{SQL: "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", Arguments: []string{sql}}, func(row [][]byte) error {
		text = row[0]
		return nil
	})
	if err != nil {
		return fmt.Errorf("parse SELECT: %w", err)
	}
	var tree struct {
		Error      bool             `json:"error"`
		Type       string           `json:"error_type"`
		Message    string           `json:"error_message"`
		Statements []map[string]any `json:"statements"`
	}
	if err := json.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("read tree of SELECT: %w", err)
	}
	switch {
	case tree.Error && tree.Type == "parser":
		return refused("The SQL cannot be read: " + tree.Message + ".")
	case tree.Error:
		return refused("Only a SELECT can be asked: nothing is changed, set or attached here.")
	case len(tree.Statements) != 1:
		return refused("Exactly one SELECT can be asked at a time.")
	}
	g := &gateway{tables: s.Tables, plain: len(s.Instead) > 0, used: used, ctes: map[string]bool{}}
	g.name(tree.Statements[0])
	if err := db.shadowed(ctx, g); err != nil {
		return err
	}
	return g.check(tree.Statements[0])
}

// gateway walks a tree.
type gateway struct {
	tables []string
	plain  bool // no table is named with its schema, and none is described
	used   map[string]bool
	ctes   map[string]bool // names that the SELECT gives its own parts
}

// name finds the names of common table expressions.
func (g *gateway) name(node any) {
	_ = each(node, func(m map[string]any) error { // it never fails
		cte, _ := m["cte_map"].(map[string]any)
		list, _ := cte["map"].([]any)
		for _, entry := range list {
			if e, ok := entry.(map[string]any); ok {
				g.ctes[strings.ToLower(word(e, "key"))] = true
			}
		}
		return nil
	})
}

// shadowed refuses names for parts of the SELECT that a table or view has which it may not
// name: where the part is not in scope the same name would be that table.
func (db *instance) shadowed(ctx context.Context, g *gateway) error {
	if len(g.ctes) == 0 {
		return nil
	}
	return db.texts(ctx, query.Statement{SQL: "SELECT lower(table_name) FROM duckdb_tables() UNION ALL SELECT lower(view_name) FROM duckdb_views() WHERE schema_name <> 'information_schema'"}, func(row [][]byte) error {
		if name := string(row[0]); g.ctes[name] && !slices.Contains(g.tables, name) {
			return refused("A part of the SELECT cannot be called " + name + " here. Give it another name.")
		}
		return nil
	})
}

func (g *gateway) check(node any) error {
	return each(node, func(m map[string]any) error {
		switch word(m, "type") {
		case "BASE_TABLE":
			return g.table(m)
		case "TABLE_FUNCTION":
			f, _ := m["function"].(map[string]any)
			if name := strings.ToLower(word(f, "function_name")); !slices.Contains(tableFunctions, name) {
				return refused("The function " + name + " cannot be used as a table here.")
			}
		case "SHOW_REF":
			if m["query"] == nil || g.plain {
				return refused("SHOW is not possible here; DESCRIBE and SUMMARIZE of a table are, in a SELECT over all tenants.")
			}
		case "COLUMN_DATA", "DELIM_GET", "BOUND_TABLE_REF":
			return refused("The SQL has a part that is not possible here.")
		}
		if name, ok := m["function_name"].(string); ok {
			if name = strings.ToLower(name); slices.Contains(forbidden, name) || strings.HasPrefix(name, "__internal") {
				return refused("The function " + name + " is not possible here.")
			}
		}
		return nil
	})
}

func (g *gateway) table(m map[string]any) error {
	schema, name := strings.ToLower(word(m, "schema_name")), strings.ToLower(word(m, "table_name"))
	switch {
	case word(m, "catalog_name") != "":
	case (schema == "" || schema == "main" && !g.plain) && slices.Contains(g.tables, name):
		g.used[name] = true
		return nil
	case schema == "" && g.ctes[name]:
		return nil
	}
	return fault.New(fault.Invalid, "There is no table %q. The tables are %s.", word(m, "table_name"), strings.Join(g.tables, ", "))
}

func word(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// each calls do with every object of a tree.
func each(node any, do func(map[string]any) error) error {
	switch n := node.(type) {
	case map[string]any:
		if err := do(n); err != nil {
			return err
		}
		for _, child := range n {
			if err := each(child, do); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range n {
			if err := each(child, do); err != nil {
				return err
			}
		}
	}
	return nil
}
