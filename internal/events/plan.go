package events

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"tributary/internal/audit"
	"tributary/internal/fault"
	"tributary/internal/meta"
)

// Plan is a version of the tracking plan: which events there are, and what each has
// to have. Applying a changed one makes the next version; none is ever changed or
// removed. What was taken in stays as it was judged then.
type Plan struct {
	Version   int64
	Source    string // the YAML as applied
	Hash      []byte
	Types     []PlannedType
	CreatedAt time.Time
	CreatedBy string
}

// PlannedType is a type of event in the plan.
type PlannedType struct {
	Type        string         `yaml:"type"`
	Description string         `yaml:"description"`
	Owner       string         `yaml:"owner"` // who answers for it
	Fields      []PlannedField `yaml:"fields"`
}

// PlannedField is what the data of a type has at a path.
type PlannedField struct {
	Name      string   `yaml:"name"` // a path in the data, such as size.bytes
	Type      string   `yaml:"type"` // string, integer, number, boolean, time, object or array
	Required  bool     `yaml:"required"`
	Allowed   []string `yaml:"allowed"`    // of strings; empty: all
	MaxLength int      `yaml:"max_length"` // of strings, in bytes; 0: no bound of its own
	PII       bool     `yaml:"pii"`        // it says something about a person
	Note      string   `yaml:"description"`

	path []string
}

// plan is a plan as intake asks it.
type plan struct {
	version int64
	types   map[string]*PlannedType
}

// The bounds of a plan.
const (
	maxPlan       = 1 << 20
	maxTypes      = 2000
	maxFields     = 200
	maxTypeLength = 200
)

var (
	pathForm = regexp.MustCompile(`^[^.\x00-\x1f\x7f]{1,100}(\.[^.\x00-\x1f\x7f]{1,100}){0,9}$`)
	kinds    = []string{"string", "integer", "number", "boolean", "time", "object", "array"}
)

// parsePlan reads a plan. Errors are Invalid and name every problem by its line, or
// TooLarge.
func parsePlan(source []byte) ([]PlannedType, error) {
	if len(source) > maxPlan {
		return nil, fault.New(fault.TooLarge, "The tracking plan has %d bytes; the limit is %d.", len(source), maxPlan)
	}
	var p struct {
		Events []PlannedType `yaml:"events"`
	}
	d := yaml.NewDecoder(bytes.NewReader(source))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return nil, fault.New(fault.Invalid, "The tracking plan cannot be read: %s.", yamlProblem(err))
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "The tracking plan has more than one document.")
	}
	var wrong []string
	var lines yaml.Node
	say := func(where []int, format string, args ...any) {
		if lines.IsZero() {
			_ = yaml.Unmarshal(source, &lines) // which was read already
		}
		wrong = append(wrong, fmt.Sprintf("line %d: ", lineOf(&lines, where))+fmt.Sprintf(format, args...))
	}
	if len(p.Events) == 0 || len(p.Events) > maxTypes {
		say(nil, "events: list 1 to %d types of events", maxTypes)
	}
	known := map[string]bool{}
	for n := range p.Events {
		t := &p.Events[n]
		at := fmt.Sprintf("events[%d]", n)
		if !properType(t.Type) {
			say([]int{n}, "%s.type: is missing, longer than %d bytes, or has control characters", at, maxTypeLength)
		} else {
			at = t.Type
		}
		if known[t.Type] {
			say([]int{n}, "%s: is there twice", at)
		}
		known[t.Type] = true
		if len(t.Fields) > maxFields {
			say([]int{n}, "%s.fields: more than %d", at, maxFields)
		}
		checkFields(t, at, func(field int, format string, args ...any) { say([]int{n, field}, format, args...) })
	}
	if len(wrong) > 0 {
		return nil, fault.New(fault.Invalid, "The tracking plan is not right: %s.", strings.Join(wrong[:min(len(wrong), 20)], "; "))
	}
	return p.Events, nil
}

// yamlProblem says why YAML cannot be read, without the names that Go has for its parts.
func yamlProblem(err error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	said := make([]string, len(wrong.Errors))
	for n, e := range wrong.Errors {
		said[n], _, _ = strings.Cut(e, " in type ")
	}
	return strings.Join(said, "; ")
}

