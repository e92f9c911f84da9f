package meta

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// statement is what must be known of a query's text before it runs.
type statement struct {
	text   string   // as written, with $1
	sqlite string   // with ?1, which SQLite takes for numbers and not for names
	writes bool     // whether it needs SQLite's writer
	reads  bool     // whether it returns rows
	tables []string // tenants' tables that it names
	empty  bool     // whether it has the literal '', which is the provider's tenant
}

// statements remembers what was found out about each query's text.
type statements struct {
	tenantTables []string // sorted
	known        sync.Map // string -> *statement
	size         atomic.Int64
}

// maxStatements bounds the memory for queries whose text is put together.
const maxStatements = 4096

func (c *statements) of(query string) (*statement, error) {
	if s, ok := c.known.Load(query); ok {
		return s.(*statement), nil
	}
	s, err := parse(query, c.tenantTables)
	if err != nil {
		return nil, err
	}
	if c.size.Load() < maxStatements {
		if _, loaded := c.known.LoadOrStore(query, s); !loaded {
			c.size.Add(1)
		}
	}
	return s, nil
}

// parse finds the tables of tenants that a query names and whether it writes. It
// is not a parser of SQL: it splits the text into words, and takes for a table
// what follows FROM, JOIN, INTO, UPDATE, a comma or a dot.
func parse(query string, tenantTables []string) (*statement, error) {
	s := &statement{text: query}
	var (
		out      strings.Builder
		first    string
		previous string
		ended    bool
		rest     = tokens{text: query}
	)
	for rest.next() {
		t := rest.token
		if rest.kind == space {
			out.WriteString(t)
			continue
		}
		if ended {
			return nil, fmt.Errorf("meta: more than one statement in %q", query)
		}
		upper := strings.ToUpper(t)
		switch rest.kind {
		case parameter:
			out.WriteString("?" + t[1:])
		case word, quoted:
			out.WriteString(t)
			if first == "" {
				first = upper
			}
			switch upper {
			case "INSERT", "UPDATE", "DELETE":
				s.writes = true
			case "RETURNING":
				s.reads = true
			case "SET_CONFIG":
				return nil, fmt.Errorf("meta: the session's settings are not for statements: %q", query)
			}
			if name := strings.ToLower(strings.Trim(t, `"`)); isTable(previous) && slices.Contains(tenantTables, name) {
				s.tables = append(s.tables, name)
			}
		default:
			out.WriteString(t)
			ended = t == ";"
			s.empty = s.empty || t == "''"
		}
		previous = upper
	}
	if rest.err != nil {
		return nil, fmt.Errorf("meta: %w in %q", rest.err, query)
	}
	switch first {
	case "SELECT", "VALUES":
		s.writes = false
	case "WITH", "INSERT", "UPDATE", "DELETE":
	default:
		return nil, fmt.Errorf("meta: a statement may not begin with %q: %q", first, query)
	}
	s.reads = s.reads || !s.writes
	s.sqlite = out.String()
	return s, nil
}

// isTable reports whether a table's name may follow the word.
func isTable(previous string) bool {
	switch previous {
	case "FROM", "JOIN", "INTO", "UPDATE", "ONLY", ",", ".":
		return true
	}
	return false
}

// Kinds of tokens.
const (
	space     = iota // and comments
	word             // keywords, names, numbers
	quoted           // "name"
	parameter        // $1
	other            // strings, and any other single character
)

// tokens splits SQL into tokens.
type tokens struct {
	text  string // what is left
	token string
	kind  int
	err   error
}

func (t *tokens) next() bool {
	if t.text == "" || t.err != nil {
		return false
	}
	n := 1
	switch c := t.text[0]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		t.kind = space
		n = span(t.text, func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' })
	case strings.HasPrefix(t.text, "--"):
		t.kind = space
		if n = strings.IndexByte(t.text, '\n'); n < 0 {
			n = len(t.text)
		}
	case strings.HasPrefix(t.text, "/*"):
		t.kind = space
		n = t.until("*/", 2)
	case c == '\'':
		t.kind = other
		n = t.until("'", 1) // a doubled quote gives two strings, which is as good here
	case c == '"':
		t.kind = quoted
		n = t.until(`"`, 1)
	case c == '$' && len(t.text) > 1 && digit(t.text[1]):
		t.kind = parameter
		n = 1 + span(t.text[1:], digit)
	case letter(c) || digit(c):
		t.kind = word
		n = span(t.text, func(c byte) bool { return letter(c) || digit(c) })
	default:
		t.kind = other
	}
	t.token, t.text = t.text[:n], t.text[n:]
	return true
}

// until returns the length up to and including end, looked for after skip bytes.
func (t *tokens) until(end string, skip int) int {
	i := strings.Index(t.text[skip:], end)
	if i < 0 {
		t.err = fmt.Errorf("%s is missing", end)
		return len(t.text)
	}
	return skip + i + len(end)
}

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

func letter(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
