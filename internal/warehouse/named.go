package warehouse

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/query"
)

// Named is a query that has a name, and parameters whose values are bound to it and
// never become a part of its text.
type Named struct {
	Name        string
	Source      string // as it was saved: the comment that says the rest, and the SQL
	Description string
	Tenants     bool // tenants may run it, each on its own rows
	Parameters  []Parameter
	Version     int64     // 0: it is built in
	CreatedAt   time.Time // zero, likewise
	CreatedBy   string

	sql       string   // with $1 and on, each cast to its type
	arguments []string // which parameters those are
}

// Parameter is a parameter of a named query.
type Parameter struct {
	Name        string
	Type        string // text, integer, number, boolean, date or timestamp
	Default     *string
	Description string
}

// The bounds of named queries.
const (
	maxParameters = 50
	maxParameter  = 10_000 // bytes of a value
)

// castTo are the types of parameters, as the engine calls them.
var castTo = map[string]string{"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP"}

var (
	nameForm      = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	parameterForm = regexp.MustCompile(`^parameter ([a-z][a-z0-9_]*) ([a-z]+)(?: =(.*?))?(?: -- (.*))?$`)
)

//go:embed queries/*.sql
var builtInFiles embed.FS

// builtIn reads the queries that come with Tributary, in the order of their names.
func builtIn() ([]Named, error) {
	var list []Named
	names, err := fs.Glob(builtInFiles, "queries/*.sql")
	for _, file := range names {
		source, err := builtInFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		n, err := ParseNamed(strings.TrimSuffix(path.Base(file), ".sql"), string(source))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		list = append(list, n)
	}
	return list, err
}

// ParseNamed reads the text of a named query. It begins with a comment, whose lines are
// a description, but for these two:
//
//	-- for tenants
//	-- parameter NAME TYPE = DEFAULT -- DESCRIPTION
//
// A parameter without "= DEFAULT" must be given. The SQL has it as $NAME.
func ParseNamed(name, source string) (Named, error) {
	n := Named{Name: name, Source: source}
	if len(name) > 64 || !nameForm.MatchString(name) {
		return n, fault.New(fault.Invalid, "A query's name is small letters, digits and single hyphens, up to 64, such as jobs-by-day; not %q.", name)
	}
	if len(source) > MaxSQL {
		return n, fault.New(fault.TooLarge, "The query has %d bytes; the limit is %d.", len(source), MaxSQL)
	}
	rest := source
	var description []string
	for strings.HasPrefix(rest, "--") {
		line, after, _ := strings.Cut(rest, "\n")
		rest = after
		line = strings.TrimSpace(strings.TrimPrefix(line, "--"))
		switch {
		case line == "for tenants":
			n.Tenants = true
		case strings.HasPrefix(line, "parameter "):
			p, err := parseParameter(line)
			if err != nil {
				return n, err
			}
			if n.parameter(p.Name) != nil {
				return n, fault.New(fault.Invalid, "The parameter %s is there twice.", p.Name)
			}
			n.Parameters = append(n.Parameters, p)
		default:
			description = append(description, line)
		}
	}
	n.Description = strings.Join(description, "\n")
	if len(n.Parameters) > maxParameters {
		return n, fault.New(fault.Invalid, "A query has at most %d parameters.", maxParameters)
	}
	if strings.TrimSpace(rest) == "" {
		return n, fault.New(fault.Invalid, "The query has no SQL.")
	}
	return n, n.place(rest)
}