// lineOf is where a plan's type of event with a number is, or a field of it, or, of
// neither, the list of them.
func lineOf(doc *yaml.Node, where []int) int {
	at := doc
	if len(at.Content) == 1 {
		at = at.Content[0]
	}
	for n, name := range []string{"events", "fields"} {
		list := valueOf(at, name)
		if list == nil {
			break
		}
		at = list
		if n >= len(where) || where[n] >= len(list.Content) {
			break
		}
		at = list.Content[where[n]]
	}
	return max(at.Line, 1)
}

// valueOf is what a mapping has under a name; nil: nothing.
func valueOf(at *yaml.Node, name string) *yaml.Node {
	if at.Kind == yaml.AliasNode {
		at = at.Alias
	}
	for n := 0; at.Kind == yaml.MappingNode && n+1 < len(at.Content); n += 2 {
		if at.Content[n].Value == name {
			return at.Content[n+1]
		}
	}
	return nil
}

func checkFields(t *PlannedType, at string, say func(field int, format string, args ...any)) {
	known := map[string]bool{}
	for n := range t.Fields {
		f := &t.Fields[n]
		in := fmt.Sprintf("%s.%s", at, f.Name)
		switch {
		case !pathForm.MatchString(f.Name):
			say(n, "%s.fields[%d].name: must be a path in the event's data, such as size.bytes", at, n)
		case known[f.Name]:
			say(n, "%s: is there twice", in)
		case !slices.Contains(kinds, f.Type):
			say(n, "%s: its type must be one of %s", in, strings.Join(kinds, ", "))
		case f.Type != "string" && (len(f.Allowed) > 0 || f.MaxLength != 0):
			say(n, "%s: allowed and max_length are for strings", in)
		case f.MaxLength < 0:
			say(n, "%s: max_length is below 0", in)
		}
		known[f.Name] = true
		f.path = strings.Split(f.Name, ".")
	}
}

// UnscopedApplyPlan makes the tracking plan the current one, and reports whether that
// changed anything: the same plan again does not.
func (e *Events) UnscopedApplyPlan(ctx context.Context, by string, source []byte) (p Plan, changed bool, err error) {
	types, err := parsePlan(source)
	if err != nil {
		return p, false, err
	}
	hash := sha256.Sum256(source)
	p = Plan{Source: string(source), Hash: hash[:], Types: types, CreatedAt: e.Clock.Now(), CreatedBy: by}
	err = e.DB.Transact(ctx, func(tx *meta.DB) error {
		changed = false
		current, err := e.planIn(ctx, tx, 0)
		switch {
		case err == nil && bytes.Equal(current.Hash, p.Hash):
			p = current
			return nil
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
		changed, p.Version = true, current.Version+1
		if _, err := tx.Exec(ctx, `INSERT INTO event_plans (version, source, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5)`,
			p.Version, p.Source, p.Hash, meta.Micros(p.CreatedAt), by); err != nil {
			return fmt.Errorf("apply tracking plan: %w", err)
		}
		return e.Audit.Append(ctx, tx, audit.Entry{Actor: by, Verb: "plan.apply", Subject: fmt.Sprint(p.Version), Outcome: "ok",
			Details: map[string]any{"hash": fmt.Sprintf("%x", p.Hash), "types": len(p.Types)}})
	})
	if err != nil {
		return Plan{}, false, err
	}
	e.usePlan(p)
	return p, changed, nil
}

// LoadPlan reads the current plan, if there is one; until then there is none.
func (e *Events) LoadPlan(ctx context.Context) error {
	p, err := e.planIn(ctx, e.DB, 0)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		e.usePlan(p)
	}
	return err
}

// usePlan takes a plan into use, unless a newer one is.
func (e *Events) usePlan(p Plan) {
	made := &plan{p.Version, map[string]*PlannedType{}}
	for n := range p.Types {
		made.types[p.Types[n].Type] = &p.Types[n]
	}
	for {
		now := e.plan.Load()
		if now != nil && now.version >= made.version || e.plan.CompareAndSwap(now, made) {
			return
		}
	}
}

// Plan returns a version of the tracking plan; version 0 is the current one.
func (e *Events) Plan(ctx context.Context, version int64) (Plan, error) {
	return e.planIn(ctx, e.DB, version)
}

