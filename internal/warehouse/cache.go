package warehouse

import (
	"container/list"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"tributary/internal/tenant"
)

// The bounds of the answers that are kept.
const (
	maxKept   = 32 << 20 // bytes
	maxAnswer = 1 << 20  // of one
)

// part is a part of what is loaded, the rows that some tables are made of: of facts one
// of these, of a model its name.
type part string

const (
	eventPart      part = "events"
	actPart        part = "acts" // of whatever kind
	tenantPart     part = "tenants"
	loginPart      part = "logins"
	submissionPart part = "submissions"
	runPart        part = "runs"
)

// madeOf says which parts a table is made of; one that is not here may change with
// anything. What has none never changes.
var madeOf = map[string][]part{
	"dim_date": {}, "fact_event": {eventPart}, "dim_source": {"source_hour"}, "dim_identity": {"link_day"}, "fact_session": {"session_day", "link_day"},
	"dim_user": {"fact_activity", "trait_day", "link_day", actPart}, "fact_usage": {"fact_usage"}, "fact_activity": {"fact_activity"},
	"fact_act": {actPart}, "dim_tenant": {tenantPart}, "fact_login": {loginPart}, "fact_submission": {submissionPart}, "fact_job": {runPart}, "dim_job": {runPart},
}

// partsOf says which parts an act is of. Most acts, such as queries, are rows of
// fact_act alone.
func partsOf(verb, subject string) []part {
	parts := []part{actPart}
	switch kind, _, _ := strings.Cut(subject, "_"); {
	case kind == "ten":
		parts = append(parts, tenantPart)
	case kind == "sub":
		parts = append(parts, submissionPart)
	case kind == "run":
		parts = append(parts, runPart)
	case verb == "session.create" || verb == "sftp.connect":
		parts = append(parts, loginPart)
	}
	return parts
}

// touched is what a load has changed: tenants' rows of parts. The empty tenant is the
// provider.
type touched map[part]map[tenant.ID]bool

func (t touched) add(id tenant.ID, parts ...part) {
	for _, p := range parts {
		if t[p] == nil {
			t[p] = map[tenant.ID]bool{}
		}
		t[p][id] = true
	}
}

// restless are words of SQL whose value is another at another time, or by chance. An answer
// with one is not kept; that a word is a column's name does no harm.
var restless = regexp.MustCompile(`(?i)\b(now|today|age|current_\w+|get_current_\w+|local\w*|transaction_timestamp|txid_current|random|uuid\w*|gen_random_uuid|nextval|sample|tablesample)\b`)

// answers keeps answers of named queries for as long as nothing that they were made of
// has changed. Whose an answer is is a part of its key.
type answers struct {
	mu     sync.Mutex
	size   int
	by     map[string]*list.Element // of *kept
	newest *list.List
	hits   int64
	misses int64

	// When what changed last, counted: anything whatever, what is not known, the rows of a
	// part, a tenant's rows of a part.
	count   uint64
	unknown uint64
	parts   map[part]uint64
	tenants map[part]map[tenant.ID]uint64
}

type kept struct {
	key    string
	answer *answer
}

func newAnswers() *answers {
	return &answers{by: map[string]*list.Element{}, newest: list.New(), parts: map[part]uint64{}, tenants: map[part]map[tenant.ID]uint64{}}
}

// changed notes that anything may have changed.
func (c *answers) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.unknown = c.count
}

// loaded notes what a load has changed.
func (c *answers) loaded(t touched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	for p, ids := range t {
		c.parts[p] = c.count
		if c.tenants[p] == nil {
			c.tenants[p] = map[tenant.ID]uint64{}
		}
		for id := range ids {
			c.tenants[p][id] = c.count
		}
	}
}

// key is what an answer is known by: whose it is and whether with acts, what was asked, and when what it is
// made of changed last. It is empty for one that is not to be kept.
func (c *answers) key(q question, n Named) string {
	if restless.MatchString(n.sql) {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.unknown
	for _, table := range tablesIn(n.sql) {
		of, known := madeOf[table]
		if !known {
			at = c.count
		}
		for _, p := range of {
			if q.tenant == "" {
				at = max(at, c.parts[p])
			} else {
				at = max(at, c.tenants[p][q.tenant])
			}
		}
	}
	raw, err := json.Marshal([]any{q.tenant, q.acts, n.Name, n.Version, n.sql, q.Arguments, q.Rows, at})
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}

// tablesIn returns the tables whose name is in an SQL text, be it as another word.
func tablesIn(sql string) []string {
	sql = strings.ToLower(sql)
	return slices.DeleteFunc(slices.Clone(Tables), func(table string) bool { return !strings.Contains(sql, table) })
}

// find returns the answer of a key, nil if there is none.
func (c *answers) find(key string) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if key == "" || e == nil {
		c.misses++
		return nil
	}
	c.hits++
	c.newest.MoveToFront(e)
	return e.Value.(*kept).answer //nolint:forcetypeassert // nothing else is in the list
}

// Kept is what is known of answers that are kept.
type Kept struct {
	Hits, Misses int64 // queries that one was there for, and those that were asked, since the start
	Bytes        int64 // of the answers that there are
}

// Kept says how the answers of named queries are kept.
func (w *Warehouse) Kept() Kept {
	c := w.answers
	c.mu.Lock()
	defer c.mu.Unlock()
	return Kept{c.hits, c.misses, int64(c.size)}
}

// keep keeps an answer, and forgets those that were asked for the longest ago.
func (c *answers) keep(key string, a *answer) {
	if key == "" || a.size > maxAnswer {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[key] != nil {
		return
	}
	c.by[key] = c.newest.PushFront(&kept{key, a})
	c.size += a.size
	for c.size > maxKept {
		last := c.newest.Back()
		old := c.newest.Remove(last).(*kept) //nolint:forcetypeassert // as above
		delete(c.by, old.key)
		c.size -= old.answer.size
	}
}

// answer is an answer that was handed over.
type answer struct {
	columns []Column
	rows    [][][]byte
	end     Ended
	size    int
}

// from keeps an answer on its way, with rows up to the size that is kept.
func (a *answer) from(into Into) Into {
	return Into{Columns: func(columns []Column) error {
		a.columns = columns
		a.size = 1 << 10
		return into.Columns(columns)
	}, Row: func(row [][]byte) error {
		if a.size <= maxAnswer {
			a.rows = append(a.rows, slices.Clone(row))
			for _, v := range row {
				a.size += len(v) + 24
			}
		} else {
			a.rows = nil
		}
		return into.Row(row)
	}}
}

func (a *answer) give(into Into) error {
	if err := into.Columns(a.columns); err != nil {
		return err
	}
	for _, row := range a.rows {
		if err := into.Row(row); err != nil {
			return err
		}
	}
	return nil
}