func parseParameter(line string) (Parameter, error) {
	m := parameterForm.FindStringSubmatchIndex(line)
	if m == nil {
		return Parameter{}, fault.New(fault.Invalid, "%q is no parameter. Write: parameter NAME TYPE = DEFAULT -- DESCRIPTION", line)
	}
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return line[m[2*i]:m[2*i+1]]
	}
	p := Parameter{Name: part(1), Type: part(2), Description: strings.TrimSpace(part(4))}
	if castTo[p.Type] == "" {
		return p, fault.New(fault.Invalid, "The parameter %s has the type %q; the types are text, integer, number, boolean, date and timestamp.", p.Name, p.Type)
	}
	if m[6] >= 0 {
		value := strings.TrimSpace(part(3))
		p.Default = &value
		if _, err := p.value(value, time.Time{}); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (n *Named) parameter(name string) *Parameter {
	if i := slices.IndexFunc(n.Parameters, func(p Parameter) bool { return p.Name == name }); i >= 0 {
		return &n.Parameters[i]
	}
	return nil
}

// place puts numbers in the place of the parameters' names.
func (n *Named) place(sql string) error {
	var unknown error
	n.sql = replaceParameters(sql, func(name string) string {
		p := n.parameter(name)
		if p == nil {
			unknown = fault.New(fault.Invalid, "The SQL has $%s, which is no parameter. Add a line: -- parameter %s text", name, name)
			return "NULL"
		}
		at := slices.Index(n.arguments, name)
		if at < 0 {
			n.arguments = append(n.arguments, name)
			at = len(n.arguments) - 1
		}
		return fmt.Sprintf("CAST($%d AS %s)", at+1, castTo[p.Type])
	})
	return unknown
}

// statement is the query with the values of its parameters, whose absent ones are
// their defaults. Two runs with the same statement ask the same.
func (n *Named) statement(values map[string]string, now time.Time) (query.Statement, error) {
	s := query.Statement{SQL: n.sql}
	for name := range values {
		if n.parameter(name) == nil {
			return s, fault.New(fault.Invalid, "The query %s has no parameter %q. %s", n.Name, name, n.takes())
		}
	}
	for _, name := range n.arguments {
		p := n.parameter(name)
		text, given := values[name]
		if !given {
			if p.Default == nil {
				return s, fault.New(fault.Invalid, "The query %s needs the parameter %s (%s).", n.Name, name, p.Type)
			}
			text = *p.Default
		}
		value, err := p.value(text, now)
		if err != nil {
			return s, err
		}
		s.Arguments = append(s.Arguments, value)
	}
	return s, nil
}

// takes says which parameters the query has.
func (n *Named) takes() string {
	if len(n.Parameters) == 0 {
		return "It has none."
	}
	var names []string
	for _, p := range n.Parameters {
		names = append(names, p.Name)
	}
	return "It has " + strings.Join(names, ", ") + "."
}

var dayForm = regexp.MustCompile(`^today(?:\s*([+-])\s*([0-9]{1,5}))?$`)

// value is a value of a parameter as it is bound. A date may be today, or some days
// before or after it, in UTC.
func (p *Parameter) value(text string, now time.Time) (string, error) {
	wrong := func(what string) (string, error) {
		return "", fault.New(fault.Invalid, "The parameter %s is %s, not %.100q.", p.Name, what, text)
	}
	if len(text) > maxParameter {
		return "", fault.New(fault.TooLarge, "The parameter %s has %d bytes; the limit is %d.", p.Name, len(text), maxParameter)
	}
	switch p.Type {
	case "integer":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return wrong("a whole number")
		}
	case "number":
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return wrong("a number")
		}
	case "boolean":
		if text != "true" && text != "false" {
			return wrong("true or false")
		}
	case "date":
		if m := dayForm.FindStringSubmatch(text); m != nil {
			days, _ := strconv.Atoi(m[1] + m[2]) // none: 0
			return now.UTC().AddDate(0, 0, days).Format(time.DateOnly), nil
		}
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return wrong("a day, such as 2026-01-31, today or today-7")
		}
	case "timestamp":
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return wrong("a time, such as 2026-01-31T08:00:00Z")
		}
		return stamp(at), nil
	}
	return text, nil
}

// replaceParameters replaces each $name of an SQL text, but not what is within texts,
// quoted names and comments.
func replaceParameters(sql string, by func(name string) string) string {
	var b strings.Builder
	for len(sql) > 0 {
		n := 1
		switch c := sql[0]; {
		case c == '\'' || c == '"':
			n = quoted(sql, c, false)
		case (c == 'e' || c == 'E') && len(sql) > 1 && sql[1] == '\'':
			n = 1 + quoted(sql[1:], '\'', true)
		case strings.HasPrefix(sql, "--"):
			n = ending(sql, 2, "\n")
		case strings.HasPrefix(sql, "/*"):
			n = comment(sql)
		case c == '$':
			end := 1 + wordLength(sql[1:], false)
			switch {
			case end < len(sql) && sql[end] == '$': // a text between $tag$ and $tag$
				n = ending(sql, end+1, sql[:end+1])
			case end > 1:
				b.WriteString(by(sql[1:end]))
				sql = sql[end:]
				continue
			}
		default:
			n = max(1, wordLength(sql, true))
		}
		b.WriteString(sql[:n])
		sql = sql[n:]
	}
	return b.String()
}

// quoted is how long a text or name in quotes is; two quotes in it are one, or also
// what follows a backslash.
func quoted(sql string, quote byte, backslash bool) int {
	for i := 1; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\':
			i++
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
		case sql[i] == quote:
			return i + 1
		}
	}
	return len(sql)
}

// ending is how much there is up to and with the end that comes after from.
func ending(sql string, from int, end string) int {
	if at := strings.Index(sql[from:], end); at >= 0 {
		return from + at + len(end)
	}
	return len(sql)
}

// comment is how long a comment is, which may have others in it.
func comment(sql string) int {
	depth := 0
	for i := 0; i+1 < len(sql); i++ {
		switch sql[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			if depth--; depth == 0 {
				return i + 2
			}
			i++
		}
	}
	return len(sql)
}

// wordLength is how long the name is that sql begins with; one that stands for itself may
// have a dollar after its first letter.
func wordLength(sql string, dollars bool) int {
	for i := range len(sql) {
		c := sql[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
		if !letter && (c < '0' || c > '9') && (!dollars || i == 0 || c != '$') {
			return i
		}
	}
	return len(sql)
}