func (e *Events) planIn(ctx context.Context, db *meta.DB, version int64) (Plan, error) {
	p, err := scanPlan(db.QueryRow(ctx, `SELECT version, source, hash, created_at, created_by FROM event_plans
		WHERE version = CASE WHEN $1 = 0 THEN (SELECT MAX(version) FROM event_plans) ELSE $1 END`, version))
	if errors.Is(err, sql.ErrNoRows) {
		if version > 0 {
			return Plan{}, fault.New(fault.NotFound, "There is no version %d of the tracking plan.", version)
		}
		return Plan{}, fault.New(fault.NotFound, "There is no tracking plan yet.")
	}
	return p, err
}

// scanPlan reads a stored plan and sees that it is what was applied.
func scanPlan(row meta.Scanner) (Plan, error) {
	var p Plan
	var created int64
	if err := row.Scan(&p.Version, &p.Source, &p.Hash, &created, &p.CreatedBy); err != nil {
		return Plan{}, err
	}
	p.CreatedAt = meta.Time(created)
	hash := sha256.Sum256([]byte(p.Source))
	if !bytes.Equal(hash[:], p.Hash) {
		return p, fault.New(fault.Damaged, "The stored version %d of the tracking plan is not the one that was applied.", p.Version)
	}
	var err error
	if p.Types, err = parsePlan([]byte(p.Source)); err != nil {
		return p, fault.Wrap(fault.Damaged, err, "The stored version %d of the tracking plan is damaged.", p.Version)
	}
	return p, nil
}

// Plans lists the versions of the tracking plan, the newest first.
func (e *Events) Plans(ctx context.Context, page meta.Page) ([]Plan, string, error) {
	pos, err := page.Position()
	if err != nil {
		return nil, "", err
	}
	rows, err := e.DB.Query(ctx, `SELECT version, source, hash, created_at, created_by FROM event_plans WHERE version < $1 ORDER BY version DESC LIMIT $2`, pos.At, int64(page.Size()+1))
	if err != nil {
		return nil, "", fmt.Errorf("list tracking plans: %w", err)
	}
	var list []Plan
	for rows.Next() {
		p, err := scanPlan(rows)
		if err != nil {
			return nil, "", fmt.Errorf("list tracking plans: %w", err)
		}
		list = append(list, p)
	}
	list, next := meta.Cut(list, page, func(p Plan) meta.Position { return meta.Position{At: p.Version} })
	return list, next, nil
}

// fits says what of an event is not as the plan says: a flag and words, or neither.
func (p *plan) fits(ev *Event) (flag, words string) {
	if p == nil {
		return "", ""
	}
	t := p.types[ev.Type]
	if t == nil {
		return FlagUnplanned, fmt.Sprintf("The tracking plan has no events of the type %q.", ev.Type)
	}
	for n := range t.Fields {
		if words = t.Fields[n].fits(ev.Data); words != "" {
			return FlagUnfit, words
		}
	}
	return "", ""
}

func (f *PlannedField) fits(data jsontext.Value) string {
	v := Lookup(data, f.path...)
	if v == nil || v.Kind() == 'n' {
		if f.Required {
			return fmt.Sprintf("The field %q is missing.", f.Name)
		}
		return ""
	}
	right := false
	switch f.Type {
	case "string":
		if v.Kind() != '"' {
			break
		}
		text := textOf(v)
		if len(f.Allowed) > 0 && !slices.Contains(f.Allowed, text) {
			return fmt.Sprintf("The field %q is not one of the values that are allowed.", f.Name)
		}
		if f.MaxLength > 0 && len(text) > f.MaxLength {
			return fmt.Sprintf("The field %q is longer than %d bytes.", f.Name, f.MaxLength)
		}
		return ""
	case "integer":
		right = v.Kind() == '0' && !bytes.ContainsAny(v, ".eE")
	case "number":
		right = v.Kind() == '0'
	case "boolean":
		right = v.Kind() == 't' || v.Kind() == 'f'
	case "time":
		if v.Kind() == '"' {
			_, err := time.Parse(time.RFC3339, textOf(v))
			right = err == nil
		}
	case "object":
		right = v.Kind() == '{'
	case "array":
		right = v.Kind() == '['
	}
	if right {
		return ""
	}
	return fmt.Sprintf("The field %q is not of the type %s.", f.Name, f.Type)
}

// properType reports whether events may have a type.
func properType(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxTypeLength && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
